"""Numbers in words: sizes, aligned tables, roundings that survive another processor."""

from __future__ import annotations

import math
from collections.abc import Sequence


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


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table as text: the first column to the left, the others to the right, two spaces between."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
