"""TwoScalars: the toy of lesson 05. Drag two analysis directions; rates, gain and loss are counted at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import traitlets as t
from matplotlib.colors import to_rgb
from matplotlib.patches import Ellipse

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.phases import opening_color
from ccalib.lessons.toy import RHO, Count, arrows, count, variances
from ccalib.lessons.widgets.base import LessonWidget

GAINS = (0.05, 4.0)  # what an arrow can be drawn to
STEPS, EXCESS = 65, 2.0  # lengths tried for the best on the KLT axes; bits above it that the dial reaches
POSES = {"KLT": (0, 90), "turned by 45°": (45, 135), "scissors": (-25, 25), "copy": (0, 0)}  # degrees


class TwoScalars(LessonWidget):
    """Two correlated scalars, two analysis arrows, and what each pose costs and "gains".

    Args:
        angles: degrees from the first KLT axis; gains: 1/Δ of each direction.
        alpha: weight of the CCA term; lam: λ of R + λD (R in bits for both, D the squared error per scalar).
        phases: the map of `ccalib.lessons.phases` (what `load_phases` gives), drawn below and clickable; or None.
        heading: the line above.

    Selection (synced): `angles`, `gains`, `alpha`, `lam`, `chosen` (which arrow the keys move; 2: both).

    Raises:
        CcaError: gains or alpha outside what can be drawn.
    """

    module = "toy.js"
    parts = ("toy_count.js", "toy_map.js")

    rho = t.Float(RHO).tag(sync=True)
    limits = t.List(t.Float(), list(GAINS)).tag(sync=True)
    poses = t.List(t.Dict()).tag(sync=True)
    angles = t.List(t.Float(), minlen=2, maxlen=2).tag(sync=True)
    gains = t.List(t.Float(), minlen=2, maxlen=2).tag(sync=True)
    alpha = t.Float(0.0).tag(sync=True)
    lam = t.Float(50.0).tag(sync=True)
    chosen = t.Int(2).tag(sync=True)
    straight = t.List().tag(sync=True)  # what `on_klt_axes` gives, for the best R + λD at any λ
    reach = t.Float(EXCESS).tag(sync=True)
    map = t.List(t.Dict()).tag(sync=True)  # one place for each α (fastest) and λ
    alphas = t.List(t.Float()).tag(sync=True)
    lambdas = t.List(t.Float()).tag(sync=True)
    middle = t.Unicode(opening_color(45)).tag(sync=True)

    def __init__(
        self,
        angles: Sequence[float] = (0.0, 90.0),
        gains: Sequence[float] = (1.6, 1.6),
        alpha: float = 0.0,
        lam: float = 50.0,
        phases: dict | None = None,
        heading: str = "Two scalars: turn the arrows, watch the bits",
    ) -> None:
        if not all(GAINS[0] <= g <= GAINS[1] for g in gains) or not 0 <= alpha < 1 or not lam > 0:
            raise CcaError(f"toy: gains from {GAINS[0]} to {GAINS[1]}, alpha from 0 to below 1 and lambda above 0")
        super().__init__(
            heading=heading,
            angles=[float(a) for a in angles],
            gains=[float(g) for g in gains],
            alpha=float(alpha),
            lam=float(lam),
            map=[_place(p) for row in phases["points"] for p in row] if phases else [],
            alphas=phases["alphas"] if phases else [],
            lambdas=phases["lambdas"] if phases else [],
            poses=[{"name": name, "angles": list(pose)} for name, pose in POSES.items()],
            straight=on_klt_axes(),
            columns=["pose", "R1", "R2|1", "R2", "gain I", "R", "D", f"R + λD, λ = {lam:g}", f"J, α = {alpha:g}"],
            rows=[self._row(name, pose, gains, alpha, lam) for name, pose in POSES.items()],
        )

    @staticmethod
    def _row(name: str, angles: Sequence[float], gains: Sequence[float], alpha: float, lam: float) -> list[str]:
        c = count(arrows(np.radians(angles), gains))
        bits = (c.r1, c.r2_given_1, c.r2, max(c.gain, 0.0), c.rate)
        losses = c.rate + lam * c.d, c.cca(lam, alpha)
        return [name, *(f"{b:.2f}" for b in bits), f"{c.d:.4f}", *(f"{loss:.2f}" for loss in losses)]

    @property
    def counted(self) -> Count:
        """The pose that is shown, counted."""
        return count(arrows(np.radians(self.angles), self.gains))

    @property
    def plain(self) -> float:
        """R + λD of the pose that is shown: what the dial tells."""
        c = self.counted
        return c.rate + self.lam * c.d

    @property
    def best(self) -> float:
        """The smallest R + λD of arrows along the KLT axes, each of its best length: where the dial starts."""
        return sum(min(bits + self.lam * error for bits, error in axis) for axis in self.straight)

    def sentence(self) -> str:
        """What the live region says."""
        c = self.counted
        return (
            f"Arrows at {self.angles[0]:.0f}° and {self.angles[1]:.0f}°: {c.r1:.2f} + {c.r2_given_1:.2f} = "
            f"{c.rate:.2f} bits; without the first, the second would cost {c.r2:.2f}: a gain of "
            f"{max(c.gain, 0.0):.2f}. "
            f"D = {c.d:.4f}; R + λD = {self.plain:.2f} (the KLT's best: {self.best:.2f}); "
            f"at α = {self.alpha:.2f}, J = {c.cca(self.lam, self.alpha):.2f}."
        )

    def summary(self) -> str:
        return f"ρ = {self.rho:g}, α = {self.alpha:g}, λ = {self.lam:g}"

    def as_text(self) -> str:
        return f"{self.sentence()}\n{super().as_text()}"

    def static_png(self) -> bytes:
        c, fig = self.counted, plots.figure(7.2, 5.5 if self.map else 3.3)
        heights = [2.8, 0.18, 2.2] if self.map else [2.8, 0.18]
        grid = fig.add_gridspec(len(heights), 3, width_ratios=[1.25, 0.8, 1.2], height_ratios=heights)
        left, middle, right = (fig.add_subplot(grid[0, i]) for i in range(3))
        if self.map:
            _map(fig.add_subplot(grid[2, :]), self)
        _dial(fig.add_subplot(grid[1, :]), self)
        _plane(left, self.angles, self.gains)
        middle.bar(0, c.r1, color=plots.BLUE)
        middle.bar(0, c.r2_given_1, bottom=c.r1, color=plots.ORANGE, alpha=0.45)
        middle.bar(1, c.r2, bottom=c.r1, fill=False, edgecolor=plots.ORANGE, linewidth=1.6)
        ends = (1.55, c.rate), (1.55, c.r1 + c.r2)
        middle.annotate("", *ends, arrowprops={"arrowstyle": "<->", "color": plots.INK})
        middle.text(1.65, c.rate + c.gain / 2, f"I = {max(c.gain, 0):.2f}", fontsize=8, color=plots.INK, va="center")
        middle.set_xticks([0, 1], ["R₁, R₂|₁", "R₂"])
        middle.set_xlim(-0.6, 3)
        plots.dress(middle, f"R = {c.rate:.2f} bits", ylabel="bits")
        turns = np.arange(-90, 91, 7.5)
        poses = [arrows(np.radians(np.add(self.angles, turn)), self.gains) for turn in turns]
        losses = [count(a).cca(self.lam, self.alpha) for a in poses]
        right.plot(turns, losses, color=plots.BLUE)
        right.plot(0, c.cca(self.lam, self.alpha), "o", color=plots.ORANGE)
        plots.dress(right, f"J, α = {self.alpha:g}, λ = {self.lam:g}", "both turned by (degrees)", "bits")
        return plots.png(fig, colors=64)


@functools.cache
def on_klt_axes() -> list[list[list[float]]]:
    """[bits, error] of an arrow along each KLT axis, short to long: on these axes both arrows' rates and errors add."""
    (high, low), short, gains = variances(), GAINS[0], np.geomspace(*GAINS, STEPS)
    strong = [count(arrows((0, math.pi / 2), (gain, short))) for gain in gains]  # the other arrow's reading is always 0
    weak = [count(arrows((0, math.pi / 2), (short, gain))) for gain in gains]
    return [
        [[round(c.rate, 7), round(c.d - rest / 2, 7)] for c in counts] for counts, rest in ((strong, low), (weak, high))
    ]


def _dial(axes, toy: TwoScalars) -> None:
    """How far R + λD is above the best on the KLT axes."""
    axes.barh(0, min(max(toy.plain - toy.best, 0), EXCESS), color=plots.ORANGE)
    axes.set_xlim(0, EXCESS)
    axes.set_yticks([])
    ticks = np.arange(0, EXCESS + 0.1, 0.5)
    axes.set_xticks(ticks, [f"the KLT's best: {toy.best:.2f}", *(f"+{tick:g}" for tick in ticks[1:])])
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    plots.dress(axes, f"R + λD = {toy.plain:.2f} bits")


def _map(axes, toy: TwoScalars) -> None:
    """Where J is smallest: the angle between the arrows over α and λ, copies struck through, and where we are."""
    shape = len(toy.lambdas), len(toy.alphas)
    axes.imshow(np.array([to_rgb(p["color"]) for p in toy.map]).reshape(*shape, 3), origin="lower", aspect="auto")
    copies = [divmod(i, shape[1]) for i, p in enumerate(toy.map) if p["valley"] == "copy"]
    axes.plot(
        [x for _, x in copies], [y for y, _ in copies], linestyle="none", marker="$/$", color="white", markersize=5
    )
    x, y = np.interp(toy.alpha, toy.alphas, range(shape[1])), np.interp(toy.lam, toy.lambdas, range(shape[0]))
    axes.plot(x, y, "o", color=plots.ORANGE, markeredgecolor="white")
    axes.set_xticks(range(0, shape[1], 5), [f"{a:g}" for a in toy.alphas[::5]])
    axes.set_yticks(range(2, shape[0], 6), [f"{v:g}" for v in toy.lambdas[2::6]])
    title = "where J is smallest: yellow, arrows 90° apart; darker, closing; struck through, a copy"
    plots.dress(axes, title, "α", "λ")
    axes.grid(False)


def _place(point: dict) -> dict:
    """A point of the map as the browser reads it."""
    kept = {name: point[name] for name in ("valley", "opening", "angles", "gains", "rate", "gain", "plain")}
    return kept | {"j": min(j for j in point["j"] if j is not None), "color": opening_color(point["opening"])}


def _plane(axes, angles: Sequence[float], gains: Sequence[float]) -> None:
    """The source's ellipses, the arrows, and the borders of the cells."""
    high, low = variances()
    for k in (1, 2):
        size = 2 * k * math.sqrt(high), 2 * k * math.sqrt(low)
        axes.add_patch(Ellipse((0, 0), *size, angle=45, fill=False, ec=plots.GRAY))
    for angle, gain, color in zip(angles, gains, (plots.BLUE, plots.ORANGE), strict=True):
        u = np.array([math.cos(math.radians(angle + 45)), math.sin(math.radians(angle + 45))])
        across = np.array([-u[1], u[0]])
        if gain > 0.25:
            for i in range(math.floor(-4.5 * gain), math.ceil(4.5 * gain)):
                line = (i + 0.5) / gain * u + np.outer([-6, 6], across)
                axes.plot(*line.T, color=color, linewidth=0.4, alpha=0.7)
        axes.annotate("", length(gain) * u, (0, 0), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2})
    axes.set_xlim(-3.2, 3.2)
    axes.set_ylim(-3.2, 3.2)
    axes.set_aspect("equal")
    axes.set_axis_off()


def length(gain: float) -> float:
    """How long an arrow is drawn, in units of x: longer is finer."""
    return 0.7 + 2.1 * math.log(gain / GAINS[0]) / math.log(GAINS[1] / GAINS[0])
