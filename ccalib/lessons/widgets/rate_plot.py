"""RatePlot: rate-distortion curves with tooltips, and the BD-rate of all of them against an anchor of one's choice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import traitlets as t

from ccalib import style
from ccalib.errors import CcaError
from ccalib.evaluation import reference
from ccalib.evaluation.metrics import bd_rate
from ccalib.evaluation.plot import BELOW, RATES, draw
from ccalib.evaluation.summary import OURS
from ccalib.lessons import plots
from ccalib.lessons.widgets.base import LessonWidget

METRICS = {"psnr": "PSNR", "ms_ssim": "MS-SSIM"}
KINDS = {"live": "run here", "sourced": "from the literature"}
DARK = {"ccalib": "#6cb6f0", "jpeg": "#ffab66", "webp": "#3ecf9f", "jpeg2000": "#e79ac6", "avif": "#ff7b72",
        "heic": "#c3b5fd", "jxl": "#e8eaee"}  # fmt: skip
MINUS = "\N{MINUS SIGN}"


def ms_ssim_db(value: float) -> float:
    """−10 log₁₀(1 − MS-SSIM), in dB: how MS-SSIM is plotted, since all of its interest lies just below 1."""
    return float(-10 * np.log10(1 - value))


class RatePlot(LessonWidget):
    """The curves of a result: those run here with markers, those of the literature dashed, each point explained.

    Args:
        result: what `ccalib evaluate` wrote. On Kodak, curves of the literature stand beside its own.
        anchor: name of the curve that BD-rates are taken against, or None.
        heading: the line above the plot.

    Selection (synced): `curve`, `point`, `anchor` (−1: none), `metric` ("psnr" or "ms_ssim"), `log`, `hidden`.

    Raises:
        CcaError: no such anchor, or no results.
    """

    module = "rate_plot.js"
    parts = ("rate_plot_bd.js",)

    curves = t.List(t.Dict()).tag(sync=True)
    limits = t.List(t.Float()).tag(sync=True)  # highest rate shown, lowest dB shown of each metric
    curve = t.Int(0).tag(sync=True)
    point = t.Int(0).tag(sync=True)
    anchor = t.Int(-1).tag(sync=True)
    metric = t.Enum(list(METRICS), "psnr").tag(sync=True)
    log = t.Bool(False).tag(sync=True)
    hidden = t.List(t.Int()).tag(sync=True)
    in_browser = ("anchor", "metric")  # whose rows the browser counts as well: a page without Python has them

    def __init__(self, result: Mapping, anchor: str | None = None, heading: str = "Rate and distortion") -> None:
        try:
            curves, self._set = _live(result) + _sourced(result), f"{result['set']}, {len(result['images'])} images"
        except (KeyError, TypeError, AttributeError) as error:
            raise CcaError(f"rate plot: not results of `ccalib evaluate`: {error!r}") from error
        names = [one["name"] for one in curves]
        if anchor is not None and anchor not in names:
            raise CcaError(f"rate plot: no curve {anchor!r}; there are {', '.join(names)}")
        self._result = dict(result)
        first = names.index(OURS) if OURS in names else 0
        super().__init__(
            heading=heading,
            curves=curves,
            limits=[RATES[1], *(_lowest(curves[first], metric) for metric in METRICS)],
            curve=first,
            point=len(curves[first]["bpp"]) // 2,
            anchor=-1 if anchor is None else names.index(anchor),
            columns=["curve", "from", "points", "bit per pixel", "dB", "BD-rate", "over dB"],
        )
        self.observe(self._count, ["anchor", "metric"])
        self._count()

    def _count(self, *_: object) -> None:
        self.rows = [self._row(i) for i in range(len(self.curves))]

    def _row(self, index: int) -> list[str]:
        one, found = self.curves[index], self.bd(index)
        values = one[self.metric]
        reach = [span(one["bpp"], 2), span(values, 1)]
        over = span([found["low"], found["high"]], 1) if found else "–"
        percent = "anchor" if index == self.anchor else signed(found["percent"]) if found else "–"
        return [one["name"], KINDS[one["kind"]], str(len(values)), *reach, percent, over]

    def bd(self, index: int) -> dict | None:
        """`bd_rate` of a curve against the anchor by the chosen metric; None where there is none."""
        if self.anchor < 0 or index == self.anchor:
            return None
        pairs = [list(zip(self.curves[i]["bpp"], self.curves[i][self.metric])) for i in (self.anchor, index)]
        try:
            return bd_rate(*pairs)
        except CcaError:
            return None

    def sentence(self) -> str:
        """What the live region says."""
        one, found = self.curves[self.curve], self.bd(self.curve)
        if not one[self.metric]:
            return f"{one['name']}: no {METRICS[self.metric]}; {KINDS[one['kind']]}."
        other = f", MS-SSIM {one['similarity'][self.point]:.4f}" if one["similarity"] else ""
        text = (
            f"{one['name']}, {one['settings'][self.point]}: {one['bpp'][self.point]:.3f} bits per pixel, "
            f"PSNR {one['psnr'][self.point]:.2f} dB{other}; {KINDS[one['kind']]}."
        )
        if found:
            text += f" BD-rate ({METRICS[self.metric]}) against {self.curves[self.anchor]['name']}: "
            text += f"{signed(found['percent'])} over {found['low']:.1f} to {found['high']:.1f} dB."
        view = {
            " It is the anchor.": self.curve == self.anchor,
            " Drawn by MS-SSIM.": self.metric == "ms_ssim",
            " Logarithmic rate.": self.log,
            " Hidden.": self.curve in self.hidden,
        }
        return text + "".join(words for words, said in view.items() if said)

    def summary(self) -> str:
        count = [sum(one["kind"] == kind for one in self.curves) for kind in KINDS]
        return f"{self._set}: {count[0]} curves run here, {count[1]} from the literature"

    def as_text(self) -> str:
        against = f"; BD-rates (PSNR) against {self.curves[self.anchor]['name']}" if self.anchor >= 0 else ""
        return f"{self.summary()}{against}\n{super().as_text()}"

    def static_png(self) -> bytes:
        fig, found = draw(self._result), self.bd(self.curve)
        if found:
            axes, name = fig.axes[0], self.curves[self.anchor]["name"]
            axes.axhspan(found["low"], found["high"], color=plots.BLUE, alpha=0.06, zorder=0)
            axes.annotate(
                f"shaded: the dB that {self.curves[self.curve]['name']} and {name} share", (0.24, found["low"]),
                xycoords=("axes fraction", "data"), xytext=(0, -3), textcoords="offset points", va="top", fontsize=7.5,
            )  # fmt: skip
        return plots.png(fig, colors=64)


def signed(percent: float) -> str:
    """'−12.3 %'; '+0.0 %' also from just below 0, as the page has it."""
    return f"{round(percent, 1) + 0.0:+.1f} %".replace("-", MINUS)


def span(values: list[float], digits: int) -> str:
    """'0.10–1.22', or a dash where there are no values."""
    return f"{min(values):.{digits}f}–{max(values):.{digits}f}" if values else "–"


def _live(result: Mapping) -> list[dict]:
    """Curves of real files, each point with its quality."""
    found = []
    for name, points in result["curves"].items():
        points = sorted(points, key=lambda p: p["bpp"])
        similar = [p["ms_ssim"] for p in points if "ms_ssim" in p]
        similar = similar if len(similar) == len(points) else []
        color, marker = style.curve_look(name)
        settings = dict(result["settings"].get(name, {}))
        versions = ", ".join(f"{one} {number}" for one, number in settings.pop("versions", {}).items())
        what = ", ".join(key if value is True else f"{key} {value}" for key, value in _flat(settings))
        found.append(
            {
                "name": name, "kind": "live", "source": f"{what} ({versions})", "light": color,
                "dark": DARK.get(name.partition(" ")[0], "#aab2bd"), "marker": marker, "dash": "",
                "bpp": [p["bpp"] for p in points], "psnr": [p["psnr"] for p in points], "similarity": similar,
                "ms_ssim": [ms_ssim_db(v) for v in similar], "settings": [f"quality {p['quality']:g}" for p in points],
            }
        )  # fmt: skip
    return found


def _flat(settings: Mapping):
    """(key, value) pairs that say something: no format, no per-file marks."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        elif key not in ("format", "comment", "quality_layers"):
            yield key, value


def _sourced(result: Mapping) -> list[dict]:
    """Curves of the literature, best first; none where the set isn't Kodak."""
    try:
        curves = reference.curves(result["images"]).values()
    except CcaError:
        return []
    curves = sorted(curves, key=lambda c: -np.interp(0.4, *zip(*c["points"])))
    found = []
    for i, c in enumerate(curves):
        bpp, psnr = (list(values) for values in zip(*c["points"]))
        light, dark = (style.group_color(first + i, 2 * len(curves)) for first in (0, len(curves)))
        found.append(
            {
                "name": c["label"], "kind": "sourced", "source": f"{c['paper']}; {c['source']}", "light": light,
                "dark": dark, "marker": "", "dash": ("8 3", "3 3", "8 3 2 3")[i % 3], "bpp": bpp, "psnr": psnr,
                "similarity": [], "ms_ssim": [], "settings": [f"point {k + 1} of {len(bpp)}" for k in range(len(bpp))],
            }
        )  # fmt: skip
    return found


def _lowest(curve: dict, metric: str) -> float:
    return float(np.floor(min(curve[metric], default=0) - BELOW))
