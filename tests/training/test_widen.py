import dataclasses

import pytest
import torch
from torch.nn import functional as F

from ccalib.errors import CcaError
from ccalib.model.codec import Codec
from ccalib.model.presets import TINY, Preset
from ccalib.training import checkpoint, widen
from ccalib.training.adapt import adapt
from ccalib.training.loop import Trainer
from ccalib.training.schedule import Plan
from ccalib.training.settings import Settings
from ccalib.training.start import new_codec

WIDE = dataclasses.replace(TINY, latent=160, last_kernel=3)


@pytest.fixture(scope="module", autouse=True)
def few_crops():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("BATCHES", 6), ("CROP", 192), ("BATCH", 6)):
            patch.setattr(widen, name, value)
        yield


@pytest.fixture(scope="module")
def narrow(photos) -> Codec:
    return new_codec(TINY, photos, 0).eval()


@pytest.fixture(scope="module")
def wide(narrow, photos) -> Codec:
    return widen.widen(narrow, WIDE, photos)


def pixels(photos) -> torch.Tensor:
    return torch.from_numpy(photos[0][:192, :192].copy()).permute(2, 0, 1)[None].float() / 255


def test_least_squares_finds_the_line():
    torch.manual_seed(0)
    weight, bias, fit = torch.randn(3, 5), torch.randn(3), widen.Fit()
    for _ in range(3):
        x = torch.randn(50, 5)
        fit.add(x, x @ weight.T + bias)
    found, constant = fit.solve()
    assert torch.allclose(found, weight, atol=1e-3) and torch.allclose(constant, bias, atol=1e-3)
    assert torch.allclose(fit.covariance().diagonal(), torch.ones(5).double(), atol=0.4)


def test_more_channels_leave_less_over(narrow, wide, photos):
    """By as much as more components of the KLT do: that is all that a codec fresh from it can leave."""
    x, quality = pixels(photos), torch.tensor([3.0])
    with torch.inference_mode():
        left = [(x - c.synthesize(c.analyze(x, quality), quality)).square().mean() for c in (narrow, wide)]
        more = new_codec(dataclasses.replace(TINY, latent=160), photos, 0).eval()
        klt = (x - more.synthesize(more.analyze(x, quality), quality)).square().mean()
    assert left[1] < 0.8 * left[0] and left[1] < 1.1 * klt


@torch.inference_mode()
def test_old_channels_are_what_they_were_but_for_the_kernel(narrow, photos):
    same = widen.widen(narrow, dataclasses.replace(WIDE, last_kernel=TINY.last_kernel), photos)
    x, quality = pixels(photos), torch.tensor([3.0])
    y = narrow.analyze(x, quality)
    assert torch.allclose(same.analyze(x, quality)[:, : TINY.latent], y, atol=1e-5)
    wider = F.pad(y, (0, 0, 0, 0, 0, WIDE.latent - TINY.latent))
    assert torch.allclose(same.synthesize(wider, quality), narrow.synthesize(y, quality), atol=1e-5)
    assert torch.allclose(same.hyper_analyze(same.analyze(x, quality)), narrow.hyper_analyze(y), atol=1e-4)


@torch.inference_mode()
def test_a_smaller_kernel_is_better_fitted_than_cut(narrow, wide, photos):
    x, quality = pixels(photos), torch.tensor([3.0])
    y = narrow.analyze(x, quality)
    fitted = (wide.analyze(x, quality)[:, : TINY.latent] - y).square().mean()
    cut = Codec(dataclasses.replace(TINY, last_kernel=3)).eval()
    cut.load_state_dict({k: widen._leading(v, cut.state_dict()[k]) for k, v in narrow.state_dict().items()})
    assert fitted < (cut.analyze(x, quality) - y).square().mean()
    wider = F.pad(y, (0, 0, 0, 0, 0, WIDE.latent - TINY.latent))
    whole = narrow.synthesize(y, quality)
    missed = (cut.synthesize(y, quality) - whole).square().mean()
    assert (wide.synthesize(wider, quality) - whole).square().mean() < missed


def test_contexts_keep_what_the_shared_channels_had(narrow, wide):
    """Group 4 of the new sizes, channels 46 to 91, is mostly of group 5 of the old, 53 to 95."""
    source, context = narrow.path.groups.contexts[4], wide.path.groups.contexts[3]
    shared, there, here = range(53, 92), range(53, 96), range(46, 92)
    assert widen._ranges(WIDE.sizes)[3] == here and widen._ranges(TINY.sizes)[4] == there
    for c in shared:
        new, old = c - here.start, c - there.start
        assert torch.equal(context.head[-1].weight[new], source.head[-1].weight[old])
        assert torch.equal(context.head[-1].weight[len(here) + new], source.head[-1].weight[len(there) + old])
    assert torch.equal(context.trunk[1].spatial.weight, source.trunk[1].spatial.weight)
    seen = TINY.hyper_out + here.start
    assert torch.equal(context.trunk[0].weight, source.trunk[0].weight[:, :seen])  # what it no longer reads is gone


@torch.inference_mode()
def test_groups_cut_anew_leave_the_transforms(narrow, photos):
    """A first group of six channels and one of two: what the two share, the path gives as before."""
    cut = widen.widen(narrow, dataclasses.replace(TINY, k=1.0), photos)
    x, quality = pixels(photos), torch.tensor([3.0])
    y = narrow.analyze(x, quality)
    assert torch.allclose(cut.analyze(x, quality), y, atol=1e-5)
    assert torch.allclose(cut.hyper_analyze(y), narrow.hyper_analyze(y), atol=1e-4)
    again = widen.widen(cut, TINY, photos)
    z_hat, first = torch.round(narrow.hyper_analyze(y)), TINY.sizes[0]
    means = [c.path.groups.contexts[0](c.path.h_s(z_hat), [])[0][:, :first] for c in (narrow, cut, again)]
    assert torch.allclose(means[2], means[1], atol=1e-4)
    assert (means[1] - means[0]).std() < 0.1 * means[0].std()  # h_s has lost outputs that the first context read


def test_a_run_goes_on_from_it(photos, tmp_path):
    fast = Settings(batch=2, crop=64, log_every=1)
    Trainer(tmp_path / "a", TINY, photos, fast, plan=Plan(1, 3, 4), progress=False).train()
    state = adapt(checkpoint.load(tmp_path / "a" / "constant.pt"), WIDE, photos)
    assert Preset.from_json(state["preset"]) == WIDE and checkpoint.is_cold(state)
    trainer = Trainer(tmp_path / "b", WIDE, photos, fast, plan=Plan(0, 5, 6), state=state, progress=False)
    codec = trainer.train()
    assert trainer.step == 6 and codec.preset == WIDE


@pytest.mark.parametrize("change", [{"latent": 64}, {"last_kernel": 7}])
def test_narrower_is_refused(narrow, change):
    with pytest.raises(CcaError, match="more latent channels"):
        widen.widen(narrow, dataclasses.replace(TINY, **change), None)


def test_a_codec_without_linear_paths_is_refused():
    with pytest.raises(CcaError, match="no linear paths"):
        widen.widen(Codec(dataclasses.replace(TINY, hyper_klt=False)), WIDE, None)
