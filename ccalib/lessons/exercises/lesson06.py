"""Checks of lesson 06: the schedule of group sizes, and what the contexts of a schedule cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ccalib.evaluation.complexity import count_macs
from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong
from ccalib.lessons.schedules import CELL, head_macs
from ccalib.model import groups
from ccalib.model.context import SharedContext
from ccalib.model.presets import PAPER, SMALL, TINY

# ---- group_sizes(M, G, k) -> sizes ----------------------------------------------------------------------------------

RELEASED = [(p.latent, p.groups, p.k) for p in (PAPER, SMALL, TINY)]
Schedule = tuple[int, int, float]


def draw_schedule(rng: np.random.Generator) -> Schedule:
    """A schedule whose formula leaves no group below two channels."""
    while True:
        channels, count = int(rng.integers(40, 400)), int(rng.integers(2, 9))
        k = float(rng.integers(31)) / 10
        sizes = plain_sizes(channels, count, k)
        if min(sizes) >= groups.SMALLEST_GROUP and sizes[-1] > sizes[-2]:
            return channels, count, k


def draw_released(rng: np.random.Generator) -> Schedule:
    return RELEASED[int(rng.integers(len(RELEASED)))]


def draw_empty(rng: np.random.Generator) -> Schedule:
    """A schedule whose first group would be empty; now and then one that is just possible."""
    while True:
        channels, count = int(rng.integers(4, 60)), int(rng.integers(3, 9))
        k = float(rng.integers(5, 40)) / 10
        first = plain_sizes(channels, count, k)[0]
        if first == 0 or (first == 1 and rng.random() < 0.5):
            return channels, count, k


def plain_sizes(channels: int, count: int, k: float) -> tuple[int, ...]:
    """The formula alone."""
    total = sum(i**k for i in range(1, count + 1))
    sizes = [int(channels * i**k / total) for i in range(1, count)]
    return (*sizes, channels - sum(sizes))


def _sizes(answer: Answer, channels: int, count: int, k: float) -> tuple[int, ...]:
    result = answer[0](channels, count, k)
    try:
        values = list(result)
        if any(int(v) != v for v in values):
            raise Wrong(f"{values}: channels are whole numbers")
        return tuple(int(v) for v in values)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not {count} whole numbers") from error


def _schedule(channels: int, count: int, k: float) -> str:
    return f"M = {channels}, G = {count}, k = {k:g}"


def sums_to_channels(answer: Answer, channels: int, count: int, k: float) -> None:
    sizes = _sizes(answer, channels, count, k)
    if len(sizes) != count or sum(sizes) != channels:
        raise Wrong(f"{list(sizes)}: {len(sizes)} groups, {sum(sizes)} channels")


def never_falls(answer: Answer, channels: int, count: int, k: float) -> None:
    sizes = _sizes(answer, channels, count, k)
    if len(sizes) != count or list(sizes) != sorted(sizes):
        raise Wrong(f"{list(sizes)}")


def as_formula(answer: Answer, channels: int, count: int, k: float) -> None:
    sizes, wanted = _sizes(answer, channels, count, k), plain_sizes(channels, count, k)
    if sizes != wanted:
        raise Wrong(f"{list(sizes)}, not {list(wanted)}")


def refuses_empty(answer: Answer, channels: int, count: int, k: float) -> None:
    """A ValueError where the formula leaves a group without a channel, and no error elsewhere."""
    empty = min(plain_sizes(channels, count, k)) < 1
    try:
        result = answer[0](channels, count, k)
    except Wrong as wrong:
        if not str(wrong).startswith("ValueError"):
            raise
        if not empty:
            raise Wrong(f"{wrong}, but no group is empty: {list(plain_sizes(channels, count, k))}") from wrong
        return
    if empty:
        raise Wrong(f"{result!r}, and no ValueError")


def _gives(wrong: Callable[..., tuple[int, ...]]) -> Callable:
    """Whether the answer is this wrong one and not the right one."""

    def made(answer: Answer, channels: int, count: int, k: float) -> bool:
        found = tuple(int(v) for v in answer[0](channels, count, k))
        return found == wrong(channels, count, k) != plain_sizes(channels, count, k)

    return made


def floored(channels: int, count: int, k: float) -> tuple[int, ...]:
    """Every size rounded down, the last too: some channels are lost."""
    total = sum(i**k for i in range(1, count + 1))
    return tuple(int(channels * i**k / total) for i in range(1, count + 1))


def from_zero(channels: int, count: int, k: float) -> tuple[int, ...]:
    """i counted from 0."""
    total = sum(i**k for i in range(count))
    sizes = [int(channels * i**k / total) for i in range(count - 1)]
    return (*sizes, channels - sum(sizes))


def _is_silent(answer: Answer, channels: int, count: int, k: float) -> bool:
    """Whether an empty group came back without an error."""
    return min(plain_sizes(channels, count, k)) < 1 and answer[0](channels, count, k) is not None


GROUP_SIZES = Exercise(
    "group_sizes",
    _schedule,
    {
        "sum": Property("as many sizes as groups, and their sum is M", draw_schedule, sums_to_channels),
        "released sizes": Property("the sizes of the paper, of `small` and of `tiny`", draw_released, as_formula, 6),
        "order": Property("sizes never fall from a group to the next", draw_schedule, never_falls),
        "empty group": Property("a ValueError exactly if a group would have no channel", draw_empty, refuses_empty),
    },
    (
        Mistake(
            "Every size is rounded down, and some channels belong to no group. The last group gets what is left.",
            _gives(floored),
        ),
        Mistake(
            "You count groups from 0, so the first has 0ᵏ = 0 of the channels. In the formula i goes from 1 to G.",
            _gives(from_zero),
        ),
        Mistake(
            "A group without channels has nothing to decode: raise a ValueError before returning such sizes.",
            _is_silent,
        ),
    ),
)  # fmt: skip

# ---- context_kmac(sizes) -> kMAC a pixel of each group --------------------------------------------------------------

SIDE = 4  # rows and columns of the latent that the hooks count on


def draw_sizes(rng: np.random.Generator) -> tuple[list[int]]:
    """Group sizes in any order, not only rising."""
    return ([int(n) for n in rng.integers(2, 60, int(rng.integers(2, 7)))],)


def draw_alone(rng: np.random.Generator) -> tuple[list[int]]:
    return ([int(rng.integers(2, 200))],)


def hooked_kmac(sizes: list[int]) -> np.ndarray:
    """What hooks count on `small`'s real contexts for these sizes: thousands of multiplications a pixel."""
    seen = [sum(sizes[:i]) for i in range(len(sizes))]
    contexts = {str(i): SharedContext(SMALL, s, size, True).eval() for i, (s, size) in enumerate(zip(seen, sizes))}
    like = lambda channels: torch.zeros(1, channels, SIDE, SIDE)

    def run() -> None:
        for i, context in enumerate(contexts.values()):
            _, _, features = context((like(SMALL.hyper_out),) * 2, [like(size) for size in sizes[:i]])
            context.residual(features, like(sizes[i]))

    with torch.inference_mode():
        counted = count_macs(contexts, run)
    return np.array([counted[name] / SIDE**2 / CELL / 1000 for name in contexts])


def _kmac(answer: Answer, sizes: list[int]) -> np.ndarray:
    result = answer[0](list(sizes))
    try:
        found = np.array([float(v) for v in result])
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not {len(sizes)} numbers") from error
    if len(found) != len(sizes):
        raise Wrong(f"{len(found)} numbers for {len(sizes)} groups")
    return found


def as_hooks(answer: Answer, sizes: list[int]) -> None:
    found, wanted = _kmac(answer, sizes), hooked_kmac(sizes)
    for i, (a, b) in enumerate(zip(found, wanted)):
        if not np.isclose(a, b, rtol=1e-6):
            raise Wrong(f"g{i + 1}: {a:.4f} kMAC a pixel; the hooks count {b:.4f}")


def reads_more(answer: Answer, sizes: list[int]) -> None:
    """Two channels moved from the second group to the first: the later groups read as much as before."""
    moved = [sizes[0] + 2, max(sizes[1] - 2, 1), *sizes[2:]]
    before, after = _kmac(answer, sizes), _kmac(answer, moved)
    wanted = hooked_kmac(moved) - hooked_kmac(sizes)
    if not np.allclose(after - before, wanted, atol=1e-6):
        texts = (", ".join(f"{v:+.4f}" for v in change) for change in (after - before, wanted))
        raise Wrong("groups change by {} kMAC a pixel, not {}".format(*texts))


def _formula(residual: bool = True, reads: bool = True, cell: int = CELL) -> Callable[[list[int]], np.ndarray]:
    """The solution with a mistake switched on."""
    width, hidden = SMALL.context_width, SMALL.head_widths

    def formula(sizes: list[int]) -> np.ndarray:
        found = []
        for i, size in enumerate(sizes):
            r = SMALL.hyper_out + (sum(sizes[:i]) if reads else 0)
            macs = r * width + SMALL.context_blocks * 10 * width**2 + head_macs(width, hidden, 2 * size)
            found.append(macs + (head_macs(width + size, hidden, size) if residual else 0))
        return np.array(found) / cell / 1000

    return formula


def _counts(wrong: Callable[[list[int]], np.ndarray]) -> Callable:
    right = _formula()

    def made(answer: Answer, sizes: list[int]) -> bool:
        found = _kmac(answer, sizes)
        off = ~np.isclose(found, right(sizes))
        return bool(off.any() and np.isclose(found, wrong(sizes)).all())

    return made


CONTEXT_KMAC = Exercise(
    "context_kmac",
    lambda sizes: f"groups of {', '.join(map(str, sizes))} channels",
    {
        "one group": Property("a single group costs what hooks count on it", draw_alone, as_hooks, 5),
        "hooks": Property("each group costs what hooks count on the real network", draw_sizes, as_hooks, 5),
        "earlier groups": Property("a channel that moves forward is read by one group more", draw_sizes, reads_more, 5),
    },
    (
        Mistake(
            "The residual's head is missing: it reads the trunk and the s rounded channels, and gives s.",
            _counts(_formula(residual=False)),
        ),
        Mistake(
            "The first layer reads all earlier groups beside the 128 channels of the hyper output, not these alone.",
            _counts(_formula(reads=False)),
        ),
        Mistake(
            "These are multiplications for each position of the latent. A position stands for 16×16 pixels.",
            _counts(_formula(cell=1)),
        ),
    ),
)  # fmt: skip

EXERCISES = {one.name: one for one in (GROUP_SIZES, CONTEXT_KMAC)}
