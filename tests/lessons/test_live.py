import pytest
import torch

from ccalib import weights
from ccalib.images import to_tensor
from ccalib.lessons.live import Watched, checkpoint_of, point
from ccalib.lessons.widgets import Dashboard
from ccalib.model.presets import TINY
from ccalib.training.loop import Trainer
from ccalib.training.schedule import plan_for
from ccalib.training.settings import Settings
from ccalib.training.validate import validate

SETTINGS = Settings(batch=2, crop=64, warmup=0, ema=0.9, log_every=2)


def same(a, b) -> bool:
    """Whether two codecs have the same weights."""
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.fixture
def x(picture):
    return to_tensor(picture)


def test_a_point_is_what_validation_measures(codec, picture, x):
    found = point(codec, x, 3.0)
    assert found.bpp == pytest.approx(sum(found.groups) + found.z) and found.picture.size == picture.size
    assert found.loss == pytest.approx(found.bpp + found.lam * found.d)

    class One:  # photographs, as `validate` wants them
        def __len__(self):
            return 1

        def __getitem__(self, i):
            return (x[0].permute(1, 2, 0) * 255).round().byte().numpy()

    measured = validate(codec, One(), [3.0])["points"][0]
    assert found.psnr == pytest.approx(measured["psnr"], abs=0.01)
    assert found.bpp == pytest.approx(measured["bpp"], rel=0.01)


def test_a_watched_training_fills_its_dashboard_and_is_the_same_training(codec, photos, x, tmp_path):
    state = checkpoint_of(codec)
    dashboard, running = Dashboard("test", TINY.groups, 4), []
    dashboard.observe(lambda change: running.append(change["new"]), "running")
    plan = plan_for(4, 0, 0.5)
    trainer = Watched(tmp_path / "a", TINY, photos, SETTINGS, plan, dashboard, x, 3.0, 2, (0, 2), state)
    assert same(trainer.objective.codec, codec)
    trained = trainer.train()
    assert [r["step"] for r in dashboard.records] == [2, 4] and [s["step"] for s in dashboard.shots] == [0, 2, 4]
    assert list(trainer.points) == [0, 2, 4]
    assert trainer.points[0].bpp == pytest.approx(point(codec, x, 3.0).bpp, rel=0.01)
    assert running == [True, False] and dashboard.records[0]["lr"] == pytest.approx(1e-3)
    assert dashboard.records[1]["lr"] == pytest.approx(5e-4)
    plain = Trainer(tmp_path / "b", TINY, photos, SETTINGS, plan=plan, state=state, progress=False).train()
    assert same(trained, plain)


def test_a_checkpoint_of_weights_holds_them(model):
    codec = weights.load(model)
    stored = checkpoint_of(codec)
    assert stored["step"] == 0 and stored["optimizers"] == {}
    for name, p in codec.named_parameters():
        assert torch.equal(stored["objective"][f"codec.{name}"], p)
        assert torch.equal(stored["average"][f"module.{name}"], p)
