"""Wipe: a reference on the left, another picture on the right, a divider to drag between them."""

from __future__ import annotations

import numpy as np
import traitlets as t

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.pixels import Picture, pack
from ccalib.lessons.text import thousands
from ccalib.lessons.widgets.base import LessonWidget, Pictures


class Wipe(LessonWidget, Pictures):
    """Compare a reference with one picture or with several, of the same size.

    Args:
        reference: what is left of the divider.
        candidates: what can be chosen for the right.
        position: where the divider starts, 0 (left edge) to 1.
        zoom: 1, 2 or 4.
        heading: the line above the picture.

    Selection (synced): `position`, `candidate`, `zoom`.

    Raises:
        CcaError: no candidate, or pictures of different sizes.
    """

    module = "wipe.js"

    labels = t.List(t.Unicode()).tag(sync=True)
    position = t.Float(0.5).tag(sync=True)
    focus_y = t.Float(0.5).tag(sync=True)
    candidate = t.Int(0).tag(sync=True)
    zoom = t.Int(1).tag(sync=True)

    def __init__(
        self,
        reference: Picture,
        *candidates: Picture,
        position: float = 0.5,
        zoom: int = 1,
        heading: str = "Wipe",
    ) -> None:
        if not candidates:
            raise CcaError("wipe: at least one picture to compare with is needed")
        self.pictures = [reference, *candidates]
        for one in candidates:
            if one.image.size != reference.image.size:
                raise CcaError(f"wipe: {one.name} is {one.image.size} pixels, {reference.name} {reference.image.size}")
        super().__init__(
            heading=heading,
            images=[pack(one.image) for one in self.pictures],
            labels=[one.label for one in self.pictures],
            width=reference.image.width,
            height=reference.image.height,
            position=position,
            zoom=zoom,
            columns=["picture", "bytes", "PSNR (dB)"],
            rows=[
                [
                    one.name,
                    "" if one.size is None else thousands(one.size),
                    "" if one.psnr is None else f"{one.psnr:.2f}",
                ]
                for one in self.pictures
            ],
        )

    def summary(self) -> str:
        return " | ".join(one.name for one in self.pictures)

    def static_png(self) -> bytes:
        reference, candidates = self.pictures[0], self.pictures[1:]
        each = min(3.6, 7.2 / len(candidates))  # inches
        fig = plots.figure(each * len(candidates), each * self.height / self.width + 0.35)
        split = round(self.position * self.width)
        for index, one in enumerate(candidates):
            axes = fig.add_subplot(1, len(candidates), index + 1)
            both = np.asarray(one.image.convert("RGB")).copy()
            both[:, :split] = np.asarray(reference.image.convert("RGB"))[:, :split]
            plots.picture(axes, plots.Image.fromarray(both), f"left: {reference.label}\nright: {one.label}")
            axes.axvline(split - 0.5, color="white", linewidth=1.5)
        return plots.png(fig, colors=64)
