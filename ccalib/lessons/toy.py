"""Two scalars instead of a latent: the CCA loss where everything can be counted (lesson 05).

    x ~ N(0, C)  ─► y = A x ─► ŷ = round(y) ─► p(ŷ₁) p(ŷ₂|ŷ₁) bits;  x̂ = E[x | ŷ]

The rows of A are two analysis directions, each as long as its gain 1/Δ. "Group 1" is ŷ₁, "group 2" is ŷ₂, and what the
first buys the second is I = R₂ − R₂|₁ = I(ŷ₁; ŷ₂). No rate is estimated: `count` integrates the density over each cell
of the quantizer (Gauss–Legendre nodes along y₁, the normal distribution function along y₂) and sums.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy.special import ndtr

from ccalib.errors import CcaError

RHO = 0.9
SOURCE = np.array([[1.0, RHO], [RHO, 1.0]])  # KLT variances 1.9 and 0.1
NODES, REACH = 6, 6.0  # nodes in a piece of a cell; standard deviations beyond which nothing is counted
BLOCK = 2**16  # numbers in an array: nodes along y₁ times edges along y₂
SMALLEST = 1e-8  # standard deviation of y₂ given y₁ that an exact copy is taken for


@dataclasses.dataclass(frozen=True, eq=False)
class Count:
    """Rates in bits a symbol pair (`r1`, `r2`, `r2_given_1`) and the mean squared error of x, per scalar.

    Attributes:
        p: joint probabilities of the cells, n₁×n₂; `first` and `second`: the integers that rows and columns stand for.
        d: distortion, E|x − x̂|²/2.
    """

    p: np.ndarray
    first: np.ndarray
    second: np.ndarray
    r1: float
    r2: float
    r2_given_1: float
    d: float

    @property
    def rate(self) -> float:
        """Bits for both, as a file has them."""
        return self.r1 + self.r2_given_1

    @property
    def gain(self) -> float:
        """I(ŷ₁; ŷ₂): what the first bought the second."""
        return self.r2 - self.r2_given_1

    def cca(self, lam: float, alpha: float) -> float:
        """J = R + λD − αI with the exact I: what the honest loss is when both models have learned all there is."""
        return self.rate + lam * self.d - alpha * self.gain


def entropy(p: np.ndarray) -> float:
    """−Σ p log₂ p, where 0 log 0 = 0."""
    p = p[p > 0]
    return float(0.0 - (p * np.log2(p)).sum())  # one cell has 0 bits, not −0


def arrows(angles: tuple[float, float], gains: tuple[float, float]) -> np.ndarray:
    """A from two directions (radians from the first KLT axis, which lies at 45°) and their gains."""
    turned = np.add(angles, math.pi / 4)
    return np.asarray(gains)[:, None] * np.stack([np.cos(turned), np.sin(turned)], axis=1)


def count(a: np.ndarray, c: np.ndarray = SOURCE) -> Count:
    """Every cell of the quantizer, by integration: bits and d are right to 1e-6 (measured at gains from 0.03 to 12).

    Args:
        a: 2×2, y = a·x; c: covariance of x.
    Raises:
        CcaError: not 2×2, not finite, a direction of length zero, or c not positive definite.
    """
    a, c = np.asarray(a, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if a.shape != (2, 2) or c.shape != (2, 2) or not (np.isfinite(a).all() and np.isfinite(c).all()):
        raise CcaError("toy: A and C are finite 2×2 matrices")
    if not (np.allclose(c, c.T) and (np.linalg.eigvalsh(c) > 0).all() and (np.abs(a).sum(axis=1) > 0).all()):
        raise CcaError("toy: C is symmetric and positive definite, and no row of A is zero")
    s = a @ c @ a.T  # covariance of y
    s1, s2 = math.sqrt(s[0, 0]), math.sqrt(s[1, 1])
    first, second = (np.arange(-n, n + 1) for n in (math.ceil(REACH * s1), math.ceil(REACH * s2)))
    edges = np.append(second - 0.5, second[-1] + 0.5)
    slope = s[0, 1] / s[0, 0]
    det, root = np.linalg.det(a), math.sqrt(np.linalg.det(c))
    spread = max(abs(det) * root / s1, SMALLEST)  # of y₂ given y₁
    bounds = pieces(s1, slope, spread, first, edges)
    cell = np.floor((bounds[1:] + bounds[:-1]) / 2 + 0.5).astype(int) - first[0]  # that a piece belongs to
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    p, m1, mz = (np.zeros((len(first), len(second))) for _ in range(3))  # probability, and moments of y₁ and of z
    block = max(BLOCK // (NODES * len(edges)), 1)
    for at in range(0, len(cell), block):
        half = np.diff(bounds[at : at + block + 1])[:, None] / 2
        y1 = bounds[at : at + len(half), None] + half * (1 + nodes)  # pieces×nodes
        mass = half * weights * np.exp(-0.5 * (y1 / s1) ** 2) / (s1 * math.sqrt(2 * math.pi))
        middle = np.sort(slope * y1[[0, -1], [0, -1]])
        left, right = np.searchsorted(edges, middle + 8 * spread * np.array([-1, 1]))  # edges beyond are never crossed
        left, right = max(left - 1, 0), min(right, len(second))
        z = (edges[left : right + 1] - slope * y1[..., None]) / spread  # pieces×nodes×edges; y₂ = slope y₁ + spread z
        inside, bell = np.diff(ndtr(z)), np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)  # P(cell of y₂ | y₁)
        there = cell[at : at + len(half)], slice(left, right)
        np.add.at(p, there, np.einsum("in,inj->ij", mass, inside))
        np.add.at(m1, there, np.einsum("in,inj->ij", mass * y1, inside))
        np.add.at(mz, there, -np.diff(np.einsum("in,inj->ij", mass, bell)))
    total = p.sum()
    # the decoder's conditional mean: x is linear in y₁ and z, and z hardly ever tells anything where y₂ is a copy
    across = math.copysign(root / s1, det) * np.array([-a[0, 1], a[0, 0]])
    x_hat = np.multiply.outer(c @ a[0] / s[0, 0], m1) + np.multiply.outer(across, mz)
    kept = np.divide(x_hat**2, p, out=np.zeros_like(x_hat), where=p > 1e-300).sum() / total
    p = p / total
    r1, r2 = entropy(p.sum(axis=1)), entropy(p.sum(axis=0))
    return Count(p, first, second, r1, r2, entropy(p.ravel()) - r1, max(float(np.trace(c) - kept) / 2, 0.0))


def pieces(s1: float, slope: float, spread: float, first: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bounds along y₁ of pieces smooth enough for a few nodes.

    Whole cells aren't: a short arrow has all its mass within one, and the closer y₂ is to a copy of y₁, the more
    abruptly P(cell of y₂ | y₁) changes (12 nodes in each cell were wrong by up to 2 bits).
    """
    reach = REACH * s1
    width = spread / max(abs(slope), 1e-12)  # of y₁, over which y₂ crosses an edge
    bounds = [first[:-1] + 0.5, np.linspace(-reach, reach, 7)]
    if width < min(s1, 0.5):  # narrower pieces, everywhere or around the edges only, whichever are fewer
        everywhere = math.ceil(reach / width) + 1
        if everywhere < 7 * len(edges):
            bounds.append(np.linspace(-reach, reach, everywhere))
        else:
            bounds.append(np.add.outer(edges / slope, width * np.array([-6, -3, -1, 0, 1, 3, 6])).ravel())
    return np.unique(np.clip(np.concatenate(bounds), -reach, reach))


# ---- what high-rate theory says ------------------------------------------------------------------------------------


def variances(c: np.ndarray = SOURCE) -> tuple[float, float]:
    """KLT variances λ₁ ≥ λ₂."""
    low, high = np.linalg.eigvalsh(c)
    return float(high), float(low)


def rotation_gain(phi: float, c: np.ndarray = SOURCE) -> float:
    """I(φ) in bits at a fine step, both directions turned by φ from the KLT: ½ log₂(1 + (λ₁−λ₂)² sin²2φ / 4λ₁λ₂)."""
    a, b = variances(c)
    return 0.5 * math.log2(1 + (a - b) ** 2 * math.sin(2 * phi) ** 2 / (4 * a * b))


def scissors_angle(alpha: float, c: np.ndarray = SOURCE) -> float:
    """The angle δ between two directions of equal gain at which rate − α·gain is smallest at a fine step, in radians.

    cos δ = [−(1−α)m + √((1−α)²m² + 4αd²)] / 2d with m, d = (λ₁ ± λ₂)/2: π/2 at α = 0, falling to 0 at α = 1.
    """
    if not 0 <= alpha <= 1:
        raise CcaError(f"toy: alpha is from 0 to 1, not {alpha}")
    m, d = _half_sum(c)
    b = (1 - alpha) * m
    return math.acos(min((-b + math.sqrt(b * b + 4 * alpha * d * d)) / (2 * d), 1.0))


def scissors_cost(delta: float) -> float:
    """Bits that closing the directions to δ costs at the same distortion: −log₂ sin δ."""
    return -math.log2(math.sin(delta))


def scissors_gain(delta: float, c: np.ndarray = SOURCE) -> float:
    """I in bits between directions δ apart, evenly around the first axis: log₂((m + d cos δ) / (√(λ₁λ₂) sin δ))."""
    m, d = _half_sum(c)
    a, b = variances(c)
    return math.log2((m + d * math.cos(delta)) / (math.sqrt(a * b) * math.sin(delta)))


def _half_sum(c: np.ndarray) -> tuple[float, float]:
    a, b = variances(c)
    return (a + b) / 2, (a - b) / 2
