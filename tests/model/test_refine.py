"""Refinement of latents: never worse, deterministic, and nothing that the decoder could notice."""

import numpy as np
import pytest
import torch
from PIL import Image

import ccalib
from ccalib import CcaError, images
from ccalib.model import refine as module
from ccalib.model.coders import Estimate
from ccalib.model.gains import lambda_of
from ccalib.model.refine import Leaning, Part, refine, steps_of


@pytest.fixture(scope="module")
def start(codec, picture):
    """x, y, ẑ and qualities of a photograph and of noise, 2×3×128×192."""
    noise = torch.rand(1, 3, 128, 192, generator=torch.Generator().manual_seed(0))
    x, quality = torch.cat((images.to_tensor(picture), noise)), torch.tensor([1.0, 4.5])
    with torch.inference_mode():
        y, medians = codec.analyze(x, quality), codec._medians()
        return x, y, torch.round(codec.hyper_analyze(y) - medians) + medians, quality


def cost(codec, x, y, z_hat, quality, size=(128, 192)):
    """R + 1.4 λD in bits per image, written anew."""
    coder = Estimate(codec.gaussian)
    with torch.no_grad():
        decoded = codec.coding_path().walk(z_hat.double(), coder, y.double())
        x_hat = codec.synthesize(torch.cat(decoded, dim=1), quality).clamp(0, 1)
    mse = 255**2 * (x - x_hat)[:, :, : size[0], : size[1]].square().mean(dim=(1, 2, 3))
    bits = -torch.log2(torch.cat(coder.likelihoods, dim=1)).sum(dim=(1, 2, 3))
    return bits + 1.4 * lambda_of(codec.preset, quality) * mse * size[0] * size[1]


@pytest.mark.parametrize("steps", [1, 12])
def test_never_worse_and_on_a_photograph_better(codec, start, steps):
    x, y, z_hat, quality = start
    refined = refine(codec, x, y, z_hat, quality, steps)
    before, after = cost(codec, *start), cost(codec, x, refined, z_hat, quality)
    assert (after <= before * (1 + 1e-6)).all()
    assert steps == 1 or after[0] < 0.99 * before[0]


def test_cost_is_what_it_says(codec, start):
    x, y, z_hat, quality = start
    found = Part(codec, x, z_hat, quality, (100, 150)).cost(y)
    torch.testing.assert_close(found, cost(codec, *start, size=(100, 150)), rtol=1e-4, atol=0.1, check_dtype=False)


def test_a_step_that_only_harms_leaves_what_was_there(codec, start, monkeypatch):
    monkeypatch.setattr(module, "RATE", 30.0)
    x, y, z_hat, quality = start
    assert torch.equal(refine(codec, x, y, z_hat, quality, 3), y)


def test_padding_does_not_count(codec, picture):
    """Whatever lies in the padding, the pixels that count are refined alike."""
    size = (80, 120)
    x = images.pad(images.to_tensor(picture.crop((0, 0, *size[::-1]))), 64)
    quality, other = torch.tensor([3.0]), x.clone()
    other[:, :, size[0] :], other[:, :, :, size[1] :] = 0, 1
    with torch.inference_mode():
        y, medians = codec.analyze(x, quality), codec._medians()
        z_hat = torch.round(codec.hyper_analyze(y) - medians) + medians
    refined = [refine(codec, pixels, y, z_hat, quality, 4, size) for pixels in (x, other)]
    assert torch.equal(*refined) and not torch.equal(refined[0], y)
    assert cost(codec, x, refined[0], z_hat, quality, size) < cost(codec, x, y, z_hat, quality, size)


def test_tiles_cover_a_large_image(codec, start, monkeypatch):
    x, y, z_hat, quality = start
    monkeypatch.setattr(module, "TILE", 64)
    refined = refine(codec, x, y, z_hat, quality, 6)
    assert (cost(codec, x, refined, z_hat, quality) < cost(codec, *start))[0]
    changed = (refined != y)[0].any(dim=0).unflatten(0, (2, 4)).unflatten(2, (3, 4))  # 2×4×3×4: tiles of 4×4 latents
    assert changed.any(dim=3).any(dim=1).all()


def test_surroundings_stay(codec, start):
    x, y, z_hat, quality = (t.clone() for t in start)
    moving = torch.zeros_like(y)
    moving[:, :, :4, :4] = 1
    moved = Part(codec, x, z_hat, quality, (128, 192)).descend(y, 5, moving) != y
    assert moved[:, :, :4, :4].any() and not moved[:, :, 4:].any() and not moved[:, :, :, 4:].any()


def test_a_latent_on_a_symbol_has_its_rate_and_one_between_two_a_mixture(codec):
    mean, scale = torch.full((1, 4, 1, 1), 0.3), torch.zeros(1, 4, 1, 1)
    rate = [-torch.log2(codec.gaussian.likelihood(s + mean, mean, scale)).sum() for s in (2.0, 3.0)]
    for group, place, share in ((0, 0.0, 0.0), (0, 0.5, 0.5), (4, 0.5, 0.5), (0, 1 - 1e-6, 1.0)):
        coder = Leaning(codec.gaussian, 5, 0.25)
        latent = coder(group, 2 + place + mean, mean, scale)
        curvature = module.CURVATURES[group > 0]
        bits = (1 - share) * rate[0] + share * rate[1] + 4 * curvature / 2 * share * (1 - share)
        torch.testing.assert_close(latent, 2 + share + mean, atol=1e-4, rtol=0)
        torch.testing.assert_close(coder.bits, bits, atol=1e-2, rtol=0)


@pytest.mark.parametrize("size", [(70, 45), (192, 128)])
def test_the_file_decodes_to_the_models_own_reconstruction(codec, picture, size):
    image = picture.resize(size)
    data = ccalib.encode(image, 2.5, codec, effort=3)
    assert data == ccalib.encode(image, 2.5, codec, effort=3)  # deterministic
    assert data != ccalib.encode(image, 2.5, codec)
    x, quality = images.pad(images.to_tensor(image), 64), torch.tensor([2.5])
    with torch.inference_mode():
        y, medians = codec.analyze(x, quality), codec._medians()
        z_hat = torch.round(codec.hyper_analyze(y) - medians) + medians
        y = refine(codec, x, y, z_hat, quality, 3, size[::-1])
        decoded = codec.coding_path().walk(z_hat.double(), Estimate(codec.gaussian), y.double())
        own = images.from_tensor(codec.synthesize(torch.cat(decoded, dim=1), quality)[:, :, : size[1], : size[0]])
    assert np.array_equal(np.asarray(ccalib.decode(data, model=codec)), np.asarray(own))


def test_effort_zero_is_the_codec_without_it(codec, picture, start):
    assert refine(codec, *start, 0) is start[1]
    assert ccalib.encode(picture, 3, codec, effort=0) == ccalib.encode(picture, 3, codec)


@pytest.mark.parametrize("effort", [-1, 2.5, "3", None, 10_001])
def test_bad_effort(codec, picture, effort):
    with pytest.raises(CcaError, match="effort"):
        ccalib.encode(picture, 3, codec, effort=effort)


def test_distortion_counts_as_much_as_the_record_says(codec, start, monkeypatch):
    """At twice the worth, λD is twice what it was and bits are the same; results that name another are not these."""
    x, y, z_hat, quality = start
    once = Part(codec, x, z_hat, quality, (128, 192)).cost(y)
    before = module.record(3)
    monkeypatch.setattr(module, "WORTH", 2 * module.WORTH)
    twice = Part(codec, x, z_hat, quality, (128, 192)).cost(y)
    bits = 2 * once - twice
    assert (bits > 0).all() and (twice > once).all()
    torch.testing.assert_close(bits, cost(codec, *start) - (twice - once), rtol=1e-4, atol=0.1, check_dtype=False)
    assert before["effort"] == 3 and before["worth"] == 1.4 and module.record(3) != before


def test_whole_numbers_of_any_kind():
    assert [steps_of(n) for n in (0, 30, np.int64(7), 10_000)] == [0, 30, 7, 10_000]


def test_one_pixel(codec):
    data = ccalib.encode(Image.new("RGB", (1, 1), (200, 30, 30)), 3, codec, effort=2)
    assert ccalib.decode(data, model=codec).size == (1, 1)
