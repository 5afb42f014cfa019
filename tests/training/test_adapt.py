import dataclasses
import math

import pytest
import torch

from ccalib.errors import CcaError
from ccalib.model.codec import Codec
from ccalib.model.gains import lambda_of
from ccalib.model.presets import SMALL, TINY, Preset
from ccalib.training import adapt as adapting
from ccalib.training import checkpoint
from ccalib.training.adapt import adapt
from ccalib.training.loop import Trainer
from ccalib.training.schedule import Plan
from ccalib.training.settings import Settings

FAST = Settings(batch=2, crop=64, log_every=1)


@pytest.fixture(scope="module")
def silent(photos, tmp_path_factory):
    """State of a short run without the linear path into z."""
    run = tmp_path_factory.mktemp("silent")
    preset = dataclasses.replace(TINY, hyper_klt=False)
    Trainer(run, preset, photos, FAST, plan=Plan(1, 3, 4), progress=False).train()
    return checkpoint.load(run / "constant.pt")


def codec_of(state) -> Codec:
    codec = Codec(Preset.from_json(state["preset"]))
    codec.load_state_dict({k.removeprefix("codec."): v for k, v in state["objective"].items()})
    return codec.eval()


def test_gains_stay_where_lambda_stays(silent):
    wider = dataclasses.replace(TINY, hyper_klt=False, lambdas=(TINY.lambdas[0] / 4, TINY.lambdas[1] * 4))
    state = adapt(silent, wider, None)
    for part, prefix in (("objective", "codec."), ("average", "module.")):
        old, new = (s[part][f"{prefix}gains.log_gain"] for s in (silent, state))
        inverse = state[part][f"{prefix}gains.log_inverse"]
        for quality in range(TINY.qualities + 1):  # each old quality, somewhere among the new ones
            lam = lambda_of(TINY, quality)
            at = math.log(lam / wider.lambdas[0]) / math.log(wider.lambdas[1] / wider.lambdas[0]) * wider.qualities
            below = min(int(at), wider.qualities - 1)
            there = torch.lerp(new[below], new[below + 1], at - below)
            assert torch.allclose(there, old[quality], atol=0.02)
        assert torch.allclose(new[0], old[0] - math.log(2), atol=1e-5)  # a quarter of λ: half the gain
        assert torch.allclose(inverse[-1], silent[part][f"{prefix}gains.log_inverse"][-1] - math.log(2), atol=1e-5)
    assert Preset.from_json(state["preset"]) == wider


def test_the_linear_path_is_put_in(silent, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(adapting, "BATCHES", 10)
    monkeypatch.setattr(adapting, "CROP", 192)
    monkeypatch.setattr(adapting, "BATCH", 4)
    state = adapt(silent, TINY, photos)
    before, after = codec_of(silent | {"objective": _averaged(silent)}), codec_of(state)
    x = torch.from_numpy(photos[0][:128, :128].copy()).permute(2, 0, 1)[None].float() / 255
    quality = torch.tensor([3.0])
    with torch.inference_mode():
        y = before.analyze(x, quality)
        assert torch.equal(after.analyze(x, quality), y)  # transforms and gains are kept
        first = TINY.sizes[0]
        mean, _, _ = after.path.groups.contexts[0](after.path.h_s(torch.round(after.hyper_analyze(y))), [])
    assert (y[:, :first] - mean).var() < 0.3 * y[:, :first].var()  # z predicts the first group at once
    # and a run goes on from it
    trainer = Trainer(tmp_path, TINY, photos, FAST, plan=Plan(0, 5, 6), state=state, progress=False)
    trainer.train()
    assert trainer.step == 6


def _averaged(state) -> dict:
    return {"codec." + k.removeprefix("module."): v for k, v in state["average"].items() if k.startswith("module.")}


def test_nothing_to_change_is_the_same_state(silent):
    assert adapt(silent, dataclasses.replace(TINY, hyper_klt=False), None) is silent


def test_what_cannot_go_on_is_refused(silent):
    with pytest.raises(CcaError, match="small.*other shapes"):
        adapt(silent, SMALL, None)
    with_path = silent | {"preset": TINY.to_json()}
    with pytest.raises(CcaError, match="linear path"):
        adapt(with_path, dataclasses.replace(TINY, hyper_klt=False), None)


def test_an_honest_run_goes_on_in_another_shape(photos, tmp_path, monkeypatch):
    """What it was trained with is in its settings; the wider model's auxiliary starts anew."""
    monkeypatch.setattr(adapting, "widen", lambda codec, preset, photos: Codec(preset))
    honest = dataclasses.replace(FAST, loss="honest", alpha=0.5)
    Trainer(tmp_path / "a", TINY, photos, honest, plan=Plan(1, 1, 2), progress=False).train()
    wider = dataclasses.replace(TINY, latent=TINY.latent + 16)
    state = adapt(checkpoint.load(tmp_path / "a/last.pt"), wider, photos)
    trainer = Trainer(tmp_path / "b", wider, photos, honest, plan=Plan(2, 3, 3, 2), state=state, progress=False)
    trainer.train()
    assert trainer.step == 3
