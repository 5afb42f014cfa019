"""Numbers in words: sizes, aligned tables, roundings that survive another processor."""

from __future__ import annotations

import math

from ccalib.style import aligned

__all__ = ["about", "aligned", "size_text", "thousands"]


def thousands(n: int) -> str:
    """12345 -> '12,345'."""
    return f"{n:,}"


def size_text(n: int) -> str:
    """A number of bytes for a label: '831 B', '8.31 kB', '83.1 kB' (1 kB = 1000 bytes)."""
    if n < 1000:
        return f"{n} B"
    return f"{n / 1000:.2f} kB" if n < 10_000 else f"{n / 1000:.1f} kB"


def about(value: float, digits: int = 2) -> str:
    """`value` with so few digits that another processor prints the same: about(23456) -> '23,000'."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:,.{max(places, 0)}f}"
