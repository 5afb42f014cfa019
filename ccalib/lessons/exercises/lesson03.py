"""Checks of lesson 03: how many classes of blocks, and the bits of a latent under a Gaussian."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong

# ---- best_classes(tables) -> K, bits --------------------------------------------------------------------------------

Tables = list[np.ndarray]


def draw_tables(rng: np.random.Generator) -> tuple[Tables]:
    """Costs of 3 or 4 blocks of Gaussian numbers under 1, 2, 3 and 4 scales."""
    blocks = rng.standard_normal((int(rng.integers(3, 5)), 12)) * rng.choice([1, 4, 16], (1, 1))
    blocks *= np.exp(rng.normal(0, 1.3, (len(blocks), 1)))
    return ([_costs(blocks, np.geomspace(1, 20, k) if k > 1 else np.array([4.0])) for k in (1, 2, 3, 4)],)


def draw_one_class(rng: np.random.Generator) -> tuple[Tables]:
    """A single table with a single column."""
    return ([rng.uniform(5, 50, (int(rng.integers(2, 9)), 1))],)


def draw_same_classes(rng: np.random.Generator) -> tuple[Tables]:
    """Tables whose classes are all the same, so that labels buy nothing."""
    column = rng.uniform(5, 50, (int(rng.integers(2, 9)), 1))
    return ([np.tile(column, (1, k)) for k in (1, 2, 4)],)


def _costs(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Bits of each block (rows) under each scale (columns), at fine steps."""
    power = np.square(blocks).sum(axis=1, keepdims=True)
    return blocks.shape[1] * np.log2(scales * math.sqrt(2 * math.pi)) + power / (2 * scales**2 * math.log(2)) + 20


def brute_force(tables: Tables) -> tuple[int, float]:
    """Every table, and every way of giving labels to the blocks: the cheapest."""
    best = (0, math.inf)
    for table in tables:
        blocks, k = table.shape
        for labels in itertools.product(range(k), repeat=blocks):
            bits = sum(table[block, label] + math.log2(k) for block, label in enumerate(labels))
            best = min(best, (k, float(bits)), key=lambda pair: pair[1])
    return best


def _classes(answer: Answer, tables: Tables) -> tuple[int, float]:
    found = answer[0]([table.copy() for table in tables])
    try:
        k, bits = found
        return int(k), float(bits)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{found!r:.60}, not a pair (K, bits)") from error


def _tables(tables: Tables) -> str:
    sizes = ", ".join(str(table.shape[1]) for table in tables)
    first = np.round(tables[-1][0], 1)
    return f"{len(tables[0])} blocks; tables of {sizes} classes; block 0 in the last of them costs {first} bits"


def _same(answer: Answer, tables: Tables, wanted: tuple[int, float], why: str) -> None:
    k, bits = _classes(answer, tables)
    if k != wanted[0] or not math.isclose(bits, wanted[1], rel_tol=1e-9):
        raise Wrong(f"K = {k} and {bits:.3f} bits, not K = {wanted[0]} and {wanted[1]:.3f} ({why})")


def one_class(answer: Answer, tables: Tables) -> None:
    _same(answer, tables, (1, float(tables[0].sum())), "one class needs no label")


def same_classes(answer: Answer, tables: Tables) -> None:
    _same(answer, tables, (1, float(tables[0].sum())), "the other classes are the same, their labels cost bits")


def cheapest(answer: Answer, tables: Tables) -> None:
    _same(answer, tables, brute_force(tables), "the cheapest of all tables and labels")


def _totals(*totals: Callable[[np.ndarray], float]) -> Callable:
    """Whether the student's bits are the least that a table has by one of these counts."""

    def made(answer: Answer, tables: Tables) -> bool:
        found = _classes(answer, tables)[1]
        return any(math.isclose(found, min(map(total, tables)), rel_tol=1e-6) for total in totals)

    return made


BEST_CLASSES = Exercise(
    "best_classes",
    _tables,
    {
        "one class": Property("K = 1 is no side information: the sum of the costs", draw_one_class, one_class),
        "useless classes": Property("labels that buy nothing are not bought", draw_same_classes, same_classes),
        "brute force": Property("the best K and its bits, as found by trying all labels", draw_tables, cheapest),
    },
    (
        Mistake(
            "Labels are free here. The decoder has to be told the class of each block: log₂ K bits.",
            _totals(lambda table: table.min(axis=1).sum()),
        ),
        Mistake(
            "A label is paid for once here. Each block has a label of its own: log₂ K bits for every block.",
            _totals(lambda table: table.min(axis=1).sum() + math.log2(table.shape[1])),
        ),
        Mistake(
            "One class for all blocks: you took the minimum over sums. Each block takes the class that is cheapest "
            "for itself: first the minimum of each row, then the sum.",
            _totals(
                lambda table: table.sum(axis=0).min(),
                lambda table: table.sum(axis=0).min() + len(table) * math.log2(table.shape[1]),
            ),
        ),
    ),
)

# ---- bits(y, mean, scale) -> bits of each latent --------------------------------------------------------------------

Latents = tuple[Tensor, Tensor, Tensor]
FAR = 1e4


def draw_row(rng: np.random.Generator) -> Latents:
    """All whole numbers, shifted, within 40 scales of the mean: every value that a latent can have."""
    mean, scale = float(rng.normal(0, 5)), float(np.exp(rng.uniform(math.log(0.11), math.log(20))))
    reach = math.ceil(40 * scale + 3)
    y = round(mean) + rng.uniform() + torch.arange(-reach, reach + 1, dtype=torch.float64)
    return y, torch.full_like(y, mean), torch.full_like(y, scale)


def draw_pair(rng: np.random.Generator) -> Latents:
    """Two values, equally far below and above the mean."""
    mean, scale = float(rng.normal(0, 5)), float(np.exp(rng.uniform(math.log(0.3), math.log(20))))
    away = float(rng.uniform(0.2, 4)) * scale
    y = mean + torch.tensor([-away, away], dtype=torch.float64)
    return y, torch.full_like(y, mean), torch.full_like(y, scale)


def draw_wide(rng: np.random.Generator) -> Latents:
    """Values under scales so large that the density hardly changes within a cell."""
    scale = torch.from_numpy(rng.uniform(100, 1000, 4))
    mean = torch.from_numpy(rng.normal(0, 50, 4))
    return mean + scale * torch.from_numpy(rng.uniform(-2, 2, 4)), mean, scale


def draw_far(rng: np.random.Generator) -> Latents:
    """Two values 10⁴ below and above the mean, under scales around 1."""
    mean = torch.from_numpy(rng.normal(0, 5, 2))
    return mean + FAR * torch.tensor([-1.0, 1.0]), mean, torch.from_numpy(rng.uniform(0.2, 3, 2))


def density_bits(y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """−log₂ of the normal density: what bits become for a large scale."""
    return ((y - mean) / scale) ** 2 / (2 * math.log(2)) + torch.log2(scale * math.sqrt(2 * math.pi))


def exact_bits(y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """−log₂ of the normal distribution's mass between y − ½ and y + ½, right however far y is."""
    away = (y - mean).abs()
    upper, lower = (torch.special.log_ndtr((side - away) / scale) for side in (0.5, -0.5))
    return -(upper + torch.log(-torch.expm1(lower - upper))) / math.log(2)


def _row(answer: Answer, *latents: Tensor) -> Tensor:
    found = answer[0](*latents)
    if not isinstance(found, Tensor) or found.shape != latents[0].shape:
        what = f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise Wrong(f"{what}, not a tensor {tuple(latents[0].shape)}")
    return found


def _gradients(answer: Answer, y: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bits, and their gradients by y and by the scale."""
    y, scale = y.clone().requires_grad_(), scale.clone().requires_grad_()
    found = _row(answer, y, mean.clone(), scale)
    if not found.requires_grad:
        raise Wrong("a tensor without gradient: use torch only, and nothing that detaches")
    by = torch.autograd.grad(found.sum(), [y, scale], allow_unused=True)
    return found.detach(), *(torch.zeros_like(y) if g is None else g for g in by)


def _latents(y: Tensor, mean: Tensor, scale: Tensor) -> str:
    shown = ", ".join(f"{v:.3g}" for v in y[:4].tolist()) + (", …" if len(y) > 4 else "")
    return f"y = {shown}; mean {mean[0].item():.3g}, scale {scale[0].item():.3g}" + (" …" if len(y) == 4 else "")


def sums_to_one(answer: Answer, *latents: Tensor) -> None:
    total = torch.exp2(-_row(answer, *latents)).sum().item()
    if not abs(total - 1) < 1e-6:
        raise Wrong(f"probabilities of all these values that sum to {total:.6f}")


def symmetric(answer: Answer, *latents: Tensor) -> None:
    below, above = _row(answer, *latents).tolist()
    if not math.isclose(below, above, rel_tol=1e-6, abs_tol=1e-9):
        raise Wrong(f"{below:.4f} bits below the mean, {above:.4f} bits as far above it")


def like_density(answer: Answer, *latents: Tensor) -> None:
    found, wanted = _row(answer, *latents), density_bits(*latents)
    if not torch.allclose(found, wanted, rtol=0, atol=1e-3):
        raise Wrong(f"{found[0].item():.4f} bits; −log₂ of the density is {wanted[0].item():.4f}")


def far(answer: Answer, *latents: Tensor) -> None:
    names = ("bits", "gradient by y", "gradient by the scale")
    for name, found, wanted in zip(names, _gradients(answer, *latents), _gradients((exact_bits,), *latents)):
        if not torch.allclose(found, wanted, rtol=1e-3):
            raise Wrong(f"{name}: {found[0].item():.6g}, not {wanted[0].item():.6g}")


def _is(wrong: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable:
    """Whether the student's bits are these."""

    def made(answer: Answer, *latents: Tensor) -> bool:
        return torch.allclose(_row(answer, *latents).double(), wrong(*latents), rtol=1e-6, atol=1e-9)

    return made


def _underflow(answer: Answer, *latents: Tensor) -> bool:
    found, by_y, _ = _gradients(answer, *latents)
    away = (latents[0] - latents[1]).abs().min().item()
    return away >= FAR / 2 and not (found.isfinite().all() and by_y.isfinite().all() and (by_y != 0).all())


BITS = Exercise(
    "bits",
    _latents,
    {
        "sums to 1": Property("the probabilities of all values a latent can have sum to 1", draw_row, sums_to_one),
        "symmetric": Property("as many bits below the mean as above it", draw_pair, symmetric),
        "large scale": Property("−log₂ of the density, when the scale is large", draw_wide, like_density),
        "far away": Property("10⁴ from the mean, bits and gradients are still right", draw_far, far),
    },
    (
        Mistake(
            "These are nats: the natural logarithm. Divide by `math.log(2)`, or use `torch.log2`.",
            _is(lambda *latents: exact_bits(*latents) * math.log(2)),
        ),
        Mistake(
            "That is the density at y. A symbol stands for all of y − ½ … y + ½: the mass in it is a difference of two "
            "values of the cumulative distribution.",
            _is(density_bits),
        ),
        Mistake(
            "Out here the probability is 0 to a computer, and log 0 has no use (a clamp has no gradient). Take the "
            "logarithm of each cumulative value first (`torch.special.log_ndtr`), on the side of the smaller tail, "
            "then subtract: log(eᵃ − eᵇ) = a + log(−expm1(b − a)).",
            _underflow,
        ),
    ),
)

EXERCISES = {one.name: one for one in (BEST_CLASSES, BITS)}
