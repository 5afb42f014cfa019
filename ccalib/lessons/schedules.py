"""What a schedule of groups costs: multiply–accumulates of each group's context, by formula.

The formula counts the convolutions of `ccalib.model.context`, weight by weight; hooks on the real networks count the
same (tested). `widgets/schedule_count.js` is the same once more, for the browser.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

from ccalib.model.presets import Preset

CELL = 256  # pixels that a latent stands for
CELLS = 768 * 512 // CELL  # of the photograph that costs are given for; only `paper`'s global means depend on it


def scheduled(preset: Preset, channels: int, groups: int, k: float) -> Preset:
    """The preset with another schedule. Its hyper synthesis gets as wide as the schedule asks for: `paper`'s has a mean
    and a scale for every channel, the others' holds the means of the first group.

    Raises:
        CcaError: an impossible schedule, in the words of `group_sizes`.
    """
    bare = dataclasses.replace(preset, latent=channels, groups=groups, k=k, hyper_klt=False)
    out = channels if preset.split_context else max(preset.hyper_out, bare.sizes[0])
    return dataclasses.replace(bare, hyper_out=out, hyper_klt=preset.hyper_klt)


def context_macs(preset: Preset, sizes: Sequence[int] | None = None, cells: int = CELLS) -> list[int]:
    """Multiply–accumulates of each group's context (mean, scale and residual) for a latent of `cells` positions.

    Args:
        sizes: channels of the groups (default: the preset's).
    """
    found, seen, width, hidden = [], 0, preset.context_width, preset.head_widths
    for size in preset.sizes if sizes is None else sizes:
        read = preset.hyper_out + seen
        if preset.split_context:  # two trunks of NAF blocks and back; heads read what the trunks give
            trunk = 2 * read * width + preset.context_blocks * (6 * width**2 + 18 * width)
            heads = 2 * head_macs(read, hidden, size) + head_macs(read + size, hidden, size)
            found.append(cells * (2 * trunk + heads) + 2 * preset.context_blocks * width**2)  # attention: once
        else:
            trunk = read * width + preset.context_blocks * 10 * width**2
            heads = head_macs(width, hidden, 2 * size) + head_macs(width + size, hidden, size)
            found.append(cells * (trunk + heads))
        seen += size
    return found


def head_macs(inputs: int, hidden: Sequence[int], outputs: int) -> int:
    """Of a head at one position: 3×3 convolutions, inputs → hidden … → outputs."""
    return 9 * sum(a * b for a, b in pairwise((inputs, *hidden, outputs)))


def context_kmac(preset: Preset, sizes: Sequence[int] | None = None, cells: int = CELLS) -> list[float]:
    """The same in thousands for each pixel of the photograph."""
    return [macs / (1000 * CELL * cells) for macs in context_macs(preset, sizes, cells)]
