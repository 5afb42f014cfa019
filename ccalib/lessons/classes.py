"""A scale hyperprior by hand: each block of a channel gets one of K scales, and the file says which."""

from __future__ import annotations

import numpy as np

from ccalib.errors import CcaError
from ccalib.lessons.coding import table_bits
from ccalib.model.rans import Tables

ROUNDS = 20  # of Lloyd's two steps; they settle long before


def blocks_of(symbols: np.ndarray, side: int) -> np.ndarray:
    """The side×side blocks of an h×w channel, row by row: n×side².

    Raises:
        CcaError: h or w is no multiple of the side.
    """
    h, w = symbols.shape
    if h % side or w % side:
        raise CcaError(f"blocks: {h}×{w} latents don't divide into blocks of {side}×{side}")
    return symbols.reshape(h // side, side, w // side, side).transpose(0, 2, 1, 3).reshape(-1, side * side)


def level_bits(blocks: np.ndarray, tables: Tables) -> np.ndarray:
    """Bits of each block under each scale of the coder's table: n×k integer symbols → n×levels."""
    levels = range(len(tables.length))
    return np.stack([table_bits(blocks, np.full(blocks.shape, level), tables).sum(axis=1) for level in levels], axis=1)


def code_book(bits: np.ndarray, classes: int) -> np.ndarray:
    """At most `classes` levels of the scale table that suit the blocks: Lloyd's algorithm, which is k-means in bits.

    Each block chooses the cheapest of the levels; each level moves to what is cheapest for the blocks that chose it;
    and again. It starts from quantiles of the blocks' own best levels.

    Args:
        bits: n×levels, as `level_bits` gives them.
    """
    own = np.sort(bits.argmin(axis=1))
    levels = np.unique(own[((np.arange(classes) + 0.5) * len(own) / classes).astype(int)])
    for _ in range(ROUNDS):
        chosen = bits[:, levels].argmin(axis=1)
        moved = np.unique([bits[chosen == k].sum(axis=0).argmin() for k in np.unique(chosen)])
        if np.array_equal(moved, levels):
            break
        levels = moved
    return levels
