"""Shared fixtures: a small real codec on real photographs, with weights that are random but not tame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ccalib import images, weights
from ccalib.model.codec import Codec
from ccalib.model.presets import TINY
from ccalib.training import start
from ccalib.training.data import Photos, load_photos
from ccalib.training.start import new_codec

DATA = Path(__file__).parent.parent / "data"
np.finfo(np.float32), np.finfo(np.float64)  # before anything flushes denormals
# A second instead of five, each time. (Set, not divided: pytest and `import tests.conftest` both run this.)
start.PATCHES, start.BLOCKS = 10_000, 1_200


@pytest.fixture(autouse=True)
def denormals():
    """Whatever trains or times a step flushes denormals in its process; the tests after it get them back."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Photos:
    """The course's photographs, decoded as for training."""
    files = images.find([DATA / "images"])
    return load_photos(files, tmp_path_factory.mktemp("cache"), 128, progress=False)


def shaken(codec: Codec, seed: int = 1, size: float = 0.02) -> Codec:
    """Every weight moved, so that nothing is zero that training would make non-zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in codec.named_parameters():
            if not name.startswith(("klt", "z_prior", "gains")):
                p.add_(size * torch.randn(p.shape, generator=generator))
    return codec


@pytest.fixture(scope="session")
def model(photos, tmp_path_factory) -> Path:
    """Path of stored `tiny` weights: a KLT codec with a shaken network, not trained."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    weights.save(shaken(new_codec(TINY, photos, seed=0)), path)
    return path


@pytest.fixture(scope="session")
def codec(model) -> Codec:
    """The stored codec, loaded."""
    return weights.load(model)


@pytest.fixture(scope="session")
def picture(photos):
    """A Pillow image of 192×128 pixels with edges and texture."""
    return images.load(np.ascontiguousarray(photos[0][100:228, 100:292]))


@pytest.fixture
def batch(photos) -> torch.Tensor:
    """x, 2×3×128×128 in [0, 1]."""
    crops = [photos[i][:128, :128].astype(np.float32) / 255 for i in range(2)]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
