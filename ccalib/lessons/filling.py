"""Reverse water-filling: how many bits each component of a Gaussian source gets at a rate, and so each group.

At the least squared error for the rate, every component whose variance λᵢ lies above a common level θ is left with the
error θ and gets ½ log₂(λᵢ/θ) bits; one below gets none (Cover and Thomas, *Elements of Information Theory*, chapter on
rate distortion). `widgets/schedule_count.js` does the same in the browser.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ccalib.errors import CcaError
from ccalib.lessons.schedules import CELL


def fill(variances: np.ndarray, bits: float, weights: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """Bits of each component at `bits` in all, and the level θ.

    Args:
        variances: M, or K×M for K classes of cells that the coder can tell apart.
        weights: K shares of the cells, which sum to 1; bits are then a mean over the cells, M as well.
    Raises:
        CcaError: variances or bits that are not above 0.
    """
    v = np.atleast_2d(np.asarray(variances, dtype=np.float64))
    if not (v > 0).all() or not bits > 0:
        raise CcaError("water-filling: variances and bits must be above 0")
    shares = np.repeat(np.ones(1) if weights is None else np.asarray(weights, dtype=np.float64), v.shape[1])
    order = np.argsort(-v.ravel(), kind="stable")
    logs, w = np.log2(v.ravel()[order]), shares[order]
    levels = (np.cumsum(w * logs) - 2 * bits) / np.maximum(np.cumsum(w), 1e-300)  # log₂ θ with the first n filled
    level = levels[np.nonzero(logs > levels)[0].max()]
    rates = np.maximum(0, 0.5 * (np.log2(v) - level))
    return (shares.reshape(v.shape) * rates).sum(axis=0), float(2**level)


def group_shares(sizes: Sequence[int], variances: np.ndarray, bpp: float, weights: np.ndarray | None = None):
    """Percent of the bits that each group gets: G floats.

    Args:
        variances: of the components by falling energy; the first sum(sizes) are kept (the last axis).
        bpp: bits of y for each pixel.
    """
    bits, _ = fill(np.asarray(variances)[..., : sum(sizes)], CELL * bpp, weights)
    return 100 * np.add.reduceat(bits, np.cumsum([0, *sizes[:-1]])) / bits.sum()


def misplaced(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """Percent of the bits that a prediction puts into the wrong group: half the sum of all differences."""
    return float(np.abs(np.subtract(predicted, measured)).sum() / 2)
