"""An inspection as bytes for the browser: fifteen numbers' bytes a latent, deflated to two or three."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from matplotlib import colormaps

from ccalib.lessons.inspection import Account, Inspection, Support
from ccalib.model.rans import Tables

MEAN_STEP = 2.0**-6  # means are sent in these steps, which exact presets compute in; coarser where they don't fit
OCTAVE, FAINTEST = 8, -20  # gradients are sent as 1 + 8·(log₂ + 20), 1 … 255; 0 is none at all


def planes(inspection: Inspection) -> tuple[bytes, float]:
    """For file, with and without, one after the other: symbols (int16), means (int16, in steps), levels (uint8).

    Returns:
        deflated bytes, and the step of the means.
    """
    accounts = (inspection.file, inspection.with_, inspection.without)
    step, largest = MEAN_STEP, max(float(np.abs(account.mean).max()) for account in accounts)
    while largest / step > 2**15 - 1:
        step *= 2
    return zlib.compress(b"".join(_account(account, step) for account in accounts), 9), step


def _account(account: Account, step: float) -> bytes:
    means = np.round(account.mean / step)
    return account.symbol.astype("<i2").tobytes() + means.astype("<i2").tobytes() + account.level.tobytes()


def tables(table: Tables) -> tuple[bytes, list[int], list[int]]:
    """The range coder's tables as counts of 65,536 (uint16, row after row, each row's last is its escape), deflated.

    Returns:
        bytes, counts in each row, and the symbol of each row's first count.
    """
    counts = [np.diff(row[:length]) for row, length in zip(table.cdf, table.length, strict=True)]
    packed = zlib.compress(np.concatenate(counts).astype("<u2").tobytes(), 9)
    return packed, [len(row) for row in counts], table.offset.tolist()


def support(column: int, row: int, channel: int, found: Support) -> bytes:
    """Three uint16 that say whose it is, then its maps (uint8, logarithmic): z, then each earlier group."""
    maps = b"".join(_octaves(one).tobytes() for one in (found.z, *found.groups))
    return struct.pack("<3H", column, row, channel) + maps


def _octaves(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        code = np.round(1 + OCTAVE * (np.log2(values) - FAINTEST)).clip(1, 255)
    return np.where(values > 0, code, 0).astype(np.uint8)


def palette() -> bytes:
    """Cividis, 256 colors of three bytes."""
    return colormaps["cividis"](np.arange(256), bytes=True)[:, :3].tobytes()
