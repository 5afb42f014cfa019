"""ScheduleDesigner: G, k and M of a schedule, and what follows: sizes, cost, steps, and the bits that are predicted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets as t

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.filling import group_shares, misplaced
from ccalib.lessons.schedules import CELLS, context_kmac, scheduled
from ccalib.lessons.trained import Trained
from ccalib.lessons.widgets.base import LessonWidget
from ccalib.model.presets import PRESETS

NETWORKS = ("tiny", "small", "paper")
LIMITS = {"groups": [1, 12, 1], "k": [0.0, 3.0, 0.1], "channels": [16, 384, 8], "bpp": [0.05, 1.5, 0.0]}


class ScheduleDesigner(LessonWidget):
    """Sliders for the number of groups, the exponent and the channels; bars of channels, bits and cost; the error of
    the predicted bits at every schedule that was trained.

    Args:
        eigenvalues: variances of the KLT components by falling energy, at least 384.
        trained: schedules with measured shares (see `ccalib.lessons.trained`).
        missing: labels of schedules that are still to be trained.
        network: whose contexts are counted: "tiny", "small" or "paper"; the schedule starts as its own.
        bpp: bits of y a pixel, 0.05 … 1.5.
        heading: the line above.

    Selection (synced): `groups`, `k`, `channels`, `network` (index into `NETWORKS`), `bpp`.

    Raises:
        CcaError: too few eigenvalues, an unknown network, or a rate outside the slider.
    """

    module = "schedule.js"
    parts = ("schedule_count.js",)

    eigenvalues = t.List(t.Float()).tag(sync=True)
    networks = t.List(t.Dict()).tag(sync=True)
    trained = t.List(t.Dict()).tag(sync=True)
    missing = t.List(t.Unicode()).tag(sync=True)
    palette = t.List(t.List(t.Unicode())).tag(sync=True)  # colors of G groups, G = 1 …
    limits = t.Dict(LIMITS).tag(sync=True)  # lowest, highest, step
    cells = t.Int(CELLS).tag(sync=True)

    groups = t.Int(5).tag(sync=True)
    k = t.Float(1.7).tag(sync=True)
    channels = t.Int(96).tag(sync=True)
    network = t.Int(0).tag(sync=True)
    bpp = t.Float(0.5).tag(sync=True)

    def __init__(
        self,
        eigenvalues: Sequence[float],
        trained: Sequence[Trained] = (),
        missing: Sequence[str] = (),
        network: str = "tiny",
        bpp: float = 0.5,
        heading: str = "Design a schedule",
    ) -> None:
        most = LIMITS["channels"][1]
        if len(eigenvalues) < most or network not in NETWORKS:
            raise CcaError(f"schedule: at least {most} eigenvalues and a network of {', '.join(NETWORKS)} are wanted")
        if not LIMITS["bpp"][0] <= bpp <= LIMITS["bpp"][1]:
            raise CcaError(f"schedule: bpp: from {LIMITS['bpp'][0]} to {LIMITS['bpp'][1]}, not {bpp}")
        self.points = list(trained)
        start = PRESETS[network]
        super().__init__(
            heading=heading,
            eigenvalues=[float(v) for v in eigenvalues[:most]],
            networks=[_network(name) for name in NETWORKS],
            trained=[_point(point) for point in self.points],
            missing=list(missing),
            palette=[[plots.group_color(i, n) for i in range(n)] for n in range(1, LIMITS["groups"][1] + 1)],
            groups=start.groups,
            k=start.k,
            channels=start.latent,
            network=NETWORKS.index(network),
            bpp=bpp,
            columns=["group", "channels", "% of bits, predicted", "% measured", "kMAC a pixel"],
        )
        self.rows = self.table_rows()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels of each group. Raises CcaError: an impossible schedule."""
        return scheduled(PRESETS[NETWORKS[self.network]], self.channels, self.groups, self.k).sizes

    @property
    def kmac(self) -> list[float]:
        """Thousands of multiply–accumulates a pixel of each group's context. Raises CcaError."""
        return context_kmac(scheduled(PRESETS[NETWORKS[self.network]], self.channels, self.groups, self.k))

    @property
    def shares(self) -> list[float]:
        """Percent of y's bits that each group is predicted to get. Raises CcaError."""
        return group_shares(self.sizes, np.array(self.eigenvalues), self.bpp).tolist()

    @property
    def point(self) -> Trained | None:
        """The trained schedule that is shown."""
        shown = (self.network, self.channels, self.groups, self.k)
        same = (p for p, d in zip(self.points, self.trained) if _key(d) == shown)
        return next(same, None)

    def error(self, point: Trained) -> float | None:
        """Percent of a trained schedule's bits that are predicted in the wrong group at this rate."""
        measured = point.at(self.bpp)
        if measured is None:
            return None
        return misplaced(group_shares(point.preset.sizes, np.array(self.eigenvalues), self.bpp), measured)

    def sentence(self) -> str:
        """What the live region says."""
        try:
            sizes, kmac, shares = self.sizes, self.kmac, self.shares
        except CcaError as refused:
            return str(refused)
        point, measured = self.point, self.point and self.point.at(self.bpp)
        plural, in_percent = ("s" if self.groups > 1 else ""), lambda values: ", ".join(f"{v:.0f}" for v in values)
        text = (
            f"{self.groups} group{plural} of {', '.join(map(str, sizes))} channels (M = {self.channels}, "
            f"k = {self.k:g}): {self.groups + 1} steps one after the other, contexts of {sum(kmac):.2f} kMAC a pixel. "
            f"At {self.bpp:g} bits a pixel predicted: {in_percent(shares)} % of the bits."
        )
        if point is None:
            return f"{text} Not trained."
        if measured is None:
            return f"{text} Trained, but not measured at this rate ({point.bpp[0]:.2f} to {point.bpp[-1]:.2f})."
        runs = f"{point.seeds} run{'s' if point.seeds > 1 else ''}"
        off = f"{self.error(point):.1f} % were predicted in the wrong group"
        return f"{text} Trained ({runs}): {in_percent(measured)} %, so {off}."

    def table_rows(self) -> list[list[str]]:
        """The selected schedule as text."""
        try:
            columns = self.sizes, self.shares, self.kmac
        except CcaError:
            return [["refused", "", "", "", ""]]
        measured = (self.point and self.point.at(self.bpp)) or []
        cells = [f"{v:.1f}" for v in measured] or [""] * self.groups
        return [[f"g{i + 1}", str(size), f"{share:.1f}", cells[i], f"{cost:.3f}"]
                for i, (size, share, cost) in enumerate(zip(*columns))]  # fmt: skip

    def summary(self) -> str:
        return f"G = {self.groups}, k = {self.k:g}, M = {self.channels}, {NETWORKS[self.network]}"

    def as_text(self) -> str:
        return f"{self.sentence()}\n{super().as_text()}"

    def static_png(self) -> bytes:
        known = [(p.label, self.error(p)) for p in self.points]
        fig = plots.figure(7.4, 4.0 if known else 2.3)
        top, *below = fig.subfigures(2, 1, height_ratios=[1.3, 1]) if known else [fig]
        try:
            columns = self.sizes, self.shares, self.kmac
        except CcaError as refused:
            columns = ()
            top.text(0.02, 0.5, f"refused: {refused}", color=plots.ORANGE, fontsize=9)
        measured = self.point and self.point.at(self.bpp)
        titles = ("channels", "% of bits" + (", ◆ measured" if measured else ", predicted"), "kMAC a pixel")
        for axes, title, values in zip(top.subplots(1, 3) if columns else (), titles, columns):
            colors = [plots.group_color(i, self.groups) for i in range(self.groups)]
            axes.bar(range(self.groups), values, color=colors, width=0.75)
            plots.dress(axes, title)
            axes.set_xticks(range(self.groups), [f"g{i + 1}" for i in range(self.groups)])
            if values is columns[1] and measured:
                axes.plot(measured, "D", color=plots.ORANGE, markersize=5)
        if known:
            axes = below[0].subplots()
            shown = [0 if error is None else error for _, error in known]
            colors = [plots.BLUE if p is self.point else plots.GRAY for p in self.points]
            axes.vlines(range(len(known)), 0, shown, colors=colors, linewidth=2)
            axes.scatter(range(len(known)), shown, color=colors, s=24, zorder=3)
            plots.dress(axes, f"trained, at {self.bpp:g} bits a pixel: % of bits predicted in the wrong group")
            axes.set_xticks(range(len(known)), [label for label, _ in known])
            axes.set_ylim(0)
        return plots.png(fig, colors=64)


def _network(name: str) -> dict:
    """What the browser's count needs of a preset's contexts, and the preset's own schedule."""
    p = PRESETS[name]
    return {"name": name, "split": p.split_context, "hyper_out": p.hyper_out, "width": p.context_width,
            "blocks": p.context_blocks, "heads": list(p.head_widths),
            "channels": p.latent, "groups": p.groups, "k": p.k}  # fmt: skip


def _point(point: Trained) -> dict:
    p = point.preset
    return {"name": point.name, "label": point.label, "network": NETWORKS.index(p.name), "channels": p.latent,
            "groups": p.groups, "k": p.k, "seeds": point.seeds, "bpp": point.bpp, "shares": point.shares}  # fmt: skip


def _key(point: dict) -> tuple:
    return tuple(point[name] for name in ("network", "channels", "groups", "k"))
