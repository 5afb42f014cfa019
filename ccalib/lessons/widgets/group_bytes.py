"""GroupBytes: where the bytes of one file are, part by part; the parts add up to the file's size."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets as t

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.text import thousands
from ccalib.lessons.widgets.base import LessonWidget


class GroupBytes(LessonWidget):
    """The parts of a `.cca` file: header, z, g1 ... gG, as wide as their share of the bytes.

    Args:
        info: what `ccalib.inspect` returns.
        channels: channels of each group, for the cards; optional.
        heading: the line above the strip.

    Selection (synced): `selected`, the index of a part.

    Raises:
        CcaError: the parts don't add up to the file's size.
    """

    module = "group_bytes.js"

    names = t.List(t.Unicode()).tag(sync=True)
    sizes = t.List(t.Int()).tag(sync=True)
    colors = t.List(t.Unicode()).tag(sync=True)
    inks = t.List(t.Unicode()).tag(sync=True)
    notes = t.List(t.Unicode()).tag(sync=True)
    selected = t.Int(0).tag(sync=True)

    def __init__(self, info, channels: Sequence[int] | None = None, heading: str = "Where are the bytes?") -> None:
        names = ["header", *(segment.name for segment in info.segments)]
        sizes = [info.header, *(segment.length for segment in info.segments)]
        if sum(sizes) != info.size:
            raise CcaError(f"group bytes: the parts add up to {sum(sizes)} bytes, the file has {info.size}")
        colors = plots.segment_colors(names)
        channel_of = dict(zip([name for name in names if name.startswith("g")], channels or [], strict=False))
        rows = [[name, thousands(size), thousands(8 * size), f"{100 * size / info.size:.1f}"]
                for name, size in zip(names, sizes, strict=True)]  # fmt: skip
        super().__init__(
            heading=heading,
            names=names,
            sizes=sizes,
            colors=colors,
            inks=[plots.ink_on(color) for color in colors],
            notes=[f"{channel_of[name]} ch" if name in channel_of else "" for name in names],
            selected=len(names) - 1,
            columns=["part", "bytes", "bits", "% of the file"],
            rows=[*rows, ["sum", thousands(info.size), thousands(8 * info.size), "100.0"]],
            sentences=[
                f"{_spoken(row[0])}{f', {channel_of[row[0]]} channels' if row[0] in channel_of else ''}: "
                f"{row[1]} bytes = {row[2]} bits, {row[3]} % of the file."
                for row in rows
            ],
        )

    def summary(self) -> str:
        return " + ".join(self.names) + " = the whole file"

    def static_png(self) -> bytes:
        fig = plots.figure(7.4, 1.5)
        axes = fig.add_subplot()
        start, total, step = 0, sum(self.sizes), sum(self.sizes) / len(self.sizes)
        for i, (name, size, color) in enumerate(zip(self.names, self.sizes, self.colors, strict=True)):
            axes.barh(1, size, left=start, color=color, edgecolor="white", linewidth=0.6, height=0.8)
            middle = (i + 0.5) * step
            axes.plot([start + size / 2, middle], [0.58, 0.22], color=color, linewidth=1.2, clip_on=False)
            card = f"{name}\n{thousands(size)} B\n{100 * size / total:.1f} %"
            axes.text(middle, 0.14, card, ha="center", va="top", fontsize=8)
            start += size
        axes.set_title(f"one file, {thousands(total)} bytes", fontsize=9, loc="left")
        axes.set_xlim(0, total)
        axes.set_ylim(-0.95, 1.45)
        axes.set_axis_off()
        return plots.png(fig, colors=48)


def _spoken(name: str) -> str:
    """'g3' -> 'Group 3 (g3)'."""
    if name.startswith("g"):
        return f"Group {name[1:]} ({name})"
    return {"z": "Hyper-latent (z)", "header": "Header"}.get(name, name)
