"""Checks of lesson 09: the work of a stack of convolutions, and a sum that does not depend on its order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from ccalib.evaluation.complexity import count_macs
from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong

# ---- kmac(layers) -> thousands of multiply–accumulates for each pixel -----------------------------------------------

Layer = tuple[str, int, int, int, int, int]  # kind, inputs, outputs, kernel, stride, groups
SIDE = 96  # of the images that hooks see; every stack's strides divide it


def module_of(layer: Layer) -> nn.Module:
    """The real layer, padded so that a stride divides (or multiplies) the sides exactly."""
    kind, inputs, outputs, kernel, stride, groups = layer
    if kind == "conv":
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride, kernel // 2, stride - 1, groups=groups)


@functools.lru_cache(maxsize=256)
def hooked(layers: tuple[Layer, ...]) -> float:
    """What a hook on each real layer counts."""
    net = nn.Sequential(*map(module_of, layers)).to("meta")  # shapes are enough
    counted = count_macs({"all": net}, lambda: net(torch.zeros(1, layers[0][1], SIDE, SIDE, device="meta")))
    return counted["all"] / SIDE**2 / 1000


def _stack(*options: str) -> Callable:
    """Draws stacks of two to five layers; `options` says what may occur: strides, groups, transposed."""

    def draw(rng: np.random.Generator) -> tuple[tuple[Layer, ...]]:
        layers, channels, shrunk = [], 3, 1
        for _ in range(int(rng.integers(2, 6))):
            kind, stride, groups = "conv", 1, 1
            outputs = int(rng.choice([6, 12, 18, 24, 36, 48]))
            if "strides" in options and shrunk < 8 and rng.random() < 0.6:
                stride = 2
            if "transposed" in options and shrunk > 1 and rng.random() < 0.6:
                kind, stride = "transposed", 2
            elif "groups" in options and rng.random() < 0.6:
                outputs = channels * int(rng.integers(1, 3))
                groups = channels if rng.random() < 0.7 or channels % 3 else 3
            layers.append((kind, channels, outputs, int(rng.choice([1, 3, 5])), stride, groups))
            shrunk = shrunk // stride if kind == "transposed" else shrunk * stride
            channels = outputs
        return (tuple(layers),)

    return draw


def draw_mirror(rng: np.random.Generator) -> tuple[tuple[Layer, ...]]:
    """A stack that halves the sides two or three times, and its mirror of transposed convolutions."""
    widths = [3, *(int(w) for w in rng.choice([6, 12, 24, 36], int(rng.integers(2, 4))))]
    down = [("conv", a, b, 5, 2, 1) for a, b in zip(widths, widths[1:])]
    return (tuple([*down, *(("transposed", b, a, 5, 2, 1) for _, a, b, *_ in reversed(down))]),)


def _number(answer: Answer, layers: tuple[Layer, ...]) -> float:
    result = answer[0]([*layers])
    try:
        value = float(result)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not a number") from error
    return value


def _layers(layers: tuple[Layer, ...]) -> str:
    return "; ".join(
        f"{kind} {kernel}×{kernel}, {inputs} to {outputs}"
        + (f", stride {stride}" if stride > 1 else "")
        + (f", {groups} groups" if groups > 1 else "")
        for kind, inputs, outputs, kernel, stride, groups in layers
    )


def equals_hooks(answer: Answer, layers: tuple[Layer, ...]) -> None:
    found, wanted = _number(answer, layers), hooked(layers)
    if not math.isclose(found, wanted, rel_tol=1e-9):
        raise Wrong(f"{found:,.4f}, not {wanted:,.4f}")


def mirrored(answer: Answer, layers: tuple[Layer, ...]) -> None:
    half = len(layers) // 2
    found, first = _number(answer, layers), _number(answer, layers[:half])
    if not math.isclose(found, 2 * first, rel_tol=1e-9):
        raise Wrong(f"{found:,.4f} for both halves, {first:,.4f} for the first alone")
    equals_hooks(answer, layers)


def counted_as(layers: Sequence[Layer], shrink: bool = True, grouped: bool = True, outputs_seen: bool = False) -> float:
    """The count, with a mistake switched on."""
    total, shrunk = 0.0, 1.0
    for kind, inputs, outputs, kernel, stride, groups in layers:
        after = shrunk / stride if kind == "transposed" else shrunk * stride
        at = after if kind == "conv" or outputs_seen else shrunk
        weights = kernel**2 * inputs * outputs / (groups if grouped else 1)
        total += weights / ((at if shrink else 1) ** 2)
        shrunk = after
    return total / 1000


def _is(**mistake: bool) -> Callable:
    """Whether the answer is the count with this mistake and not the right one."""

    def made(answer: Answer, layers: tuple[Layer, ...]) -> bool:
        wrong, right = counted_as(layers, **mistake), counted_as(layers)
        found = float(answer[0]([*layers]))
        return math.isclose(found, wrong, rel_tol=1e-9) and not math.isclose(wrong, right, rel_tol=1e-9)

    return made


KMAC = Exercise(
    "kmac",
    _layers,
    {
        "strides": Property("what a hook on each layer counts", _stack("strides"), equals_hooks),
        "groups": Property("what a hook on each layer counts", _stack("strides", "groups"), equals_hooks),
        "transposed": Property("what a hook counts", _stack("strides", "groups", "transposed"), equals_hooks),
        "mirror": Property("a stack and its mirror: twice the work of the stack", draw_mirror, mirrored),
    },
    (
        Mistake(
            "Every layer counts as if it saw the whole photograph. After a stride of 2 a layer has a quarter of the "
            "positions.",
            _is(shrink=False),
        ),
        Mistake(
            "With groups, an output channel reads only inputs/groups channels. A depthwise convolution reads one.",
            _is(grouped=False),
        ),
        Mistake(
            "You count a transposed convolution at its outputs. Each of its *inputs* meets each weight once; between "
            "inputs there are only zeros.",
            _is(outputs_seen=True),
        ),
    ),
)  # fmt: skip

# ---- grid_sum(values, step) -> float --------------------------------------------------------------------------------

Numbers = tuple[np.ndarray, float]
ROOM = 2**53  # whole numbers up to here are exact in a 64-bit float


def draw_values(rng: np.random.Generator) -> Numbers:
    """Numbers of very different sizes and both signs, and a step that is a power of two."""
    step = 2.0 ** -int(rng.integers(4, 12))
    count = int(rng.integers(50, 400))
    return rng.standard_normal(count) * 10.0 ** rng.uniform(-4, 4, count), step


def draw_crowded(rng: np.random.Generator) -> Numbers:
    """Numbers of which some are so large that the sum may not be exact in every order, or just may be."""
    values, step = draw_values(rng)
    share = rng.choice([0.2, 0.9, 1.1, 3.0]) * ROOM * step  # of the room that there is
    big = rng.uniform(0.1, 0.4) * share
    values[:4] = [big, -big, share / 2 - big, -(share / 2 - big)]  # they cancel, but not in every order
    return rng.permutation(values), step


def steps_of(values: np.ndarray, step: float) -> list[int]:
    """Each value as a whole number of steps."""
    return [round(v / step) for v in values.tolist()]


def _sum(answer: Answer, values: np.ndarray, step: float) -> float:
    result = answer[0](values.copy(), step)
    try:
        return float(result)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not a number") from error


def _fits(values: np.ndarray, step: float) -> bool:
    return sum(map(abs, steps_of(values, step))) <= ROOM


def _numbers(values: np.ndarray, step: float) -> str:
    return f"{len(values)} numbers from {values.min():.3g} to {values.max():.3g}, step {step:g}"


def any_order(answer: Answer, values: np.ndarray, step: float) -> None:
    rng, first = np.random.default_rng(len(values)), _sum(answer, values, step)
    for _ in range(8):
        again = _sum(answer, rng.permutation(values), step)
        if again != first:
            raise Wrong(f"{first!r} in one order, {again!r} in another")
    if first == 0 and sum(steps_of(values, step)):
        raise Wrong("0 in every order, and the rounded values don't add up to that")


def on_the_grid(answer: Answer, values: np.ndarray, step: float) -> None:
    found, wanted = _sum(answer, values, step), step * sum(steps_of(values, step))
    if found != wanted:
        raise Wrong(f"{found!r}, not {wanted!r}")


def near(answer: Answer, values: np.ndarray, step: float) -> None:
    found, allowed = _sum(answer, values, step), len(values) * step / 2
    error = abs(found - math.fsum(values))
    if error > allowed * (1 + 1e-9):
        raise Wrong(f"{error:.4g} from the true sum; {len(values)} roundings may add up to {allowed:.4g}")


def refuses(answer: Answer, values: np.ndarray, step: float) -> None:
    try:
        found = answer[0](values.copy(), step)
    except Wrong as wrong:
        if not str(wrong).startswith("ValueError"):
            raise
        if _fits(values, step):
            raise Wrong(f"{wrong}, but every order is exact here") from wrong
        return
    if not _fits(values, step):
        raise Wrong(f"{found!r}, and no ValueError")


def _steps_of_many(answer: Answer, part: float, step: float) -> float:
    """The student's sum of 64 values that are this part of a step, in steps."""
    return _sum(answer, np.full(64, part * step), step) / step


def _rounds_last(answer: Answer, values: np.ndarray, step: float) -> bool:
    return 57 < _steps_of_many(answer, 0.9, step) < 59  # 57.6, rounded or not; each rounded first: 64


def _cuts(answer: Answer, values: np.ndarray, step: float) -> bool:
    return _steps_of_many(answer, 0.9, step) == 0 or _steps_of_many(answer, 0.1, step) == 64


def _too_full(answer: Answer, values: np.ndarray, step: float) -> bool:
    return not _fits(values, step) and answer[0](values.copy(), step) is not None


GRID_SUM = Exercise(
    "grid_sum",
    _numbers,
    {
        "any order": Property("the same bits in every order", draw_values, any_order),
        "on the grid": Property("the sum of the rounded values, exactly", draw_values, on_the_grid),
        "error": Property("at most half a step of error for each value", draw_values, near),
        "too full": Property("a ValueError exactly if Σ|rounded value| is over 2⁵³ steps", draw_crowded, refuses),
    },
    (
        Mistake(
            "What counts is not how large the sum is. Large values may cancel in the end and be in the way before: "
            "refuse if the sum of *absolute* values is over 2⁵³ steps.",
            _too_full,
        ),
        Mistake(
            "The sum was taken in ordinary floats, and rounded after that or not at all. By then its order has left "
            "its mark. Round every value first.",
            _rounds_last,
        ),
        Mistake(
            "You cut where you should round: every value loses up to a whole step. `np.round` takes the nearest.",
            _cuts,
        ),
    ),
)  # fmt: skip

EXERCISES = {one.name: one for one in (KMAC, GRID_SUM)}
