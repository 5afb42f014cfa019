"""The toy of `ccalib.lessons.toy`, trained: several seeds at once, in seconds, by the losses of the real codec.

A is free; the decoder is linear; the entropy models are normal distributions whose parameters are learned: p(ŷ₁),
p(ŷ₂|ŷ₁) with a mean that is a multiple of ŷ₁, and the auxiliary p(ŷ₂). Likelihoods see noise, readers see
straight-through rounding, and the losses are those of `ccalib.training.losses`: honest, R + λD + α(R_y − R_aux), while
the auxiliary model learns R_aux on its own; released, λ₀D + βR + (R_y − R_aux) + Σ p_aux(−log₂ p_fact), one optimizer
over everything, divided by 1 + β, with λ₀ = (1 + β)λ.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math

import numpy as np
import torch
from torch import Tensor, nn

from ccalib.errors import CcaError
from ccalib.lessons.toy import SOURCE, Count, count
from ccalib.model.layers import ste_round

POINTS = 1024  # samples a step and seed
RATE = 0.02
FLOOR = 1e-9  # no likelihood is smaller, as in the real codec: 29.9 bits


@dataclasses.dataclass(frozen=True, eq=False)
class Path:
    """One seed's way: `steps`, A at each (n×2×2), and what its own models charge there, in bits (n each)."""

    steps: np.ndarray
    a: np.ndarray
    r1: np.ndarray
    r2_given_1: np.ndarray
    r2: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """R_aux − R_y by the trained models: the exact gain, plus the auxiliary model's fine, minus the main one's."""
        return self.r2 - self.r2_given_1

    def exact(self, at: int = -1) -> Count:
        """What an ideal coder would charge for the same cells."""
        return count(self.a[at])

    def angles(self, at: int = -1) -> tuple[float, float]:
        """Degrees of both directions from the first KLT axis, in (−90, 90]."""
        degrees = np.degrees(np.arctan2(self.a[at, :, 1], self.a[at, :, 0])) - 45
        return tuple(float(90 - (90 - d) % 180) for d in degrees)

    def opening(self, at: int = -1) -> float:
        """Degrees between the two directions, 0 … 90."""
        first, second = self.angles(at)
        return min(abs(first - second), 180 - abs(first - second))


class Toys(nn.Module):
    """S seeds' toys side by side: every parameter has S rows."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        seeds = len(start)
        self.a = nn.Parameter(start.clone())  # S×2×2
        self.b = nn.Parameter(torch.linalg.inv(start))
        y = start @ torch.tensor(SOURCE, dtype=start.dtype) @ start.transpose(1, 2)  # covariance of y
        self.log_scale = nn.Parameter(0.5 * torch.stack([y[:, 0, 0], y[:, 1, 1]], dim=1).log())  # of p(ŷ₁), p(ŷ₂|ŷ₁)
        self.slope = nn.Parameter(torch.zeros(seeds))
        self.aux_log_scale = nn.Parameter(0.5 * y[:, 1, 1].log())

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bits R₁, R₂|₁, R₂ and distortion (a mean over the scalars) per seed; x and noise: S×n×2."""
        y = x @ self.a.transpose(1, 2)
        y_hat = ste_round(y)
        noisy, scale = y + noise, self.log_scale.exp()
        r1 = bits(noisy[..., 0], 0.0, scale[:, :1])
        r2_given_1 = bits(noisy[..., 1], self.slope[:, None] * y_hat[..., 0], scale[:, 1:])
        self.y, self.noisy = y, noisy
        r2 = bits(noisy[..., 1], 0.0, self.aux_log_scale.detach().exp()[:, None])  # the codec sees it fixed
        d = (x - y_hat @ self.b.transpose(1, 2)).square().mean(dim=(1, 2))
        return r1, r2_given_1, r2, d

    def own(self) -> Tensor:
        """R₂ as the auxiliary model minimizes it: the codec gets no gradient."""
        return bits(self.noisy[..., 1].detach(), 0.0, self.aux_log_scale.exp()[:, None])


class ReleasedToys(Toys):
    """With the auxiliary model of the authors' program: a model of ŷ₁, too, and no optimizer of its own."""

    def __init__(self, start: Tensor) -> None:
        super().__init__(start)
        self.aux_mean = nn.Parameter(torch.zeros(len(start), 2))
        self.aux_log_scales = nn.Parameter(torch.stack([self.log_scale[:, 0], self.aux_log_scale], dim=1).detach())
        self.factorized = nn.Parameter(self.aux_log_scales.detach().clone())

    def auxiliary(self) -> tuple[Tensor, Tensor]:
        """R_aux of both scalars, and Σ p_aux(−log₂ p_fact), per seed."""
        rate, cross = 0.0, 0.0
        for i in (0, 1):
            value = self.noisy[..., i]
            p = mass(value, self.aux_mean[:, i, None], self.aux_log_scales[:, i, None].exp())
            p_fact = mass(value, 0.0, self.factorized[:, i, None].exp())
            rate = rate - torch.log2(p).mean(dim=1)
            cross = cross + (p * -torch.log2(p_fact)).mean(dim=1)
        return rate, cross


def mass(value: Tensor, mean: Tensor | float, scale: Tensor) -> Tensor:
    """A normal distribution's mass over the unit interval around each value, at least `FLOOR` (no gradient there)."""
    from_mean = (value - mean).abs()
    upper, lower = (torch.special.ndtr((side - from_mean) / scale) for side in (0.5, -0.5))
    return (upper - lower).clamp(min=FLOOR)


def bits(value: Tensor, mean: Tensor | float, scale: Tensor) -> Tensor:
    """−log₂ of `mass`: S×n → S, means."""
    return -torch.log2(mass(value, mean, scale)).mean(dim=1)


@contextlib.contextmanager
def one_thread():
    """Tensors this small are slower with more: the threads wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def train(
    alpha: float, lam: float, seeds: int = 5, steps: int = 1500, every: int = 50, off: float = 0.2,
    beta: float | None = None,
) -> list[Path]:  # fmt: skip
    """Train `seeds` toys.

    Args:
        alpha: weight of the CCA term; 0 is the plain codec.
        beta: train by the released loss with this β instead; then a path's `r2` is all of R_aux less its own `r1`.
        lam: λ of R + λD, R in bits for both scalars and D the squared error of x.
        off: radians that a seed's start may lie off the KLT (there dI/dφ = 0, and nothing would move).
    Raises:
        CcaError: alpha not in [0, 1), or a loss that isn't finite.
    """
    if not 0 <= alpha < 1:
        raise CcaError(f"toy: alpha is at least 0 and less than 1, not {alpha}")
    generator = torch.Generator().manual_seed(0)
    turn = math.pi / 4 + off * (2 * torch.rand(seeds, 1, generator=generator) - 1)
    angle = torch.cat([turn, turn + math.pi / 2], dim=1)
    gain = math.sqrt(2 * math.log(2) * lam / 6)  # of the fine step at which R + λD is smallest: D = Δ²/12
    toys = (Toys if beta is None else ReleasedToys)(gain * torch.stack([angle.cos(), angle.sin()], dim=2))
    optimizer = torch.optim.Adam(toys.parameters(), lr=RATE)
    root = torch.tensor(np.linalg.cholesky(SOURCE), dtype=torch.float32)
    kept: dict[str, list] = {"steps": [], "a": [], "r1": [], "r2_given_1": [], "r2": []}
    for step in range(steps + 1):
        x = torch.randn(seeds, POINTS, 2, generator=generator) @ root.T
        noise = torch.rand(x.shape, generator=generator) - 0.5
        r1, r2_given_1, r2, d = toys(x, noise)
        if beta is None:
            loss = r1 + r2_given_1 + lam * d + alpha * (r2_given_1 - r2) + toys.own()
        else:
            rate_aux, cross = toys.auxiliary()
            rate, r2 = r1 + r2_given_1, rate_aux - r1
            loss = lam * d + (beta * rate + (rate - rate_aux) + cross) / (1 + beta)
        if not torch.isfinite(loss).all():
            raise CcaError(f"toy: the loss is not finite at step {step} (alpha {alpha}, lambda {lam})")
        if step % every == 0:
            now = {"steps": torch.full((seeds,), step), "a": toys.a, "r1": r1, "r2_given_1": r2_given_1, "r2": r2}
            for name, values in now.items():
                kept[name].append(values.detach().clone().numpy())
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - step / (steps + 1)))
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    columns = {name: np.stack(values) for name, values in kept.items()}
    return [Path(**{name: values[:, s] for name, values in columns.items()}) for s in range(seeds)]
