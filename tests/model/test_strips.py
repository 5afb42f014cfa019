"""What runs in strips gives what it gives as a whole."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from ccalib.model import strips
from ccalib.model.codec import Codec
from ccalib.model.presets import SMALL, TINY
from ccalib.model.transforms import PATCH
from tests.conftest import shaken

UNEVEN = dataclasses.replace(TINY, name="uneven", blocks=((1, 0), (0, 2), (2, 1)))
QUALITY = torch.tensor([2.5])


@pytest.fixture(scope="module", params=[SMALL, TINY, UNEVEN], ids=lambda preset: preset.name)
def local(request) -> Codec:
    """A codec with random weights and transforms in which all is local."""
    torch.manual_seed(0)
    return shaken(Codec(request.param), size=0.1).eval().requires_grad_(False)


def directions(codec: Codec, rows: int):
    """Both transforms, each with an input of so many rows of latents."""
    yield lambda x: codec.analyze(x, QUALITY), torch.rand(1, 3, PATCH * rows, 32)
    yield lambda y: codec.synthesize(y, QUALITY), 5 * torch.randn(1, codec.preset.latent, rows, 2)


def test_the_halo_is_what_a_row_depends_on(local):
    """By gradients, in 64 bits: nothing beyond it moves a row of latents or what one paints, its last row does."""
    rows, middle = 25, 12
    for net, (_, tensor) in zip((local.g_a, local.g_s), directions(local, rows), strict=True):
        tensor = tensor.double().requires_grad_(True)
        copy.deepcopy(net).double()(tensor).unflatten(2, (rows, -1))[:, :, middle].sum().backward()
        reached = tensor.grad.abs().amax(dim=(0, 1, 3)).unflatten(0, (rows, -1)).amax(dim=1).nonzero()
        assert (reached - middle).abs().max() == strips.halo(local.preset)


@pytest.mark.parametrize("pixels", [1, 300 * 32, 10**9])
def test_strips_of_any_height_are_the_whole(local, pixels, monkeypatch):
    for run, tensor in directions(local, 41):
        whole = run(tensor)
        monkeypatch.setattr(strips, "PIXELS", pixels)
        part = run(tensor)
        monkeypatch.undo()
        assert part.shape == whole.shape and torch.allclose(part, whole, rtol=1e-4, atol=1e-5 * whole.abs().max())
        assert part.is_contiguous(memory_format=torch.channels_last)


@pytest.fixture
def heights(monkeypatch) -> list[int]:
    """Rows that the analysis was given at a time, where strips are as low as can be."""
    given, run = [], Codec._autocast
    monkeypatch.setattr(strips, "PIXELS", 1)
    monkeypatch.setattr(Codec, "_autocast", lambda codec, x, *more: given.append(x.shape[2]) or run(codec, x, *more))
    return given


def test_a_file_of_strips_decodes_to_the_models_own_reconstruction(codec, heights):
    torch.manual_seed(0)
    x = torch.rand(2, 3, 576, 64)
    quality = torch.tensor([1.0, 5.0])
    strings, written = codec.encode(x, quality)
    assert len(heights) == 3 and max(heights) < 576
    x_hat, read = codec.decode(strings, (9, 1), quality)
    assert all(np.array_equal(a, b) for a, b in zip(written, read, strict=True))
    with torch.inference_mode():
        assert torch.equal(x_hat, codec(x, quality)["x_hat"])


def test_neither_training_nor_attention_has_strips(heights):
    x = torch.rand(1, 3, 576, 64)
    Codec(TINY).train().analyze(x, QUALITY)
    Codec(dataclasses.replace(TINY, attention=True)).eval().analyze(x, QUALITY)
    assert heights == [576, 576]
