"""Progressive: a slider over the bytes of a real file, and what a file cut there still shows."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets as t
from PIL import Image

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.pixels import pack
from ccalib.lessons.text import size_text, thousands
from ccalib.lessons.widgets.base import LessonWidget, Pictures


class Progressive(LessonWidget, Pictures):
    """Cut a `.cca` file anywhere and see the decode of the whole groups it still holds.

    Args:
        info: what `ccalib.inspect` returns for the whole file.
        decodes: G + 1 images, `ccalib.decode(data, groups=i)` for i from 0 to G.
        psnrs: their PSNR against the original, in dB.
        heading: the line above the picture.

    Selection (synced): `cut`, the bytes kept. `held` says how many whole groups that leaves.

    Raises:
        CcaError: the number of images is not the number of groups plus one.
    """

    module = "progressive.js"

    names = t.List(t.Unicode()).tag(sync=True)
    ends = t.List(t.Int()).tag(sync=True)  # byte offsets at which header, z, g1 ... gG are complete
    colors = t.List(t.Unicode()).tag(sync=True)
    inks = t.List(t.Unicode()).tag(sync=True)
    captions = t.List(t.Unicode()).tag(sync=True)
    cut = t.Int(0).tag(sync=True)

    def __init__(
        self,
        info,
        decodes: Sequence[Image.Image],
        psnrs: Sequence[float],
        heading: str = "Cut the file",
    ) -> None:
        groups = len(info.segments) - 1
        if len(decodes) != groups + 1 or len(psnrs) != groups + 1:
            raise CcaError(f"progressive: {groups} groups need {groups + 1} decodes and PSNRs, not {len(decodes)}")
        self.decodes, self.psnrs = list(decodes), list(psnrs)
        ends = segment_ends(info)
        names = ["header", *(segment.name for segment in info.segments)]
        colors = plots.segment_colors(names)
        super().__init__(
            heading=heading,
            images=[pack(image) for image in decodes],
            width=decodes[0].width,
            height=decodes[0].height,
            names=names,
            ends=ends,
            colors=colors,
            inks=[plots.ink_on(color) for color in colors],
            cut=ends[-1],
            captions=[f"{_groups(i, groups)} · {value:.1f} dB" for i, value in enumerate(psnrs)],
            sentences=[f"{_groups(i, groups)} whole, PSNR {value:.1f} dB." for i, value in enumerate(psnrs)],
            columns=["whole groups", "bytes needed", "% of the file", "PSNR (dB)"],
            rows=[
                [str(i), thousands(end), f"{100 * end / ends[-1]:.1f}", f"{value:.2f}"]
                for i, (end, value) in enumerate(zip(ends[1:], psnrs, strict=True))
            ],
        )

    @property
    def held(self) -> int:
        """Whole groups left at `cut`: 0 to G, or −1 where the file is refused (cut inside the header or z)."""
        return max(sum(end <= self.cut for end in self.ends) - 2, -1)

    def summary(self) -> str:
        return f"cut anywhere: {len(self.decodes) - 1} groups, {len(self.decodes)} pictures"

    def static_png(self) -> bytes:
        columns = min(3, len(self.decodes))
        lines = -(-len(self.decodes) // columns)
        fig = plots.figure(7.2, lines * (2.4 * self.height / self.width + 0.22))
        for i, (image, value) in enumerate(zip(self.decodes, self.psnrs, strict=True)):
            small = image.convert("RGB").resize((230, round(230 * self.height / self.width)))
            title = f"{i} groups · {size_text(self.ends[i + 1])} · {value:.1f} dB"
            plots.picture(fig.add_subplot(lines, columns, i + 1), small, title)
        return plots.png(fig, colors=64)


def segment_ends(info) -> list[int]:
    """Byte offsets at which a file's parts are complete: header, z, g1 ... gG. The last is the file's size."""
    return [info.segments[0].start, *(segment.start + segment.length for segment in info.segments)]


def _groups(held: int, groups: int) -> str:
    return f"{held} of {groups} groups"
