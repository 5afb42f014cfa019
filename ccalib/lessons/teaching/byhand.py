"""A joint table and a range coder, as small as they can be done with a pencil (lessons 02 and 04)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ccalib.errors import CcaError
from ccalib.lessons.coding import entropy


class Joint(NamedTuple):
    """Entropies of two symbols A (rows) and B (columns), and what each tells of the other; bits."""

    a: float
    b: float
    both: float
    b_given_a: float
    gain: float


def margins(counts: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Sums of the rows and of the columns."""
    return [sum(row) for row in counts], [sum(column) for column in zip(*counts)]


def joint(counts: Sequence[Sequence[int]]) -> Joint:
    """From a table of counts, by the chain rule: H(B|A) = H(A, B) − H(A)."""
    table = np.array(counts)
    a, b, both = entropy(table.sum(axis=1)), entropy(table.sum(axis=0)), entropy(table)
    return Joint(a, b, both, both - a, a + b - both)


def code_words(counts: Sequence[int]) -> list[str]:
    """Code words of counts that are powers of two and sum to one, each as long as its price says (no word begins
    another). Raises CcaError for other counts."""
    total = sum(counts)
    lengths = [math.log2(total / n) for n in counts]
    if any(length % 1 for length in lengths):
        raise CcaError(f"code words: {list(counts)} of {total}: not powers of two")
    words, at = {}, 0
    for i in sorted(range(len(counts)), key=lambda i: lengths[i]):
        n = int(lengths[i])
        words[i] = f"{at >> (int(max(lengths)) - n):0{n}b}"
        at += 1 << (int(max(lengths)) - n)
    return [words[i] for i in range(len(counts))]


# ---- a range coder in digits ----------------------------------------------------------------------------------------


def starts(chances: Mapping[str, int]) -> dict[str, int]:
    """Where each symbol's share of the digits begins."""
    found, at = {}, 0
    for symbol, chance in chances.items():
        found[symbol], at = at, at + chance
    return found


def intervals(message: str, chances: Mapping[str, int]) -> list[tuple[Fraction, Fraction]]:
    """(from, width) of the interval after each symbol of a message; the first is inside 0 … 1."""
    total, begin, rows = sum(chances.values()), starts(chances), []
    low, width = Fraction(0), Fraction(1)
    for symbol in message:
        low, width = low + width * begin[symbol] / total, width * chances[symbol] / total
        rows.append((low, width))
    return rows


def shortest(low: Fraction, width: Fraction, base: int) -> str:
    """The fewest digits in a base so that the fraction they write lies from `low` up to (not at) `low + width`."""
    digits = 0
    while (number := math.ceil(low * base**digits)) >= (low + width) * base**digits:
        digits += 1
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, base)
        text = f"{digit}{text}"
    return text


def read_number(digits: str, count: int, chances: Mapping[str, int]) -> str:
    """The `count` symbols that a decimal fraction, 0.digits, names."""
    total, begin, message = sum(chances.values()), starts(chances), ""
    value = Fraction(int(digits), 10 ** len(digits))
    for _ in range(count):
        symbol = max((s for s in begin if begin[s] <= value * total), key=begin.get)
        value = (value * total - begin[symbol]) / chances[symbol]
        message += symbol
    return message


def pushed(message: str, chances: Mapping[str, int], state: int = 1) -> list[tuple[str, int]]:
    """(symbol, state after it) as the symbols are pushed onto a stack coder's state, the last symbol first."""
    total, begin, rows = sum(chances.values()), starts(chances), []
    for symbol in reversed(message):
        state = state // chances[symbol] * total + begin[symbol] + state % chances[symbol]
        rows.append((symbol, state))
    return rows


def price(message: str, chances: Mapping[str, int]) -> float:
    """−Σ log₂ p of a message, in bits."""
    return sum(math.log2(sum(chances.values()) / chances[symbol]) for symbol in message)
