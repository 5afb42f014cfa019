"""What one latent paints: the decoded picture with it minus the decoded picture without it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model.codec import Codec

PX = 16  # pixels a latent stands for
CONTEXT = 11  # latents on a side that are decoded: the network reads about four around each
SHOWN = 5  # latents on a side of what is given back


@torch.inference_mode()
def painted(
    codec: Codec, y_hat: Tensor, quality: Tensor, cell: tuple[int, int], channels: Sequence[int], alone: bool = False
) -> tuple[np.ndarray, tuple[int, int]]:
    """What single latents of one cell paint around it.

    Args:
        y_hat: 1×M×h×w.
        cell: (column, row).
        alone: on a picture whose latents are all at their channel's mean, instead of inside the photograph.
    Returns:
        K×80×80×3 differences on the 0…255 scale (with the latent minus with its channel's mean in its place), and
        (left, top) of the square in pixels. Near a border the square moves inwards.
    Raises:
        CcaError: the cell is not in the latent, or the latent has fewer than 5×5 cells.
    """
    (column, row), (height, width) = cell, y_hat.shape[-2:]
    if not (0 <= column < width and 0 <= row < height) or min(width, height) < SHOWN:
        raise CcaError(f"cell: ({column}, {row}) in a latent of {width}×{height}; at least {SHOWN}×{SHOWN} are needed")
    mean = y_hat.mean(dim=(2, 3), keepdim=True)
    base = mean.expand_as(y_hat) if alone else y_hat
    x0, y0 = (_start(at, CONTEXT, side) for at, side in ((column, width), (row, height)))
    crop = base[:, :, y0 : y0 + CONTEXT, x0 : x0 + CONTEXT].clone()
    with_, without = (crop.repeat(len(channels), 1, 1, 1) for _ in range(2))
    for i, channel in enumerate(channels):
        with_[i, channel, row - y0, column - x0] = y_hat[0, channel, row, column]
        without[i, channel, row - y0, column - x0] = mean[0, channel, 0, 0]
    if alone:  # `with_` differs from one picture
        without = without[:1]
    else:
        with_ = with_[:1]
    difference = 255 * (_decoded(codec, with_, quality) - _decoded(codec, without, quality))
    left, top = (_start(at, SHOWN, side) for at, side in ((column, width), (row, height)))
    cut = difference[:, :, (top - y0) * PX : (top - y0 + SHOWN) * PX, (left - x0) * PX : (left - x0 + SHOWN) * PX]
    return cut.permute(0, 2, 3, 1).numpy(), (left * PX, top * PX)


def _start(at: int, side: int, limit: int) -> int:
    """The first of `side` places around `at`, moved inwards at a border."""
    return int(np.clip(at - side // 2, 0, max(limit - side, 0)))


def _decoded(codec: Codec, y_hat: Tensor, quality: Tensor, batch: int = 8) -> Tensor:
    return torch.cat([codec.synthesize(part, quality.expand(len(part))) for part in y_hat.split(batch)])


def visible(difference: np.ndarray, least: float = 1e-6) -> np.ndarray:
    """Differences, S×S×3, as 8-bit RGB: gray where there is none, stretched to the full range.

    Args:
        least: differences smaller than this are not stretched further.
    """
    top = max(float(np.quantile(np.abs(difference), 0.999)), least)
    return np.clip(np.round(128 + 120 * difference / top), 0, 255).astype(np.uint8)


def inside(difference: np.ndarray, corner: tuple[int, int], cell: tuple[int, int]) -> float:
    """Share of the squared difference that lies inside the latent's own cell of 16×16 pixels."""
    energy = np.square(difference.astype(np.float64)).sum(axis=2)
    return float(energy[_own(corner, cell)].sum() / max(energy.sum(), 1e-30))


def outside(difference: np.ndarray, corner: tuple[int, int], cell: tuple[int, int]) -> float:
    """The largest difference outside the latent's own cell."""
    rest = np.abs(difference).copy()
    rest[_own(corner, cell)] = 0
    return float(rest.max())


def _own(corner: tuple[int, int], cell: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the cell in a square that starts at `corner`."""
    x, y = (PX * at - start for at, start in zip(cell, corner))
    return slice(y, y + PX), slice(x, x + PX)
