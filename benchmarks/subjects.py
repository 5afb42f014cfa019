"""What is measured: a photograph of any size, and a `paper` codec."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ccalib import images, official
from ccalib.model.codec import Codec

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "data/images/stream.png"
KODAK_SIZE = (768, 512)


def photograph(width: int, height: int) -> Image.Image:
    """A photograph of this size: a part of PHOTO, or PHOTO and its mirror images, so that its statistics stay."""
    pixels = np.asarray(images.load(PHOTO))[:height, :width]
    missing = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return images.load(np.ascontiguousarray(np.pad(pixels, missing, mode="symmetric")))


def paper_codec(args: argparse.Namespace, exact: bool = False) -> tuple[Codec, str]:
    """`paper` with the released weights of `args.checkpoint`, or with the seeded ones of tests/official; and a name."""
    if args.checkpoint:
        codec, name = official.load(args.checkpoint, exact), args.checkpoint.name
    else:
        from tests.official import recipe

        name = "seeded (tests/official/recipe.py, conditioned)"
        codec = official.load(recipe.checkpoint("conditioned"), exact)
    codec.auxiliary = None
    codec.requires_grad_(False)
    codec.fingerprint = "f" * 16 if exact else "0" * 16  # not stored, so files have to name something
    return codec, name
