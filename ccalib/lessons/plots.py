"""Plots of the lessons, in the style that all plots share (`ccalib.style`, whose names are here too)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.axes
import matplotlib.patches
import numpy as np
from PIL import Image

from ccalib.lessons.pixels import crop_cells
from ccalib.style import (
    BLUE,
    DPI,
    GRAY,
    INK,
    ORANGE,
    Plot,
    dress,
    figure,
    group_color,
    in_words,
    ink_on,
    picture,
    png,
    segment_colors,
)

__all__ = [
    "BLUE", "DPI", "GRAY", "INK", "ORANGE", "Plot", "cells_plot", "dress", "figure", "group_color", "in_words",
    "ink_on", "picture", "png", "segment_colors",
]  # fmt: skip


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
