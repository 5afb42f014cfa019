"""Weights and an image that the figures in this folder were measured on, regenerated from names alone.

A weight is drawn from a generator seeded with the CRC-32 of its name in the released model; kind "plain" leaves many
latents at the likelihood floor, "conditioned" lifts the last bias of the scale heads so that scales are a few units.
"""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def weight(name: str, shape: tuple[int, ...], kind: str) -> np.ndarray:
    draws = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape)
    if name.endswith("quantiles"):
        return np.broadcast_to([-10.0, 0.0, 10.0], shape) + 0.1 * draws[..., 1:2]
    if name.endswith((".beta", ".gamma")):
        return 0.3 * draws
    if "norm" in name:
        return 0.1 * draws + float(name.endswith("weight"))
    if kind == "conditioned" and "scale_cc_transforms" in name and name.endswith(".4.bias"):
        return 4.0 + 0.5 * draws
    return 0.05 * draws if name.endswith("bias") else draws / np.sqrt(np.prod(shape[1:]))


def checkpoint(kind: str) -> dict[str, torch.Tensor]:
    """The released model's weights under its own names, the auxiliary model's included."""
    with open(HERE / "parameters.tsv") as file:
        rows = [(row["name"], tuple(map(int, row["shape"].split("x")))) for row in csv.DictReader(file, delimiter="\t")]
    return {name: torch.from_numpy(weight(name, shape, kind).copy()).float() for name, shape in rows}


def image() -> torch.Tensor:
    """1×3×128×192 in [0, 1]: waves whose lengths differ from colour to colour."""
    row, column = np.mgrid[0:128, 0:192].astype(np.float64)
    waves = [
        0.25 * np.sin(column / (7 + 3 * c) + c) + 0.25 * np.cos(row / (11 - 2 * c) - c) * np.sin(column * row / 900)
        for c in range(3)
    ]
    return torch.from_numpy(np.clip(0.5 + np.stack(waves), 0, 1)).float()[None]
