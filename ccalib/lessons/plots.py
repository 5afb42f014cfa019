"""One style for all plots of the course, and the text alternative printed from the same data."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import matplotlib.figure
import matplotlib.patches
import numpy as np
from matplotlib import colormaps
from PIL import Image

from ccalib.lessons.pixels import crop_cells, small_png
from ccalib.lessons.text import aligned

BLUE, ORANGE, GRAY, INK = "#0b62a8", "#d06a00", "#7a828e", "#1d2026"
HEADER_COLOR, Z_COLOR = "#9aa1ab", "#a2477f"
DPI = 100


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


def cells_plot(image: Image.Image, cells: Mapping[str, Sequence[int]], context: int = 5) -> Plot:
    """The photograph with some latents' 16×16 cells outlined, and each cell with its neighborhood enlarged.

    Args:
        image: the photograph.
        cells: name -> (column, row), counted in cells of 16×16 pixels from the top left.
        context: how many cells the enlarged squares are wide (odd).
    """
    fig = figure(6.4, 3.2)
    grid = fig.add_gridspec(len(cells), 2, width_ratios=[4.6, 1])
    whole = fig.add_subplot(grid[:, 0])
    picture(whole, image)
    for row_of_grid, (name, (column, row)) in enumerate(cells.items()):
        _outline(whole, column * 16, row * 16, 16)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
        whole.text(column * 16 + 22, row * 16 + 8, name, fontsize=9, va="center", color=INK, bbox=box)
        near = fig.add_subplot(grid[row_of_grid, 1])
        near.imshow(np.asarray(crop_cells(image, column, row, context)), interpolation="nearest")
        near.set_axis_off()
        left = min(max(column * 16 - (context - 1) * 8, 0), max(image.width - context * 16, 0))
        top = min(max(row * 16 - (context - 1) * 8, 0), max(image.height - context * 16, 0))
        _outline(near, column * 16 - left, row * 16 - top, 16)
        near.set_title(name, fontsize=8, color=INK, pad=2)
    words = in_words("Three latents of the photograph (cells of 16x16 pixels):", {
        "latent": list(cells),
        "column": [str(column) for column, _ in cells.values()],
        "row": [str(row) for _, row in cells.values()],
    })  # fmt: skip
    return Plot(fig, words, colors=72)


def _outline(axes: matplotlib.axes.Axes, x: float, y: float, side: float) -> None:
    """A square that is seen on any picture: white on black."""
    for color, width in (("black", 3.2), ("white", 1.4)):
        axes.add_patch(matplotlib.patches.Rectangle((x - 0.5, y - 0.5), side, side, fill=False, ec=color, lw=width))
