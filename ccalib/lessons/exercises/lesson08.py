"""Checks of lesson 08: the two figures of a set of photographs, and BD-rate."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from ccalib.evaluation import metrics
from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong

Points = list[tuple[float, float]]

# ---- figures_of_set(originals, decoded, files) -> bits per pixel, PSNR ----------------------------------------------


def draw_set(rng: np.random.Generator, photographs: int | None = None) -> tuple[list, list, list]:
    """Originals (H×W×3, 8 bits), what a network made of them (padded, 0 … 1 and a little beyond), and their files."""
    originals, decoded, files = [], [], []
    for _ in range(photographs or int(rng.integers(2, 5))):
        height, width = (int(n) for n in rng.integers(20, 90, 2))
        bright = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        extremes = rng.random((height, width, 3))
        original = np.where(extremes < 0.1, 0, np.where(extremes > 0.9, 255, bright)).astype(np.uint8)
        sides = [-(-side // 64) * 64 for side in (height, width)]
        padded = np.pad(original, [(0, sides[0] - height), (0, sides[1] - width), (0, 0)], mode="edge") / 255
        strength = 10 ** rng.uniform(-2.3, -0.7)
        originals.append(original)
        decoded.append(padded + strength * rng.standard_normal(padded.shape))
        files.append(rng.bytes(int(rng.integers(60, 3000))))
    return originals, decoded, files


draw_one = functools.partial(draw_set, photographs=1)


def draw_fine(rng: np.random.Generator) -> tuple[list, list, list]:
    """A single photograph whose decoded values are so near that rounding to 8 bits matters."""
    originals, decoded, files = draw_set(rng, 1)
    height, width, _ = originals[0].shape
    near = decoded[0].copy()
    near[:height, :width] = originals[0] / 255 + rng.uniform(-0.005, 0.005, originals[0].shape)
    return originals, [near], files


def in_eight_bits(values: np.ndarray) -> np.ndarray:
    """0 … 1 as 0 … 255: clipped, then rounded."""
    return np.round(255 * np.clip(values, 0, 1))


def decibels(error: float) -> float:
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def errors_of(originals: list, decoded: list, to_8: Callable = in_eight_bits) -> list[float]:
    """The mean squared error of each photograph, on its own pixels."""
    return [
        float(np.square(a.astype(float) - to_8(b[: a.shape[0], : a.shape[1]])).mean())
        for a, b in zip(originals, decoded, strict=True)
    ]


def figures(originals: list, decoded: list, files: list, to_8: Callable = in_eight_bits) -> tuple[float, float]:
    """Mean bits per original pixel, mean PSNR."""
    rates = [8 * len(data) / (a.shape[0] * a.shape[1]) for a, data in zip(originals, files, strict=True)]
    return float(np.mean(rates)), float(np.mean([decibels(e) for e in errors_of(originals, decoded, to_8)]))


def _two(answer: Answer, *instance: list) -> tuple[float, float]:
    originals, decoded, files = instance
    result = answer[0]([a.copy() for a in originals], [b.copy() for b in decoded], list(files))
    try:
        rate, db = map(float, result)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not two numbers (bits per pixel, PSNR)") from error
    return rate, db


def _right(answer: Answer, *instance: list) -> None:
    (rate, db), (bits, quality) = _two(answer, *instance), figures(*instance)
    if not math.isclose(rate, bits, rel_tol=1e-9):
        raise Wrong(f"{rate:.4f} bits per pixel, not {bits:.4f}")
    if not math.isclose(db, quality, rel_tol=1e-9):
        raise Wrong(f"{db:.4f} dB, not {quality:.4f}")


def _set(originals: list, decoded: list, files: list) -> str:
    each = [f"{a.shape[1]}×{a.shape[0]} pixels (decoded {b.shape[1]}×{b.shape[0]}), {len(data)} bytes"
            for a, b, data in zip(originals, decoded, files)]  # fmt: skip
    return "; ".join(each)


def _padded(answer: Answer, originals: list, decoded: list, files: list) -> bool:
    """Whether the rate is over padded pixels."""
    rates = [8 * len(data) / (b.shape[0] * b.shape[1]) for b, data in zip(decoded, files, strict=True)]
    whole = 8 * sum(map(len, files)) / sum(b.shape[0] * b.shape[1] for b in decoded)
    rate, right = (pair[0] for pair in (_two(answer, originals, decoded, files), figures(originals, decoded, files)))
    return not math.isclose(rate, right) and any(math.isclose(rate, one) for one in (np.mean(rates), whole))


def _pooled(answer: Answer, originals: list, decoded: list, files: list) -> bool:
    """Whether one of the two is a ratio of sums, or the PSNR of a mean error."""
    (rate, db), right = _two(answer, originals, decoded, files), figures(originals, decoded, files)
    errors, sizes = errors_of(originals, decoded), [a.size for a in originals]
    pooled = [decibels(float(np.average(errors, weights=w))) for w in (None, sizes)]
    ratio = 8 * sum(map(len, files)) / (sum(sizes) / 3)
    return (math.isclose(rate, ratio) and not math.isclose(rate, right[0])) or (
        any(math.isclose(db, one) for one in pooled) and not math.isclose(db, right[1])
    )


def _no_eight_bits(answer: Answer, originals: list, decoded: list, files: list) -> bool:
    """Whether PSNR is of values that no file could hold."""
    db = _two(answer, originals, decoded, files)[1]
    ways = (
        lambda v: 255 * v,
        lambda v: 255 * np.clip(v, 0, 1),
        lambda v: np.floor(255 * np.clip(v, 0, 1)),
        lambda v: np.round(255 * v),
        lambda v: (255 * v).astype(np.int64).astype(np.uint8).astype(float),
    )
    return any(math.isclose(db, figures(originals, decoded, files, way)[1], rel_tol=1e-9) for way in ways)


FIGURES_OF_SET = Exercise(
    "figures_of_set",
    _set,
    {
        "one photograph": Property("8·bytes over width·height, PSNR of its own pixels", draw_one, _right),
        "eight bits": Property("PSNR of clipped and rounded values, 0 … 255", draw_fine, _right),
        "set": Property("the mean of the photographs' rates, and the mean of their PSNRs", draw_set, _right),
    },
    (
        Mistake(
            "That is a rate over padded pixels. Nobody asked for those: divide by the original's width times height.",
            _padded,
        ),
        Mistake(
            "You pooled the set. Its figures are means over photographs: of their rates, and of their PSNRs.",
            _pooled,
        ),
        Mistake(
            "A picture has 8 bits. Clip to 0 … 1, multiply by 255 and round, before you take the error.",
            _no_eight_bits,
        ),
    ),
)

# ---- bd_rate(anchor, test) -> percent -------------------------------------------------------------------------------


def draw_curve(rng: np.random.Generator, start: float | None = None) -> Points:
    """4 … 8 points of a rising (bits per pixel, dB) curve, in any order."""
    count = int(rng.integers(4, 9))
    db = (rng.uniform(25, 29) if start is None else start) + np.cumsum(rng.uniform(0.8, 2.0, count))
    log_rate = rng.uniform(-4, -2) + np.cumsum(np.diff(db, prepend=db[0]) * rng.uniform(0.1, 0.4, count))
    return [(float(2 ** log_rate[i]), float(db[i])) for i in rng.permutation(count)]


def draw_pair(rng: np.random.Generator) -> tuple[Points, Points]:
    """Two curves that share some decibels."""
    anchor = draw_curve(rng)
    return anchor, draw_curve(rng, rng.uniform(*(np.quantile(np.array(anchor)[:, 1], [0, 1]) - (1.5, 2.5))))


def draw_same(rng: np.random.Generator) -> tuple[Points, Points]:
    """A curve twice, the second time in another order."""
    curve = draw_curve(rng)
    return curve, [curve[i] for i in rng.permutation(len(curve))]


def draw_scaled(rng: np.random.Generator) -> tuple[Points, Points]:
    """A curve, and the same with all rates times a factor."""
    curve, factor = draw_curve(rng), float(rng.choice([0.5, 0.8, 1.25, 2.0, 3.0]))
    return curve, [(factor * rate, db) for rate, db in curve]


def draw_apart(rng: np.random.Generator) -> tuple[Points, Points]:
    """Two curves that share no decibel, or (every other time) some."""
    low = draw_curve(rng)
    pair = [low, draw_curve(rng, max(db for _, db in low) + rng.uniform(0.2, 2))]
    return tuple(pair[i] for i in rng.permutation(2)) if rng.random() < 0.5 else draw_pair(rng)


def _percent(answer: Answer, anchor: Points, test: Points) -> float:
    if not isinstance(result := answer[0](list(anchor), list(test)), numbers.Real) or not math.isfinite(result):
        raise Wrong(f"{result!r}, not one finite number")
    return float(result)


def _close(found: float, wanted: float) -> None:
    if not math.isclose(found, wanted, rel_tol=0, abs_tol=0.01 + 1e-3 * abs(wanted)):
        raise Wrong(f"{found:+.3f} %, not {wanted:+.3f} %")


def itself(answer: Answer, anchor: Points, test: Points) -> None:
    _close(_percent(answer, anchor, test), 0)


def factor(answer: Answer, anchor: Points, test: Points) -> None:
    times = max(rate for rate, _ in test) / max(rate for rate, _ in anchor)
    _close(_percent(answer, anchor, test), 100 * (times - 1))


def antisymmetric(answer: Answer, anchor: Points, test: Points) -> None:
    there, back = _percent(answer, anchor, test), _percent(answer, test, anchor)
    differ = abs(metrics.bd_rate(anchor, test)["percent"]) > 0.01  # then 0 there and back is no answer
    if not there and differ or not math.isclose((1 + there / 100) * (1 + back / 100), 1, rel_tol=1e-3):
        raise Wrong(f"{there:+.2f} % there and {back:+.2f} % back")


def library(answer: Answer, anchor: Points, test: Points) -> None:
    _close(_percent(answer, anchor, test), metrics.bd_rate(anchor, test)["percent"])


def refused(answer: Answer, anchor: Points, test: Points) -> None:
    *_, low, high, _ = _lines(anchor, test)
    if low < high:  # they overlap
        _percent(answer, anchor, test)
        return
    try:
        found = answer[0](list(anchor), list(test))
    except Wrong as wrong:
        if isinstance(wrong.__cause__, ValueError):
            return
        raise Wrong(f"{wrong}, not a ValueError") from wrong
    raise Wrong(f"{found}, not a ValueError")


def _curves(anchor: Points, test: Points) -> str:
    one, other = (", ".join(f"({rate:.3f}, {db:.2f})" for rate, db in curve) for curve in (anchor, test))
    return f"anchor {one}; test {other} (bpp, dB)"


def _lines(anchor: Points, test: Points) -> tuple[Callable, Callable, float, float, Sequence[float]]:
    """log₁₀ rate of both over dB, their overlap, and all four ends."""
    sides = [np.array(sorted((db, math.log10(rate)) for rate, db in curve)).T for curve in (anchor, test)]
    ends = [end for x, _ in sides for end in (x[0], x[-1])]
    lines = [PchipInterpolator(x, y) for x, y in sides]
    return *lines, max(ends[0], ends[2]), min(ends[1], ends[3]), ends


def _made(wrongs: Callable[[Points, Points], Sequence[float]]) -> Callable:
    """Whether the student's number is a wrong one, and nearer to it than to the right one."""

    def made(answer: Answer, anchor: Points, test: Points) -> bool:
        found = _percent(answer, anchor, test)
        near = lambda value: math.isclose(found, value, rel_tol=5e-3, abs_tol=0.02)
        right = metrics.bd_rate(anchor, test)["percent"]
        return any(near(one) and abs(found - one) < abs(found - right) for one in wrongs(anchor, test))

    return made


def _swapped(anchor: Points, test: Points) -> list[float]:
    return [metrics.bd_rate(test, anchor)["percent"]]


def _without_logarithm(anchor: Points, test: Points) -> list[float]:
    """Mean of ratios, ratio of means, or the mean difference of logarithms taken for a percentage."""
    a, b, low, high, _ = _lines(anchor, test)
    db = low + (high - low) * (np.arange(4000) + 0.5) / 4000
    rate_a, rate_b, difference = 10 ** a(db), 10 ** b(db), float(np.mean(b(db) - a(db)))
    return [100 * (float(np.mean(rate_b / rate_a)) - 1), 100 * (rate_b.mean() / rate_a.mean() - 1), 100 * difference,
            100 * difference * math.log(10), 100 * math.expm1(difference)]  # fmt: skip


def _own_range(anchor: Points, test: Points) -> list[float]:
    """Each line averaged over its own decibels, or both over all of them."""
    a, b, _, _, ends = _lines(anchor, test)
    own = b.integrate(*ends[2:]) / (ends[3] - ends[2]) - a.integrate(*ends[:2]) / (ends[1] - ends[0])
    whole = (b.integrate(min(ends), max(ends)) - a.integrate(min(ends), max(ends))) / (max(ends) - min(ends))
    return [100 * (10**one - 1) for one in (float(own), float(whole))]


BD_RATE = Exercise(
    "bd_rate",
    _curves,
    {
        "itself": Property("0 % against itself, in any order of points", draw_same, itself),
        "factor": Property("all rates times c: 100·(c − 1) %", draw_scaled, factor),
        "antisymmetric": Property("there and back: the two factors multiply to 1", draw_pair, antisymmetric),
        "library": Property("what `bjontegaard` says, by PCHIP", draw_pair, library),
        "no overlap": Property("no shared decibel: ValueError; else a number", draw_apart, refused),
    },
    (
        Mistake("Anchor and test are swapped: below 0 must mean that the test needs fewer bits.", _made(_swapped)),
        Mistake(
            "The mean is of the difference of log₁₀ rate. Take it first, then 10 to its power, then the percentage.",
            _made(_without_logarithm),
        ),
        Mistake("The mean runs over decibels that only one of the curves has. Take both's overlap.", _made(_own_range)),
    ),
)

EXERCISES = {one.name: one for one in (FIGURES_OF_SET, BD_RATE)}
