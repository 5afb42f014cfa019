"""The rate–distortion plot of `ccalib evaluate`, and its text alternative from the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ccalib import style
from ccalib.errors import CcaError
from ccalib.evaluation import reference
from ccalib.evaluation.summary import OURS, points_of
from ccalib.files.coding import write

RATES = (0, 1.6)  # bits per pixel shown
BELOW = 3  # dB shown below our lowest point
READ_AT = (0.2, 0.4, 0.6, 0.8, 1.0, 1.4)  # bits per pixel of the text alternative
LIVE_TITLE, SOURCED_TITLE = "run here: bytes of real files", "from the literature"
DASHES = ((5, 1.5), (2, 1.2), (5, 1.2, 1, 1.2))
DARK = 0.7  # of the color map: the pale rest is lost on white
Points = list[tuple[float, float]]


def curves_of(result: dict) -> tuple[dict[str, Points], dict[str, Points]]:
    """(bpp, dB) points by rising rate: what was run here, and, on Kodak only, what the literature says, best first."""
    live = {name: sorted(points) for name in result["curves"] if (points := points_of(result, name))}
    try:
        sourced = {c["label"]: [tuple(p) for p in c["points"]] for c in reference.curves(result["images"]).values()}
    except CcaError:
        sourced = {}
    return live, dict(sorted(sourced.items(), key=lambda item: -_read(item[1], 0.4)))


def draw(result: dict) -> Figure:
    """PSNR over rate: solid with markers what was run here, dashed and thin what the literature says."""
    live, sourced = curves_of(result)
    fig = style.figure(7.4, 5.0)
    axes = fig.add_subplot()
    style.dress(axes, f"{result['set']}, means over {len(result['images'])} images", "bits per pixel", "PSNR in dB")
    dashed = []
    for i, (label, points) in enumerate(sourced.items()):
        color = style.group_color(i, round(len(sourced) / DARK))
        dashed += axes.plot(*zip(*points), color=color, linewidth=0.9, dashes=DASHES[i % len(DASHES)], label=label)
    solid = []
    for name, points in live.items():
        color, marker = style.curve_look(name)
        ours = name == OURS
        solid += axes.plot(
            *zip(*points), color=color, marker=marker, markersize=6 if ours else 4.5, markeredgecolor="white",
            markeredgewidth=0.4, linewidth=2.4 if ours else 1.3, label=name, zorder=4 if ours else 3,
        )  # fmt: skip
    shown = [db for points in (*live.values(), *sourced.values()) for rate, db in points if rate <= RATES[1]]
    lowest = min(db for _, db in live[OURS]) - BELOW if OURS in live else 0
    axes.set(xlim=RATES, ylim=(np.floor(max(lowest, min(shown))), np.ceil(max(shown))) if shown else None)
    first = axes.legend(handles=solid, title=LIVE_TITLE, loc="lower right", fontsize=8)
    first.set_title(first.get_title().get_text(), prop={"size": 8})
    if dashed:
        axes.add_artist(first)
        second = axes.legend(handles=dashed, title=SOURCED_TITLE, loc="upper left", fontsize=7, handlelength=3.5)
        second.set_title(second.get_title().get_text(), prop={"size": 8})
    return fig


def rd_plot(result: dict) -> style.Plot:
    """The plot as a notebook shows it, with its text alternative."""
    return style.Plot(draw(result), words(result))


def words(result: dict) -> str:
    """The plot as a table: PSNR of each curve at some rates, read between its points by straight lines."""
    live, sourced = curves_of(result)
    rows = [(name, "run here", points) for name, points in live.items()]
    rows += [(label, "literature", points) for label, points in sourced.items()]
    readings = [[_read(points, rate) for _, _, points in rows] for rate in READ_AT]
    table = {"curve": [name for name, _, _ in rows], "from": [kind for _, kind, _ in rows]}
    for rate, values in zip(READ_AT, readings):
        table[f"{rate:g} bpp"] = ["–" if np.isnan(v) else f"{v:.1f}" for v in values]
    return style.in_words(f"{result['set']}, {len(result['images'])} images: PSNR in dB at a rate", table)


def _read(points: Points, rate: float) -> float:
    """dB of a curve at a rate; not a number outside of it."""
    return float(np.interp(rate, *zip(*points), left=np.nan, right=np.nan))


def plot_curves(result: dict, path: Path) -> None:
    """Write the plot as PNG to `path`, and its text alternative beside it."""
    plot = rd_plot(result)
    write(path, plot.png)
    write(path.with_suffix(".txt"), (plot.words + "\n").encode())
