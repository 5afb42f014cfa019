"""One style for all plots, of the course and of `ccalib evaluate`, and the text alternative made from the same data."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import matplotlib.figure
import numpy as np
from matplotlib import colormaps
from PIL import Image

from ccalib.images import to_bytes

BLUE, ORANGE, GRAY, INK = "#0b62a8", "#d06a00", "#7a828e", "#1d2026"
HEADER_COLOR, Z_COLOR = "#9aa1ab", "#a2477f"
DPI = 100

# Curves of codecs: color and marker. Any two are at least 16 apart in CIELAB, for color-blind readers too.
CURVES = {
    "ccalib": (BLUE, "o"),
    "jpeg": (ORANGE, "s"),
    "webp": ("#009e73", "^"),
    "jpeg2000": ("#cc79a7", "D"),
    "avif": ("#800000", "v"),
    "heic": ("#56b4e9", "P"),
    "jxl": (INK, "X"),
}
OTHER_CURVE = (GRAY, "*")


def curve_look(name: str) -> tuple[str, str]:
    """Color and marker of a codec's curve; ours with a search for better latents ("ccalib small, …") has our color."""
    known = CURVES.get(name)
    return known or (CURVES["ccalib"][0] if name.startswith("ccalib ") else OTHER_CURVE[0], OTHER_CURVE[1])


def group_color(index: int, groups: int) -> str:
    """Color of group `index` (from 0) of `groups`: cividis, dark for the first, light for the last."""
    red, green, blue, _ = colormaps["cividis"](0.1 + 0.85 * index / max(groups - 1, 1), bytes=True)
    return f"#{red:02x}{green:02x}{blue:02x}"


def segment_colors(names: Sequence[str]) -> list[str]:
    """Colors of a file's parts: gray for the header, purple for z, cividis for the groups."""
    groups = [name for name in names if name.startswith("g")]
    fixed = {"header": HEADER_COLOR, "z": Z_COLOR}
    return [fixed.get(name) or group_color(groups.index(name), len(groups)) for name in names]


def ink_on(color: str) -> str:
    """Black or white, whichever reads better on `color` (#rrggbb)."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else "#ffffff"


def figure(width: float = 7.2, height: float = 3.0) -> matplotlib.figure.Figure:
    """An empty figure in the course's style (inches; 100 pixels an inch). It never opens a window."""
    fig = matplotlib.figure.Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    return fig


def dress(axes: matplotlib.axes.Axes, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Title, labels, a light grid, no box."""
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.set_xlabel(xlabel, fontsize=9, color=INK)
    axes.set_ylabel(ylabel, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(True, color="#e2e5ea", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def picture(axes: matplotlib.axes.Axes, image: Image.Image, title: str = "") -> None:
    """An image in `axes`, without ticks."""
    axes.imshow(np.asarray(image.convert("RGB")), interpolation="antialiased")
    axes.set_title(title, fontsize=9, loc="left", color=INK)
    axes.set_axis_off()


def small_png(image: Image.Image, colors: int = 128) -> bytes:
    """An image as a small PNG: a palette of `colors`, chosen from the image. For static pages only."""
    rgb = image.convert("RGB")
    palette = rgb.quantize(colors - 2, method=Image.Quantize.MEDIANCUT)
    palette.putpalette([*palette.getpalette()[: 3 * (colors - 2)], 0, 0, 0, 255, 255, 255])  # paper stays white
    return to_bytes(rgb.quantize(palette=palette, dither=Image.Dither.NONE), format="PNG", optimize=True)


def png(fig: matplotlib.figure.Figure, colors: int = 128) -> bytes:
    """The figure as a small PNG, the same bytes each time it is drawn from the same data."""
    stream = io.BytesIO()
    fig.savefig(stream, format="png", metadata={"Software": None})
    return small_png(Image.open(stream), colors)


class Plot:
    """A figure as a notebook shows it: a small PNG, and in text what it was made from."""

    def __init__(self, fig: matplotlib.figure.Figure, words: str, colors: int = 128) -> None:
        self.png, self.words = png(fig, colors), words

    def __repr__(self) -> str:
        return self.words

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict, dict]:
        data = {"text/plain": self.words, "image/png": base64.b64encode(self.png).decode("ascii")}
        return data, {"image/png": {"alt": self.words}}


def in_words(title: str, table: Mapping[str, Sequence[str]]) -> str:
    """The text alternative of a plot: its title and its data as an aligned table. Print it beside the figure."""
    heads = list(table)
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    return f"{title}\n{aligned([heads, *rows])}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table as text: the first column to the left, the others to the right, two spaces between."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
