import numpy as np
import pytest
import torch

from ccalib import CcaError
from ccalib.model.codec import Codec
from ccalib.model.gains import Gains, lambda_of, stored_quality
from ccalib.model.presets import PAPER, SMALL, TINY
from tests.conftest import shaken


def test_decoding_gives_the_models_own_reconstruction(codec, batch):
    quality = torch.tensor([1.25, 4.5])
    with torch.inference_mode():
        out = codec(batch, quality)
    strings, written = codec.encode(batch, quality)
    x_hat, read = codec.decode(strings, (2, 2), quality)
    assert torch.equal(x_hat, out["x_hat"])
    assert all(np.array_equal(a, b) for a, b in zip(written, read, strict=True))
    assert len(strings) == 1 + TINY.groups and all(len(s) == 2 for s in strings)


def test_a_later_group_never_changes_an_earlier_ones_bytes(codec, batch):
    quality = torch.tensor([3.0])
    strings, _ = codec.encode(batch[:1], quality)
    sizes = list(TINY.sizes)
    original = codec.analyze
    for group in range(TINY.groups):

        def moved(x, quality, group=group):
            y = original(x, quality).clone()
            first = sum(sizes[:group])
            y[:, first : first + sizes[group]] += 7
            return y

        z = codec.hyper_analyze(original(batch[:1], quality))
        codec.analyze = moved
        codec.hyper_analyze = lambda y, z=z: z  # hold z, so that only the group itself is changed
        try:
            changed, _ = codec.encode(batch[:1], quality)
        finally:
            del codec.analyze, codec.hyper_analyze
        same = [a == b for a, b in zip(strings, changed, strict=True)]
        assert same[: group + 1] == [True] * (group + 1) and not same[group + 1]


def test_likelihoods_have_the_latents_shapes(codec, batch):
    with torch.inference_mode():
        out = codec(batch, torch.zeros(2))
    assert out["likelihoods"]["y"].shape == out["y"].shape == (2, TINY.latent, 8, 8)
    assert out["likelihoods"]["z"].shape == (2, TINY.hyper, 2, 2)
    assert set(out["likelihoods"]) == {"y", "z"}


def test_training_mode_trains_everything(photos, batch):
    from ccalib.training.losses import Objective
    from ccalib.training.start import new_codec

    objective = Objective(shaken(new_codec(TINY, photos, 0), size=0.05), "plain").train()
    objective(batch, torch.tensor([0.5, 5.5]))[0].backward()
    assert [n for n, p in objective.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_gains_start_as_theory_wants():
    gains = Gains(SMALL)
    q = torch.tensor([0.0, 2.5, 6.0])
    lam = torch.tensor([lambda_of(SMALL, v) for v in q.tolist()])
    expected = (lam / SMALL.reference_lambda).sqrt()
    assert torch.allclose(gains.forward_gain(q)[:, 0, 0, 0], expected)
    assert torch.allclose(gains.forward_gain(q) * gains.inverse_gain(q), torch.ones(3, SMALL.latent, 1, 1))


def test_gains_interpolate_logs():
    gains = Gains(TINY)
    with torch.no_grad():
        gains.log_gain.copy_(torch.randn(gains.log_gain.shape))
    at = gains.forward_gain(torch.tensor([2.25]))[0, :, 0, 0]
    assert torch.allclose(at.log(), 0.75 * gains.log_gain[2] + 0.25 * gains.log_gain[3], atol=1e-6)


@pytest.mark.parametrize("quality", [-0.1, 6.1, float("nan"), float("inf")])
def test_qualities_outside_are_refused(quality):
    with pytest.raises(CcaError, match="quality"):
        stored_quality(SMALL, quality)


def test_sizes_that_are_not_padded_are_refused(codec):
    with pytest.raises(CcaError, match="multiples of 64"):
        codec.encode(torch.zeros(1, 3, 64, 65), torch.zeros(1))


def test_tables_are_needed_for_coding():
    with pytest.raises(CcaError, match="update"):
        Codec(TINY).eval().encode(torch.zeros(1, 3, 64, 64), torch.zeros(1))


def test_paper_runs_without_quality_and_gains():
    assert Codec(PAPER).gains is None and Codec(PAPER).klt is None
