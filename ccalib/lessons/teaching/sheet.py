"""The page that needs no computer, and its solutions: numbers from `byhand`, words from `sheet.html`."""

from __future__ import annotations

import math
from pathlib import Path

import jinja2

from ccalib.lessons.build import NOTEBOOKS
from ccalib.lessons.teaching import byhand

FOLDER = NOTEBOOKS / "teaching"
CARDS = ((8, 2), (2, 4))  # counts of (A, B) in 16 cells: prices that add up by hand, and dyadic for pairs
OTHERS = (  # tables with even margins, except the last: alone, a copy, a dead B
    ("B does not care about A", ((4, 4), (4, 4))),
    ("B copies A", ((8, 0), (0, 8))),
    ("B is always 0", ((8, 0), (8, 0))),
)
CHANCES = {"a": 6, "b": 2, "c": 1, "d": 1}  # of ten, as in lesson 02
WRITTEN, READ, STACKED = "bada", "acba", "dab"


def templates() -> jinja2.Environment:
    """The templates of the kit's printed pages."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def numbers() -> dict:
    """All that the page and its solutions print."""
    counts = [n for row in CARDS for n in row]
    words, cells, (rows_sum, columns_sum) = byhand.code_words(counts), sum(counts), byhand.margins(CARDS)
    listed = lambda parts: sum(round(n / cells * math.log2(cells / n), 3) for n in parts)
    rows = byhand.intervals(WRITTEN, CHANCES)
    number = byhand.shortest(*byhand.intervals(READ, CHANCES)[-1], 10)
    broken = f"{(int(number[0]) + 1) % 10}{number[1:]}"
    total = sum(CHANCES.values())
    return {
        "cards": CARDS,
        "cells": cells,
        "margins": {"rows": rows_sum, "columns": columns_sum},
        "prices": [(n, math.log2(cells / n)) for n in range(1, cells + 1)],
        "joint": byhand.joint(CARDS),
        "listed_gain": listed(rows_sum) + listed(columns_sum) - listed(counts),
        "words": words,
        "mean_length": sum(n * len(word) for n, word in zip(counts, words)) / cells,
        "others": [(name, table, byhand.joint(table)) for name, table in OTHERS],
        "chances": CHANCES,
        "starts": byhand.starts(CHANCES),
        "total": total,
        "symbol_prices": {symbol: math.log2(total / n) for symbol, n in CHANCES.items()},
        "written": WRITTEN,
        "intervals": [
            (s, f"{float(low):.{k}f}", f"{float(width):.{k}f}")
            for k, (s, (low, width)) in enumerate(zip(WRITTEN, rows), 1)
        ],
        "end": f"{float(sum(rows[-1])):.{len(WRITTEN)}f}",
        "decimal": byhand.shortest(*rows[-1], 10),
        "binary": byhand.shortest(*rows[-1], 2),
        "price": byhand.price(WRITTEN, CHANCES),
        "read": READ,
        "number": number,
        "broken": broken,
        "misread": byhand.read_number(broken, len(READ), CHANCES),
        "stacked": STACKED,
        "pushed": byhand.pushed(STACKED, CHANCES),
    }


def pages() -> dict[str, str]:
    """File name -> HTML, of the page and of its solutions."""
    template = templates().get_template("sheet.html")
    names = {"paper_game.html": False, "paper_game_solutions.html": True}
    return {name: template.render(solved=solved, **numbers()) for name, solved in names.items()}


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of stored pages that are not what `pages` writes."""
    found = lambda name: (folder / name).read_text(encoding="utf-8") if (folder / name).is_file() else None
    return [name for name, text in pages().items() if found(name) != text]


def write(folder: Path = FOLDER) -> list[Path]:
    """Write both pages; their paths."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages()]
