"""The inspector as a still picture, for pages without JavaScript: the same data and marks, by matplotlib."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ccalib.lessons import plots
from ccalib.lessons.inspection import CELL, Account, Inspection
from ccalib.model.rans import Tables

DEEPEST = 17  # bits; the number line's lower end


def draw(inspection: Inspection, column: int, row: int, channel: int) -> bytes:
    """A PNG of one latent: where, when, which, how likely, how much."""
    group = inspection.group_of(channel)
    fig = plots.figure(7.6, 4.9)
    grid = fig.add_gridspec(4, 2, height_ratios=[0.42, 1.5, 1.6, 0.62], width_ratios=[1.25, 1])
    _when(fig.add_subplot(grid[0, :]), inspection, group)
    _where(fig.add_subplot(grid[1:3, 0]), inspection, column, row, group)
    _which(fig.add_subplot(grid[1, 1]), inspection, column, row, channel)
    _likely(fig.add_subplot(grid[2, 1]), inspection, column, row, channel)
    _much(fig.add_subplot(grid[3, :]), inspection, column, row, channel)
    return plots.png(fig, colors=200)


def _when(axes: Axes, inspection: Inspection, group: int) -> None:
    names = [segment.name for segment in inspection.info.segments]
    widths, start = [len(inspection.z_bits) / 16, *inspection.sizes], 0.0
    for i, (name, width, color) in enumerate(zip(names, widths, plots.segment_colors(names), strict=True)):
        now, later = i == group + 1, i > group + 1
        axes.barh(0, width, left=start, height=1, color="white" if now or later else color, linewidth=2 if now else 0.8,
                  edgecolor=plots.ORANGE if now else plots.GRAY, hatch="////" if later else None)  # fmt: skip
        size = inspection.info.segments[i].length
        label = f"{name}\n{size:,} B" if width > 12 else name
        axes.text(start + width / 2, -0.72, label, ha="center", va="top", fontsize=7, color=plots.INK)
        start += width
    axes.set_xlim(0, start)
    axes.set_ylim(-2.4, 0.6)
    axes.set_axis_off()
    axes.set_title(f"When? g{group + 1} is being decoded", fontsize=9, loc="left", color=plots.INK)


def _where(axes: Axes, inspection: Inspection, column: int, row: int, group: int) -> None:
    gray = inspection.photo.convert("L")
    axes.imshow(np.asarray(gray), cmap="gray", vmin=0, vmax=255)
    bits = inspection.per_group(inspection.file.bits)[group]
    top = np.quantile(bits, 0.995)
    extent = (-0.5, gray.width - 0.5, gray.height - 0.5, -0.5)
    axes.imshow(bits, cmap="cividis", vmin=0, vmax=top, alpha=0.75, extent=extent, interpolation="nearest")
    for color, width in (("black", 3), ("white", 1.4)):
        axes.plot(*_square(column, row), color=color, linewidth=width)
    axes.axhline(CELL * (row + 0.5), color="white", linewidth=0.5)
    axes.axvline(CELL * (column + 0.5), color="white", linewidth=0.5)
    axes.set_axis_off()
    axes.set_title(f"Where? bits of g{group + 1}, 0 to {top:.0f} a cell", fontsize=9, loc="left", color=plots.INK)


def _square(column: int, row: int) -> tuple[list[float], list[float]]:
    left, top = CELL * column - 0.5, CELL * row - 0.5
    return [left, left + CELL, left + CELL, left, left], [top, top, top + CELL, top + CELL, top]


def _which(axes: Axes, inspection: Inspection, column: int, row: int, channel: int) -> None:
    span, group = inspection.span(inspection.group_of(channel)), inspection.group_of(channel)
    bits, gain = inspection.file.bits[span, row, column], inspection.gain[span, row, column]
    order = np.argsort(-bits, kind="stable")
    colors = [plots.ORANGE if span.start + i == channel else plots.GRAY for i in order]
    axes.bar(range(len(order)), bits[order], width=0.9, color=colors)
    costs = gain[order] < 0
    for mask, color, hatch in ((~costs, plots.BLUE, None), (costs, plots.ORANGE, "////")):
        axes.bar(np.flatnonzero(mask), -np.abs(gain[order][mask]), width=0.9, color=color, hatch=hatch)
    axes.axhline(0, color=plots.INK, linewidth=0.8)
    below = f"bought by g{group}" if group else "ruler's error"
    plots.dress(axes, f"Which? channel {channel - span.start + 1} of {len(order)}", ylabel=f"{below}   paid")
    axes.set_xticks([])
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.yaxis.label.set_fontsize(7)


def _likely(axes: Axes, inspection: Inspection, column: int, row: int, channel: int) -> None:
    group, at = inspection.group_of(channel), (channel, row, column)
    tables = inspection.codec.tables()["y"]
    names = (f"with g{group}", f"without g{group}") if group else ("first fit", "second fit")
    for account, name, style in (
        (inspection.with_, names[0], {"color": plots.BLUE, "alpha": 0.3}),
        (inspection.without, names[1], {"fill": False, "edgecolor": plots.INK, "linewidth": 0.9}),
    ):
        symbols, bits = _row(tables, account, at)
        axes.bar(account.mean[at] + symbols, DEEPEST - bits, width=1, bottom=-DEEPEST, **style)
        own = account.mean[at] + account.symbol[at]
        mark = style | ({"alpha": 1} if "alpha" in style else {"linewidth": 2.2})
        label = f"{name}: {account.bits[at]:.2f} bits"
        axes.bar(own, max(DEEPEST - account.bits[at], 0.3), width=1, bottom=-DEEPEST, label=label, **mark)
    scale = np.asarray(inspection.codec.gaussian.scale_table)
    both = (inspection.with_, inspection.without)
    half = max(3.2, *(4 * scale[account.level[at]] for account in both))
    ends = [account.mean[at] + side for account in both for side in (-half, half, account.symbol[at])]
    axes.set_xlim(min(ends) - 1, max(ends) + 1)
    axes.set_ylim(-DEEPEST, 0)
    axes.set_yticks(range(-16, 1, 4), [str(bits) for bits in range(16, -1, -4)])
    symbol = inspection.file.symbol[at]
    plots.dress(axes, f"How likely? symbol {symbol}, {inspection.file.bits[at]:.2f} bits in the file", ylabel="bits")
    axes.legend(fontsize=7, framealpha=0.8, edgecolor="none", loc="upper right")


def _row(tables: Tables, account: Account, at: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Symbols that the table of this latent's level knows, and their bits."""
    level = account.level[at]
    counts = np.diff(tables.cdf[level][: tables.length[level]])[:-1]
    return tables.offset[level] + np.arange(len(counts)), 16 - np.log2(counts)


def _much(axes: Axes, inspection: Inspection, column: int, row: int, channel: int) -> None:
    ledger, group = inspection.ledger(column, row, channel), inspection.group_of(channel) + 1
    shown = round(ledger.group, 2)
    lines = [
        f"How much? this latent {ledger.latent:.2f} bits; its channel {ledger.channel:,.2f}; g{group} {shown:,.2f}",
        f"+ coder overhead {8 * ledger.segment - shown:.2f} bits = {ledger.segment:,} bytes of segment g{group}",
        f"+ other segments {ledger.payload - ledger.segment:,} + header {ledger.header:,} = file {ledger.file:,} bytes",
    ]
    axes.text(0, 1, "\n".join(lines), fontsize=9, va="top", color=plots.INK, linespacing=1.5)
    axes.set_axis_off()
