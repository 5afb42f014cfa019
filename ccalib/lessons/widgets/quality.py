"""Quality: a slider over pre-rendered qualities beside the rate-distortion curve they lie on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import traitlets as t

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.pixels import Picture, pack
from ccalib.lessons.text import thousands
from ccalib.lessons.widgets.base import LessonWidget, Pictures


class Quality(LessonWidget, Pictures):
    """One photograph at several qualities: picture, bytes, bits per pixel, PSNR, and the curve.

    Args:
        qualities: the values of the slider, increasing.
        pictures: the decode at each, with its size in bytes and its PSNR.
        others: name -> (bits per pixel, PSNR) points of other codecs on the same photograph; drawn dashed.
        heading: the line above the picture.

    Selection (synced): `selected`, an index into `qualities`.

    Raises:
        CcaError: lengths differ, or a picture lacks size or PSNR.
    """

    module = "quality.js"

    qualities = t.List(t.Float()).tag(sync=True)
    bpps = t.List(t.Float()).tag(sync=True)
    psnrs = t.List(t.Float()).tag(sync=True)
    others = t.Dict().tag(sync=True)
    captions = t.List(t.Unicode()).tag(sync=True)
    selected = t.Int(0).tag(sync=True)

    def __init__(
        self,
        qualities: Sequence[float],
        pictures: Sequence[Picture],
        others: Mapping[str, Sequence[tuple[float, float]]] | None = None,
        heading: str = "One model, every quality",
    ) -> None:
        if len(qualities) != len(pictures) or not pictures:
            raise CcaError(f"quality: {len(qualities)} qualities but {len(pictures)} pictures")
        if any(one.size is None or one.psnr is None for one in pictures):
            raise CcaError("quality: every picture needs its size and its PSNR")
        self.pictures = list(pictures)
        width, height = pictures[0].image.size
        bpps = [8 * one.size / (width * height) for one in pictures]
        rows = [[f"{q:g}", thousands(one.size), f"{bpp:.3f}", f"{one.psnr:.2f}"]
                for q, one, bpp in zip(qualities, pictures, bpps, strict=True)]  # fmt: skip
        super().__init__(
            heading=heading,
            images=[pack(one.image) for one in pictures],
            width=width,
            height=height,
            qualities=[float(q) for q in qualities],
            bpps=bpps,
            psnrs=[float(one.psnr) for one in pictures],
            others={name: [[float(x), float(y)] for x, y in sorted(curve)] for name, curve in (others or {}).items()},
            captions=[f"quality {row[0]} · {row[1]} bytes · {row[2]} bit per pixel · {row[3]} dB" for row in rows],
            sentences=[f"Quality {row[0]}: {row[1]} bytes, {row[2]} bit per pixel, PSNR {row[3]} dB." for row in rows],
            selected=len(rows) // 2,
            columns=["quality", "bytes", "bit per pixel", "PSNR (dB)"],
            rows=rows,
        )

    def summary(self) -> str:
        return f"qualities {', '.join(f'{q:g}' for q in self.qualities)}"

    def static_png(self) -> bytes:
        fig = plots.figure(7.4, 3.0)
        grid = fig.add_gridspec(2, 2, width_ratios=[1, 1.9])
        for line, index in enumerate((0, len(self.pictures) - 1)):
            one = self.pictures[index]
            small = one.image.convert("RGB").resize((230, round(230 * self.height / self.width)))
            title = f"quality {self.qualities[index]:g} · {one.psnr:.1f} dB"
            plots.picture(fig.add_subplot(grid[line, 0]), small, title)
        axes = fig.add_subplot(grid[:, 1])
        plots.dress(axes, xlabel="rate: bits per pixel", ylabel="PSNR in dB")
        for name, points in self.others.items():
            axes.plot(*zip(*points, strict=True), "--", color=plots.ORANGE, linewidth=1.5, label=name)
        axes.plot(self.bpps, self.psnrs, "o-", color=plots.BLUE, linewidth=2, label="ccalib")
        for q, bpp, psnr in zip(self.qualities, self.bpps, self.psnrs, strict=True):
            axes.annotate(f"{q:g}", (bpp, psnr), textcoords="offset points", xytext=(-2, 7), ha="right", fontsize=8)
        axes.set_xlim(0, 1.04 * max(self.bpps))
        axes.margins(y=0.15)
        axes.legend(fontsize=8, frameon=False, loc="lower right")
        return plots.png(fig, colors=64)
