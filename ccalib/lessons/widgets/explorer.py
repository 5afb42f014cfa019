"""Explorer: the latents of one place by energy, and what each of them paints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import traitlets as t
from PIL import Image

from ccalib.lessons import plots
from ccalib.lessons.painting import PX, SHOWN, inside, painted, visible
from ccalib.lessons.pixels import pack
from ccalib.lessons.widgets.base import LessonWidget, Pictures
from ccalib.model.codec import Codec

WAYS = ("in the photograph", "alone")
LEAST = 4.0  # of 255: a weaker stroke is shown weak


class Explorer(LessonWidget, Pictures):
    """Click a channel, and see what its latent paints at the chosen place: in the photograph, or alone on gray.

    Args:
        photo: the photograph; y_hat: its rounded latent, 1×M×h×w; quality: a tensor of one quality.
        places: name -> (column, row) of the cells to explore.
        channels: which channels, the first first (sorted by energy, say).
        heading: the line above.

    Selection (synced): `selected` (index into `channels`), `place` (index), `alone`.

    Raises:
        CcaError: a place outside the latent.
    """

    module = "explorer.js"

    places = t.List(t.Unicode()).tag(sync=True)
    cells = t.List(t.List(t.Int())).tag(sync=True)  # pixels: left, top of each place's cell
    corners = t.List(t.List(t.Int())).tag(sync=True)  # pixels: left, top of the square that is shown
    tile = t.Int(PX * SHOWN).tag(sync=True)
    channels = t.List(t.Int()).tag(sync=True)
    captions = t.List(t.Unicode()).tag(sync=True)  # under each thumbnail
    selected = t.Int(0).tag(sync=True)
    place = t.Int(0).tag(sync=True)
    alone = t.Bool(False).tag(sync=True)

    def __init__(
        self,
        codec: Codec,
        photo: Image.Image,
        y_hat: torch.Tensor,
        quality: torch.Tensor,
        places: Mapping[str, tuple[int, int]],
        channels: Sequence[int],
        heading: str = "What does one latent paint?",
    ) -> None:
        ends = np.cumsum(codec.preset.sizes)
        sheets, sentences, corners, rows = [], [], [], []
        for name, cell in places.items():
            for way in WAYS:
                strokes, corner = painted(codec, y_hat, quality, cell, channels, alone=way == "alone")
                sheets.append(Image.fromarray(np.concatenate([visible(stroke, LEAST) for stroke in strokes])))
                for channel, stroke in zip(channels, strokes):
                    value, most = round(float(y_hat[0, channel, cell[1], cell[0]])), float(np.abs(stroke).max())
                    group = f"g{np.searchsorted(ends, channel, 'right') + 1}"
                    share = f"{100 * inside(stroke, corner, cell):.0f}"
                    change = f"it changes pixels by up to {most:.0f} of 255; {share} % of the change is inside its cell"
                    sentences.append(
                        f"Channel {channel} (in {group}) at the {name} has the value {value}. {way.capitalize()} "
                        f"{change if most >= 1 else 'it changes next to nothing'}."
                    )
                    rows.append([str(channel), group, name, way, str(value), f"{most:.0f}", share])
            corners.append(list(corner))
        self.photo, self.sheets = photo, sheets
        super().__init__(
            heading=heading,
            images=[pack(photo), *map(pack, sheets)],
            width=photo.width,
            height=photo.height,
            places=list(places),
            cells=[[PX * column, PX * row] for column, row in places.values()],
            corners=corners,
            channels=list(channels),
            captions=[f"{channel}" for channel in channels],
            sentences=sentences,
            columns=["channel", "group", "place", "way", "value", "largest change", "% inside the cell"],
            rows=rows,
        )

    def summary(self) -> str:
        return f"{len(self.channels)} channels at {', '.join(self.places)}"

    def sheet(self, place: int, alone: bool) -> list[np.ndarray]:
        """The tiles of one place, 80×80×3 each, in the order of `channels`."""
        return np.split(np.asarray(self.sheets[2 * place + alone]), len(self.channels))

    def static_png(self) -> bytes:
        shown = min(len(self.channels), 10)
        fig = plots.figure(7.6, 0.25 + 0.92 * len(self.places))
        axes = fig.subplots(len(self.places), shown + 1, squeeze=False)
        for line, name in enumerate(self.places):
            left, top = self.corners[line]
            tiles = [np.asarray(self.photo.convert("RGB"))[top : top + self.tile, left : left + self.tile]]
            tiles += self.sheet(line, alone=False)[:shown]
            for i, (ax, tile) in enumerate(zip(axes[line], tiles)):
                ax.imshow(tile, interpolation="nearest")
                ax.set_axis_off()
                ax.set_title(name if i == 0 else f"ch. {self.channels[i - 1]}", fontsize=7, color=plots.INK, pad=2)
        return plots.png(fig, colors=96)
