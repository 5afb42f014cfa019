"""Bought: per group what the group before it bought, on the bars, on the photograph and in a histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import traitlets as t
from PIL import Image

from ccalib.errors import CcaError
from ccalib.images import to_bytes
from ccalib.lessons import packing, plots
from ccalib.lessons.bought import EDGES, MASKED, REFITTED, TRAINING, Purchase
from ccalib.lessons.text import aligned
from ccalib.lessons.widgets.base import LessonWidget

ABOUT = {
    REFITTED: "two models fitted alike to the frozen codec's latents, one of each support",
    TRAINING: "the codec's own model against the auxiliary model of its training; they were not fitted alike",
    MASKED: "the wrong ruler: the codec's own model with that group set to zero, an input it was never trained on",
}
COLUMNS = ["group", "bytes with", "bytes without", "bytes z only", "bought: bpp", "% of R_y", "bytes", "% negative"]


class Bought(LessonWidget):
    """Bars with and without the previous group and the bracket between them; gain maps; histograms of gains.

    Args:
        purchases: one or more, of any images, arms, seeds, rulers and steps (see `ccalib.lessons.bought`).
        photos: image name -> photograph, of the padded size that its gain maps cover; an image may lack it.
        heading: the line above.

    Selection (synced): `image`, `arm`, `ruler`, `step`, `group` (from 0) and `cell` ([column, row]); an `Inspector` of
    the same name on the page follows the cell.

    Raises:
        CcaError: no purchases, two of the same, different numbers of groups, or a photograph of another size.
    """

    module = "bought.js"
    parts = ("maps.js", "bought_views.js")

    records = t.List(t.Dict()).tag(sync=True)
    maps = t.List(t.Bytes()).tag(sync=True)  # float32, G×h×w
    names = t.List(t.Unicode()).tag(sync=True)  # images, in the order of `pictures` and `shapes`
    pictures = t.List(t.Bytes()).tag(sync=True)  # empty where there is none
    shapes = t.List(t.List(t.Int())).tag(sync=True)  # width, height
    mime = t.Unicode("image/webp").tag(sync=True)
    palette = t.Bytes().tag(sync=True)
    edges = t.List(t.Float()).tag(sync=True)
    rulers = t.Dict().tag(sync=True)  # ruler -> what it is

    image = t.Unicode().tag(sync=True)
    arm = t.Unicode().tag(sync=True)
    ruler = t.Unicode().tag(sync=True)
    step = t.Int(0).tag(sync=True)
    group = t.Int(0).tag(sync=True)
    cell = t.List(t.Int(), minlen=2, maxlen=2).tag(sync=True)

    def __init__(
        self,
        purchases: Sequence[Purchase],
        photos: Mapping[str, Image.Image] | None = None,
        heading: str = "What did the previous group buy?",
    ) -> None:
        photos = photos or {}
        self.purchases, self.photos = _checked(purchases, photos), dict(photos)
        first = self.purchases[0]
        names = list(dict.fromkeys(p.image for p in self.purchases))
        mapped = [p for p in self.purchases if p.gains is not None]
        start = int(first.gain[1:].argmax()) + 1 if len(first.gain) > 1 else 0
        super().__init__(
            heading=heading,
            records=[_record(p, mapped.index(p) if p in mapped else -1) for p in self.purchases],
            maps=[p.gains.astype("<f4").tobytes() for p in mapped],
            names=names,
            pictures=[to_bytes(photos[n], format="WEBP", quality=85, method=4) if n in photos else b"" for n in names],
            shapes=[list(photos[name].size) if name in photos else [0, 0] for name in names],
            palette=packing.palette(),
            edges=EDGES.tolist(),
            rulers={name: about for name, about in ABOUT.items() if any(p.ruler == name for p in self.purchases)},
            image=first.image,
            arm=first.arm,
            ruler=first.ruler,
            step=first.step,
            group=start,
            cell=_best(first, start),
            columns=COLUMNS,
        )  # fmt: skip

    @property
    def selected(self) -> Purchase:
        """The purchase that is shown (of several seeds the first)."""
        wanted = (self.image, self.arm, self.ruler, self.step)
        return next((p for p in self.purchases if (p.image, p.arm, p.ruler, p.step) == wanted), self.purchases[0])

    def table_rows(self) -> list[list[str]]:
        """The selected purchase as text."""
        p, rows = self.selected, []
        for i, gain in enumerate(p.gain):
            z_only = "" if p.z_only is None else f"{p.z_only[i] / 8:,.0f}"
            negative = "" if p.negative is None else f"{100 * p.negative[i]:.0f}"
            rows.append([f"g{i + 1}", f"{p.with_[i] / 8:,.0f}", f"{p.without[i] / 8:,.0f}", z_only,
                         f"{gain / p.pixels:+.4f}", f"{100 * p.share[i]:+.1f}", f"{gain / 8:+,.0f}",
                         negative])  # fmt: skip
        return rows

    def summary(self) -> str:
        count = {name: len({getattr(p, name) for p in self.purchases}) for name in ("image", "arm", "ruler", "step")}
        return f"{len(self.purchases[0].with_)} groups, " + ", ".join(f"{name}s: {n}" for name, n in count.items())

    def as_text(self) -> str:
        p = self.selected
        return f"{p.image}, {p.arm}, {p.ruler} ruler\n{aligned([self.columns, *self.table_rows()])}"

    def static_png(self) -> bytes:
        p, photo = self.selected, self.photos.get(self.selected.image)
        fig = plots.figure(7.4, 2.9)
        shown = photo is not None and p.gains is not None
        axes = fig.subplots(1, 2 if shown else 1, width_ratios=[1.25, 1] if shown else [1], squeeze=False)[0]
        _bars(axes[0], p)
        if shown:
            _map(axes[1], p, photo, self.group)
        return plots.png(fig, colors=200)


def _checked(purchases: Sequence[Purchase], photos: Mapping[str, Image.Image]) -> list[Purchase]:
    if not purchases:
        raise CcaError("bought: no purchases")
    keys = [(p.image, p.arm, p.seed, p.ruler, p.step) for p in purchases]
    for key in keys:
        if keys.count(key) > 1:
            raise CcaError(f"bought: twice the same image, arm, seed, ruler and step: {key}")
    if len({len(p.with_) for p in purchases}) > 1:
        raise CcaError("bought: purchases of different numbers of groups")
    for p in purchases:
        if p.gains is None or p.image not in photos:
            continue
        (width, height), (rows, columns) = photos[p.image].size, p.gains.shape[1:]
        if (width, height) != (16 * columns, 16 * rows):
            raise CcaError(f"bought: {p.image}: {width}×{height} pixels, but gains of {columns}×{rows} cells: pad it")
    return list(purchases)


def _record(p: Purchase, place: int) -> dict:
    """A purchase as the browser reads it; `map` is its place in `maps`, or −1."""
    lists = {"with": p.with_, "without": p.without, "z": p.z_only, "negative": p.negative, "counts": p.counts}
    whose = {name: getattr(p, name) for name in ("image", "arm", "seed", "ruler", "step", "pixels")}
    return whose | {"map": place} | {name: [] if v is None else v.tolist() for name, v in lists.items()}


def _best(p: Purchase, group: int) -> list[int]:
    """The cell where the group gained most, or the first."""
    if p.gains is None:
        return [0, 0]
    row, column = np.unravel_index(p.gains[group].argmax(), p.gains[group].shape)
    return [int(column), int(row)]


def _bars(axes, p: Purchase) -> None:
    at, bpp = np.arange(len(p.with_)), lambda bits: bits / p.pixels
    axes.bar(at - 0.25, bpp(p.with_), 0.28, color=plots.BLUE, label="with the group before")
    axes.bar(at + 0.05, bpp(p.without), 0.28, fill=False, edgecolor=plots.INK, linewidth=1.4, label="without it")
    if p.z_only is not None:
        axes.bar(at + 0.3, bpp(p.z_only), 0.14, color="white", edgecolor=plots.GRAY, hatch="/////", label="z only")
    for i, gain in enumerate(p.gain):
        top = bpp(max(p.with_[i], p.without[i], 0 if p.z_only is None else p.z_only[i]))
        color = plots.GRAY if i == 0 else plots.BLUE if gain >= 0 else plots.ORANGE
        words = f"{'error ' if i == 0 else ''}{bpp(gain):+.3f}\n{100 * p.share[i]:+.1f} %\n{gain / 8:+,.0f} B"
        axes.text(i, top, words, ha="center", va="bottom", fontsize=7, color=color)
    plots.dress(axes, f"{p.image}, {p.arm}: {p.ruler} ruler", ylabel="bits per pixel")
    axes.set_xticks(at, [f"g{i + 1}" for i in at])
    axes.margins(y=0.32)
    axes.legend(fontsize=7, frameon=False, loc="upper left", ncols=3)


def _map(axes, p: Purchase, photo: Image.Image, group: int) -> None:
    gains, gray = p.gains[group], np.asarray(photo.convert("L"), dtype=np.float64)[..., None].repeat(3, axis=2)
    gray = 58 + 0.34 * gray  # as the browser mutes it, so that zero is gray
    top = np.quantile(np.abs(gains), 0.995) or 1.0
    large = gains.repeat(16, 0).repeat(16, 1)[..., None]
    alpha = 0.92 * np.sqrt(np.clip(np.abs(large) / top, 0, 1))
    color = np.where(large >= 0, (11.0, 98.0, 168.0), (208.0, 106.0, 0.0))
    y, x = np.indices(gray.shape[:2])
    lines = ((x + y) % 16 < 3)[..., None] & (large < -0.02 * top)
    axes.imshow(np.where(lines, 25, gray * (1 - alpha) + color * alpha).astype(np.uint8))
    title = f"bits bought for g{group + 1}, ±{top:.0f} a cell; hatched: cost"
    axes.set_title(title, fontsize=8, loc="left", color=plots.INK)
    axes.set_axis_off()
