"""Dashboard: a training to watch while it runs, and to scrub through afterwards."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import traitlets as t
from PIL import Image

from ccalib.errors import CcaError
from ccalib.images import to_bytes
from ccalib.lessons import plots
from ccalib.lessons.text import about, aligned
from ccalib.lessons.widgets.base import LessonWidget
from ccalib.style import Z_COLOR

COLUMNS = ["step", "R (bpp)", "z", "first group", "D", "λD", "R + λD", "learning rate"]
ROWS = 10  # of the table
DRAWN = 160  # records at most; a longer log is thinned
STILLS = 4  # pictures of the static figure


class Dashboard(LessonWidget):
    """Rate by group, distortion, loss terms and learning rate over the steps, and a picture that gets better.

    It fills while a training calls `add` and `show`: each is sent to the browser at once, through traits.

    Args:
        name: what is trained, for the heading.
        groups: number of channel groups.
        total: planned steps; 0 if not known.

    Selection (synced): `selected`, an index into `records`; −1 follows the training.

    Raises:
        CcaError: no groups, or (`add`) steps that don't rise or another number of groups.
    """

    module = "dashboard.js"
    parts = ("maps.js", "dashboard_views.js")

    name = t.Unicode().tag(sync=True)
    records = t.List(t.Dict()).tag(sync=True)
    shots = t.List(t.Dict()).tag(sync=True)  # step, psnr, bpp of each picture
    pictures = t.List(t.Bytes()).tag(sync=True)
    mime = t.Unicode("image/webp").tag(sync=True)
    width = t.Int(0).tag(sync=True)
    height = t.Int(0).tag(sync=True)
    colors = t.List(t.Unicode()).tag(sync=True)  # of z and the groups
    total = t.Int(0).tag(sync=True)
    running = t.Bool(False).tag(sync=True)
    selected = t.Int(-1).tag(sync=True)

    def __init__(self, name: str, groups: int, total: int = 0, heading: str = "") -> None:
        if groups < 1:
            raise CcaError(f"dashboard: at least one group, not {groups}")
        colors = [Z_COLOR, *(plots.group_color(i, groups) for i in range(groups))]
        heading = heading or f"Training: {name}"
        super().__init__(heading=heading, name=name, colors=colors, total=total, columns=COLUMNS)

    @classmethod
    def from_log(cls, path: str | Path, name: str, heading: str = "") -> Dashboard:
        """A training that has ended, from its `log.jsonl`; long logs are thinned to means of neighbors.

        Raises:
            CcaError: not the log of a training.
        """
        try:
            entries = [json.loads(line) for line in Path(path).read_text().splitlines()]
            entries = [entry for entry in entries if entry["kind"] == "train"]
            made = cls(name, len(entries[0]["groups"]), entries[-1]["step"], heading)
            records = [_record(entry["step"], entry, entry["lr"]) for entry in entries]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise CcaError(f"{path}: not the log of a training ({error})") from error
        parts = np.array_split(np.arange(len(records)), min(len(records), DRAWN))
        made.records = [_mean([records[i] for i in part]) for part in parts]
        return made

    def add(self, step: int, terms: Mapping, rate: float) -> None:
        """The terms of the loss at a step (or their means over some): `groups` and `rate_z` in bpp, `distortion`,
        `plain` = R + λD; and the learning rate."""
        if len(terms["groups"]) != len(self.colors) - 1 or (self.records and step <= self.records[-1]["step"]):
            raise CcaError(f"dashboard: step {step} with {len(terms['groups'])} groups does not fit what is there")
        self.records = [*self.records, _record(step, terms, rate)]

    def show(self, step: int, image: Image.Image, psnr: float, bpp: float) -> None:
        """A photograph as the codec of this step decodes it."""
        data = to_bytes(image, format="WEBP", quality=88, method=4)
        with self.hold_sync():
            self.width, self.height = image.size
            self.pictures = [*self.pictures, data]
            self.shots = [*self.shots, {"step": step, "psnr": round(psnr, 2), "bpp": round(bpp, 3)}]

    def table_rows(self) -> list[list[str]]:
        """Some records as text, the first and the last among them."""
        some = np.unique(np.linspace(0, len(self.records) - 1, ROWS).round().astype(int)) if self.records else []
        rows = []
        for r in (self.records[i] for i in some):
            numbers = (sum(r["groups"]) + r["z"], r["z"], r["groups"][0], r["d"], r["cost"], r["sum"], r["lr"])
            rows.append([str(r["step"]), *(about(v, 3) for v in numbers)])
        return rows

    def summary(self) -> str:
        return f"{self.name}: {len(self.colors) - 1} groups" + (f", {self.total:,} steps" if self.total else "")

    def as_text(self) -> str:
        seen = [f"picture of step {s['step']}: {s['psnr']:.1f} dB at {s['bpp']:.2f} bpp" for s in self.shots]
        return "\n".join([self.summary(), aligned([self.columns, *self.table_rows()]), *seen])

    def static_png(self) -> bytes:
        fig = plots.figure(7.4, 4.0 if self.shots else 2.5)
        grid = fig.add_gridspec(2 if self.shots else 1, 1, height_ratios=[1.35, 1][: 2 if self.shots else 1])
        axes = grid[0].subgridspec(1, 3).subplots()
        steps = [r["step"] for r in self.records]
        layers = np.array([[r["z"], *r["groups"]] for r in self.records]).reshape(-1, len(self.colors)).T
        plots.dress(axes[0], "rate: z, then g1, g2, …", "step", "bits per pixel")
        plots.dress(axes[1], "R + λD (blue), R (orange)", "step", "bits per pixel")
        plots.dress(axes[2], "distortion D", "step", "MSE")
        if steps:
            axes[0].stackplot(steps, layers, colors=self.colors, linewidth=0)
            axes[0].set_ylim(0, _top(layers.sum(axis=0)))
            axes[1].plot(steps, [r["sum"] for r in self.records], color=plots.BLUE)
            axes[1].plot(steps, layers.sum(axis=0), color=plots.ORANGE, linewidth=1.2)
            axes[1].set_ylim(0, _top([r["sum"] for r in self.records]))
            axes[2].plot(steps, [r["d"] for r in self.records], color=plots.BLUE)
            axes[2].set_ylim(0, _top([r["d"] for r in self.records]))
        for axes_of in axes:
            axes_of.locator_params(axis="x", nbins=4)
            axes_of.set_xlabel("step", fontsize=8)
        if self.shots:
            _stills(fig, grid[1], self.pictures, self.shots)
        return plots.png(fig, colors=200)


def _top(values: Sequence[float]) -> float:
    """The end of a scale that a few steps gone wrong can't rule."""
    return 1.06 * min(max(values), 1.8 * float(np.quantile(values, 0.95, method="lower")))


def _stills(fig, place, pictures: Sequence[bytes], shots: Sequence[Mapping]) -> None:
    """Some of the pictures side by side, the first and the last among them."""
    some = np.unique(np.linspace(0, len(shots) - 1, STILLS).round().astype(int))
    cells = place.subgridspec(1, len(some), wspace=0.02).subplots(squeeze=False)[0]
    for axes, i in zip(cells, some, strict=True):
        shot = shots[i]
        image = Image.open(io.BytesIO(pictures[i]))
        plots.picture(axes, image, f"step {shot['step']}: {shot['psnr']:.1f} dB, {shot['bpp']:.2f} bpp")
        axes.title.set_fontsize(7.5)


def _record(step: int, terms: Mapping, rate: float) -> dict:
    """A step as the browser reads it: bits per pixel, MSE, λD and R + λD (means over the batch, not weighted)."""
    groups = [round(float(v), 5) for v in terms["groups"]]
    z, d, both = float(terms["rate_z"]), float(terms["distortion"]), float(terms["plain"])
    return {"step": int(step), "groups": groups, "z": round(z, 5), "d": round(d, 3), "sum": round(both, 5),
            "cost": round(both - z - sum(groups), 5), "lr": float(rate)}  # fmt: skip


def _mean(records: Sequence[Mapping]) -> dict:
    """The mean of neighboring records, at the step of the last."""
    numbers = {key: float(np.mean([r[key] for r in records])) for key in ("z", "d", "sum", "cost", "lr")}
    groups = np.mean([r["groups"] for r in records], axis=0).round(5).tolist()
    return {"step": records[-1]["step"], "groups": groups} | {key: float(f"{v:.5g}") for key, v in numbers.items()}
