"""Large images run through the transforms strip by strip: memory grows no further, and neither does a pixel's time.

A strip is so many rows of latents over the full width. It is computed with a halo of the rows above and below it that
its own can depend on, and cut out of the result. So the result is the whole image's, but for the last bits of floats,
whose sums libraries order by size. With attention in the transforms (`paper`) every output depends on the whole image:
there are no strips.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ccalib.model.allocator import keep_freed_memory
from ccalib.model.presets import Preset
from ccalib.model.transforms import PATCH

PIXELS = 3 * 2**20  # in a strip without its halo; fewer are slower by the share of the halo, and take less memory
MOST_KEPT = 2**20  # pixels; in larger images without strips the peak of memory matters more than time


def halo(preset: Preset) -> int | None:
    """Rows of latents, above and below, that a row depends on in either transform; None: all.

    At 1/2ⁱ of the height, a 5×5 convolution that halves or doubles reads two rows of the larger size to each side; a
    block has one 3×3 convolution.
    """
    if preset.attention:
        return None
    pixels = sum(2 * 2**i for i in range(4)) + sum(2 ** (i + 1) * sum(counts) for i, counts in enumerate(preset.blocks))
    return -(-pixels // PATCH)


def in_strips(rows: int) -> Callable:
    """Let a codec's method take its tensor, B×C×H×W, in strips where it is large, unless the codec is training.

    Args:
        rows: of the tensor to one of latents.
    """

    def decorate(run: Callable) -> Callable:
        @functools.wraps(run)
        def stripped(codec, x: Tensor, quality: Tensor | None = None) -> Tensor:
            if codec.training:
                return run(codec, x, quality)
            latents, edge = x.shape[2] // rows, halo(codec.preset)
            pixels = x[:, 0].numel() * (PATCH // rows) ** 2
            keep_freed_memory(edge is not None or pixels <= MOST_KEPT)
            if edge is None or pixels <= PIXELS:
                return run(codec, x, quality)
            height = max(-(-latents // -(-pixels // PIXELS)), 4 * edge)  # even strips, most of each its own
            out = None
            for top in range(0, latents, height):
                first, last = max(top - edge, 0), min(top + height + edge, latents)
                part = run(codec, x[:, :, first * rows : last * rows], quality)
                given = part.shape[2] // (last - first)  # rows of the result to one of latents
                part = part[:, :, (top - first) * given : (top - first + height) * given]
                if out is None:
                    shape = (*part.shape[:2], latents * given, part.shape[3])
                    out = torch.empty(shape, dtype=part.dtype, device=x.device, memory_format=torch.channels_last)
                out[:, :, top * given : (top + height) * given] = part
            return out

        return stripped

    return decorate
