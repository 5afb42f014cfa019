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
NODES, REACH = 12, 6.0  # nodes in a cell; standard deviations beyond which nothing is counted
SMALLEST = 1e-6  # standard deviation of y₂ given y₁ that an exact copy is taken for


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
    return float(-(p * np.log2(p)).sum())


def arrows(angles: tuple[float, float], gains: tuple[float, float]) -> np.ndarray:
    """A from two directions (radians from the first KLT axis, which lies at 45°) and their gains."""
    turned = np.add(angles, math.pi / 4)
    return np.asarray(gains)[:, None] * np.stack([np.cos(turned), np.sin(turned)], axis=1)


def count(a: np.ndarray, c: np.ndarray = SOURCE) -> Count:
    """Every cell of the quantizer, by integration.

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
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    # nodes only where y₁ has its mass: at a small gain that is a fraction of the one cell there is
    low, high = np.maximum(first - 0.5, -REACH * s1), np.minimum(first + 0.5, REACH * s1)
    half = np.maximum(high - low, 0.0)[:, None] / 2
    y1 = (low + high)[:, None] / 2 + half * nodes  # n₁×nodes
    mass = half * weights * np.exp(-0.5 * (y1 / s1) ** 2) / (s1 * math.sqrt(2 * math.pi))
    slope = s[0, 1] / s[0, 0]
    spread = max(math.sqrt(max(s[1, 1] - slope * s[0, 1], 0.0)), SMALLEST)  # of y₂ given y₁
    edges = np.append(second - 0.5, second[-1] + 0.5)
    t = (edges - slope * y1[..., None]) / spread  # n₁×nodes×(n₂+1)
    inside = np.diff(ndtr(t))  # P(cell of y₂ | y₁)
    bell = np.exp(-0.5 * t**2) / math.sqrt(2 * math.pi)
    p = np.einsum("in,inj->ij", mass, inside)
    total = p.sum()
    # moments of y over each cell, for the decoder's conditional mean
    m1 = np.einsum("in,inj->ij", mass * y1, inside)
    m2 = np.einsum("in,inj->ij", mass, slope * y1[..., None] * inside - spread * np.diff(bell))
    back = np.linalg.pinv(a) if abs(np.linalg.det(a)) > 1e-9 else None
    if back is None:  # a copy: x given y is the regression on y₁
        x_hat = (c @ a[0] / s[0, 0])[:, None, None] * m1
    else:
        x_hat = np.einsum("xy,yij->xij", back, np.stack([m1, m2]))
    kept = np.divide(x_hat**2, p, out=np.zeros_like(x_hat), where=p > 1e-300).sum() / total
    p = p / total
    r1, r2 = entropy(p.sum(axis=1)), entropy(p.sum(axis=0))
    return Count(p, first, second, r1, r2, entropy(p.ravel()) - r1, max(float(np.trace(c) - kept) / 2, 0.0))


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
