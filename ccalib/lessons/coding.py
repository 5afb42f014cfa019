"""Bits counted in the lessons: by histograms, by the coder's integer tables, and where a stream's bytes go."""

from __future__ import annotations

import dataclasses

import numpy as np

from ccalib.model.rans import FEW, Tables

STATE_BITS = 31  # the coder's state starts at 2³¹
WORD_BITS = 32  # it sends away whole words
FLUSH_BITS = 64  # and at the end all of itself


def entropy(shares: np.ndarray) -> float:
    """Bits a symbol, of shares or counts (they need not sum to 1)."""
    p = np.asarray(shares, dtype=np.float64).ravel()
    p = p[p > 0] / p.sum()
    return float(-(p * np.log2(p)).sum())


def histogram_bits(symbols: np.ndarray) -> float:
    """Bits of integer symbols, M×…, for a coder that knows each channel's histogram for free, and nothing else."""
    total = 0.0
    for channel in np.asarray(symbols).reshape(len(symbols), -1).astype(np.int64):
        total += channel.size * entropy(np.bincount(channel - channel.min()))
    return total


def table_bits(symbols: np.ndarray, rows: np.ndarray, tables: Tables) -> np.ndarray:
    """−log₂ P of each symbol as the range coder has it, escapes included. Shapes of `symbols` and `rows` are the same.

    A symbol that its table does not hold is the table's last entry, then a nibble that counts nibbles (one more for
    each 15), then the nibbles of its distance.
    """
    s, r = np.asarray(symbols).reshape(-1).astype(np.int64), np.asarray(rows).reshape(-1)
    top = tables.length[r] - 2
    place = s - tables.offset[r]
    held = (place >= 0) & (place < top)
    at = np.where(held, place, top)
    bits = 16 - np.log2(tables.cdf[r, at + 1] - tables.cdf[r, at])
    distance = np.where(place < 0, -2 * place - 1, 2 * (place - top))
    nibbles = np.ceil(np.floor(np.log2(np.maximum(distance, 0.5)) + 1) / 4)
    return np.where(held, bits, bits + 4 * (1 + nibbles)).reshape(np.shape(symbols))


@dataclasses.dataclass(frozen=True)
class Stream:
    """Where the bits of one range coder stream go: 8·length = ideal + start + unused + rounding, exactly.

    Attributes:
        length: bytes.
        ideal: −Σ log₂ P of its symbols.
        start: 31, because the coder's state starts at 2³¹ and not at 1.
        unused: of the 64 bits of the last state, those above its highest one.
        rounding: what whole numbers lose in all the coder's divisions.
    """

    length: int
    ideal: float
    start: float
    unused: float

    @property
    def rounding(self) -> float:
        return 8 * self.length - self.ideal - self.start - self.unused


def stream_account(payload: bytes, symbols: np.ndarray, rows: np.ndarray, tables: Tables) -> Stream:
    """The account of a segment. A segment that the range coder did not write (all zero, or a few symbols) has neither
    start nor unused bits."""
    ideal = float(table_bits(symbols, rows, tables).sum())
    if not payload or np.size(symbols) < FEW:
        return Stream(len(payload), ideal, 0.0, 0.0)
    state = int.from_bytes(payload[:8], "little")
    return Stream(len(payload), ideal, STATE_BITS, FLUSH_BITS - float(np.log2(float(state))))
