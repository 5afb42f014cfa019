"""Checks of lesson 02: the length of a code, and a range coder."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong

# ---- code_length(symbols, p) -> bits --------------------------------------------------------------------------------


def draw_symbols(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Symbols 0 … K − 1, each at least once, and probabilities of another distribution."""
    k = int(rng.integers(2, 7))
    symbols = np.concatenate([np.arange(k), rng.choice(k, int(rng.integers(5, 60)), p=rng.dirichlet(np.ones(k)))])
    p = rng.dirichlet(np.ones(k)) + 0.01
    return rng.permutation(symbols), p / p.sum()


def draw_equal(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some of 8 symbols, which are equally probable."""
    return rng.integers(0, 8, int(rng.integers(1, 30))), np.full(8, 1 / 8)


def empirical(symbols: np.ndarray, k: int) -> np.ndarray:
    """How often each of k symbols occurs, as a share."""
    return np.bincount(symbols, minlength=k) / len(symbols)


def _number(answer: Answer, symbols: np.ndarray, p: np.ndarray) -> float:
    found = answer[0](symbols.copy(), p.copy())
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{type(found).__name__}, not one number") from error


def _symbols(symbols: np.ndarray, p: np.ndarray) -> str:
    start = ", ".join(map(str, symbols[:12])) + (", …" if len(symbols) > 12 else "")
    return f"{len(symbols)} symbols {start}; p = {np.round(p, 3)}"


def equal_symbols(answer: Answer, symbols: np.ndarray, p: np.ndarray) -> None:
    found = _number(answer, symbols, p)
    if not math.isclose(found, 3 * len(symbols), rel_tol=1e-9):
        raise Wrong(f"{found:.4f} bits, not 3·{len(symbols)} = {3 * len(symbols)}")


def cross_entropy(answer: Answer, symbols: np.ndarray, p: np.ndarray) -> None:
    found, q = _number(answer, symbols, p), empirical(symbols, len(p))
    entropy, divergence = -(q * np.log2(q)).sum(), (q * np.log2(q / p)).sum()
    wanted = len(symbols) * (entropy + divergence)
    if not math.isclose(found, wanted, rel_tol=1e-9):
        parts = f"N·(H + KL) = {len(symbols)}·({entropy:.4f} + {divergence:.4f}) = {wanted:.4f}"
        raise Wrong(f"{found:.4f}, not {parts}")


def minimal(answer: Answer, symbols: np.ndarray, p: np.ndarray) -> None:
    at_p, best = (_number(answer, symbols, q) for q in (p, empirical(symbols, len(p))))
    if not best <= at_p + 1e-9:
        raise Wrong(f"{at_p:.4f} with this p, but {best:.4f} with the symbols' own shares")
    if best == at_p and not np.allclose(p, empirical(symbols, len(p))):
        raise Wrong(f"{at_p:.4f} with this p, and as much with the symbols' own shares, which are others")


def _gives(*wrongs: Callable) -> Callable:
    """Whether the student's number is one of these, but for its sign."""

    def made(answer: Answer, symbols: np.ndarray, p: np.ndarray) -> bool:
        found = abs(float(answer[0](symbols, p)))
        return any(math.isclose(found, abs(wrong(p[symbols])), rel_tol=1e-6) for wrong in wrongs)

    return made


CODE_LENGTH = Exercise(
    "code_length",
    _symbols,
    {
        "eight equal symbols": Property("3 bits for each symbol", draw_equal, equal_symbols),
        "cross-entropy": Property("N·(H + KL) bits, H and KL of the symbols' own shares", draw_symbols, cross_entropy),
        "minimal": Property("no p is shorter than the symbols' own shares", draw_symbols, minimal),
    },
    (
        Mistake(
            "These are nats: `np.log` is the natural logarithm. Bits want `np.log2`.",
            _gives(lambda p: np.log(p).sum(), lambda p: np.log(p).mean()),
        ),
        Mistake(
            "The logarithm is missing: a symbol of probability p costs −log₂ p bits.",
            _gives(np.sum, np.mean, lambda p: (1 - p).sum(), lambda p: (1 / p).sum(), np.prod, lambda p: 1 / p.prod()),
        ),
        Mistake(
            "That is the mean, in bits for one symbol. The length of the code is their sum.",
            _gives(lambda p: np.log2(p).mean()),
        ),
    ),
)

# ---- encode(symbols, frequencies) -> bytes, decode(data, count, frequencies) -> symbols -----------------------------

SPARE_BYTES = 4


def draw_string(rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """A string of 0 … 150 symbols and its frequencies, which sum to at most 256."""
    k = int(rng.integers(2, 9))
    frequencies = rng.integers(1, 256 // k + 1, k)
    symbols = rng.choice(k, int(rng.integers(0, 151)), p=frequencies / frequencies.sum())
    return symbols.tolist(), frequencies.tolist()


def draw_long(rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """A long string in which one symbol is far more frequent."""
    k = int(rng.integers(2, 6))
    frequencies = np.append(rng.integers(1, 5, k - 1), 200)
    return rng.choice(k, 600, p=frequencies / frequencies.sum()).tolist(), frequencies.tolist()


def draw_zero(rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """A string with a symbol whose frequency is zero."""
    symbols, frequencies = draw_string(rng)
    symbols = [*symbols, *range(len(frequencies))]
    frequencies[int(rng.integers(len(frequencies)))] = 0
    return rng.permutation(symbols).tolist(), frequencies


def ideal_bytes(symbols: list[int], frequencies: list[int]) -> float:
    """−Σ log₂ p / 8."""
    return sum(math.log2(sum(frequencies) / frequencies[s]) for s in symbols) / 8


def _encoded(answer: Answer, symbols: list[int], frequencies: list[int]) -> bytes:
    data = answer[0](list(symbols), list(frequencies))
    if not isinstance(data, bytes | bytearray):
        raise Wrong(f"{type(data).__name__} from the encoder, not bytes")
    return bytes(data)


def _string(symbols: list[int], frequencies: list[int]) -> str:
    text = " ".join(map(str, symbols[:20])) + (" …" if len(symbols) > 20 else "")
    return f"{len(symbols)} symbols: {text}; frequencies {frequencies}"


def round_trip(answer: Answer, symbols: list[int], frequencies: list[int]) -> None:
    data = _encoded(answer, symbols, frequencies)
    back = list(answer[1](data, len(symbols), list(frequencies)))
    if back != symbols:
        at = next((i for i, pair in enumerate(zip(back, symbols)) if pair[0] != pair[1]), min(len(back), len(symbols)))
        got = f"{len(back)} symbols, wrong from number {at} on: {' '.join(map(str, back[at : at + 10]))}"
        raise Wrong(f"{got}")


def size(answer: Answer, symbols: list[int], frequencies: list[int]) -> None:
    data, ideal = _encoded(answer, symbols, frequencies), ideal_bytes(symbols, frequencies)
    if len(data) > ideal + SPARE_BYTES:
        raise Wrong(f"{len(data)} bytes; ideal: {ideal:.1f} + {SPARE_BYTES}")
    round_trip(answer, symbols, frequencies)


def zero_refused(answer: Answer, symbols: list[int], frequencies: list[int]) -> None:
    _encoded(answer, [s for s in symbols if frequencies[s]], frequencies)  # without that symbol it has to work
    try:
        data = _encoded(answer, symbols, frequencies)
    except Wrong as wrong:
        if isinstance(wrong.__cause__, ValueError):
            return
        raise Wrong(f"{wrong}, not a ValueError") from wrong
    raise Wrong(f"{len(data)} bytes, not a ValueError")


def _reversed(answer: Answer, symbols: list[int], frequencies: list[int]) -> bool:
    back = list(answer[1](answer[0](symbols, frequencies), len(symbols), frequencies))
    return back != symbols and back == symbols[::-1]


def _remainder_lost(answer: Answer, symbols: list[int], frequencies: list[int]) -> bool:
    data, total = answer[0](symbols, frequencies), sum(frequencies)
    starts = np.cumsum([0, *frequencies]).tolist()

    def state(order: list[int], x: int) -> int:
        for s in order:
            x = x // frequencies[s] * total + starts[s]
        return x

    states = {state(order, x) for order in (symbols, symbols[::-1]) for x in (0, 1, total)}
    return any(int.from_bytes(data, order) in states for order in ("big", "little"))


def _fixed_length(answer: Answer, symbols: list[int], frequencies: list[int]) -> bool:
    """Every symbol costs the same, whatever its probability."""
    data = (answer[0]([s] * 800, frequencies) for s in range(len(frequencies)))
    return len({len(one) for one in data}) == 1


RANGE_CODER = Exercise(
    "range_coder",
    _string,
    {
        "round trip": Property("what is decoded is what was encoded", draw_string, round_trip),
        "size": Property(f"at most {SPARE_BYTES} bytes more than −Σ log₂ p", draw_long, size),
        "zero frequency": Property("a symbol of frequency 0 is refused with ValueError", draw_zero, zero_refused),
    },
    (
        Mistake(
            "Your symbols come back in reverse order: the state is a stack. Encode from the last symbol to the first.",
            _reversed,
        ),
        Mistake(
            "`x // f` forgets the remainder, and with it earlier symbols. Add `x % f` to the place in the interval.",
            _remainder_lost,
        ),
        Mistake(
            "Every symbol costs the same here. A frequent symbol must make the state grow less than a rare one.",
            _fixed_length,
        ),
    ),
)

EXERCISES = {one.name: one for one in (CODE_LENGTH, RANGE_CODER)}
