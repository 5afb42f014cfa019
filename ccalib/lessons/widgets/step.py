"""StepChooser: one coefficient, one quantization step, and what it costs: R, D and R + λD."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import traitlets as t

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.coding import entropy
from ccalib.lessons.widgets.base import LessonWidget

BINS = 120


def quantized(values: np.ndarray, step: float) -> tuple[float, float]:
    """(bits a symbol by the histogram of the symbols, mean squared error) of rounding to multiples of a step."""
    symbols = np.round(values / step)
    _, counts = np.unique(symbols, return_counts=True)
    return entropy(counts), float(np.square(values - step * symbols).mean())


class StepChooser(LessonWidget):
    """A slider over the quantization step of one KLT coefficient.

    Args:
        values: the coefficient in every patch, on the 0…255 scale.
        lambdas: λ of R + λD, R in bits per pixel and D the MSE of 8-bit RGB. A coefficient stands for 16×16 pixels of
            three colors, so for it alone the sum is bits + λ/3·error, which is what "R + λD" says here.
        steps: of the slider, increasing.
        heading: the line above.

    Selection (synced): `selected` (index into `steps`), `which` (index into `lambdas`).

    Raises:
        CcaError: no values, or steps that don't rise from above 0.
    """

    module = "step.js"

    edges = t.List(t.Float()).tag(sync=True)  # first and last edge of the histogram's bins
    counts = t.List(t.Int()).tag(sync=True)
    steps = t.List(t.Float()).tag(sync=True)
    rates = t.List(t.Float()).tag(sync=True)
    errors = t.List(t.Float()).tag(sync=True)
    lambdas = t.List(t.Float()).tag(sync=True)
    best = t.List(t.Int()).tag(sync=True)  # index of the best step for each λ
    theory = t.List(t.Float()).tag(sync=True)  # the step that high-rate theory wants
    selected = t.Int(0).tag(sync=True)
    which = t.Int(0).tag(sync=True)

    def __init__(
        self,
        values: np.ndarray,
        lambdas: Sequence[float],
        steps: Sequence[float],
        heading: str = "Choose the step of one coefficient",
    ) -> None:
        values = np.asarray(values, dtype=np.float64).ravel()
        if not values.size or list(steps) != sorted(set(steps)) or not steps or steps[0] <= 0:
            raise CcaError("step: values, and steps that rise from above 0, are wanted")
        points = [quantized(values, step) for step in steps]
        rates, errors = (np.array(part) for part in zip(*points))
        limit = float(np.quantile(np.abs(values), 0.995))
        counts, _ = np.histogram(np.clip(values, -limit, limit), BINS, (-limit, limit))
        best = [int((rates + lam / 3 * errors).argmin()) for lam in lambdas]
        middle = len(lambdas) // 2
        rows = [
            [f"{step:.1f}", f"{r:.2f}", f"{e:.0f}", *(f"{r + lam / 3 * e:.2f}" for lam in lambdas)]
            for step, r, e in zip(steps, rates, errors)
        ]
        super().__init__(
            heading=heading,
            edges=[-limit, limit],
            counts=counts.tolist(),
            steps=[float(step) for step in steps],
            rates=rates.tolist(),
            errors=errors.tolist(),
            lambdas=[float(lam) for lam in lambdas],
            best=best,
            theory=[math.sqrt(18 / (lam * math.log(2))) for lam in lambdas],
            selected=0,
            which=middle,
            columns=["step", "R (bits)", "D (squared)", *(f"R + λD, λ = {lam:g}" for lam in lambdas)],
            rows=rows,
        )

    def summary(self) -> str:
        return f"{len(self.steps)} steps, λ = {', '.join(f'{lam:g}' for lam in self.lambdas)}"

    def static_png(self) -> bytes:
        at, lam = self.best[self.which], self.lambdas[self.which]
        step, fig = self.steps[at], plots.figure(7.2, 2.7)
        left, right = fig.subplots(1, 2)
        plots.dress(left, f"the coefficient, and cells of step {step:.0f}", "value", "patches")
        low, high = self.edges
        left.stairs(self.counts, np.linspace(low, high, BINS + 1), fill=True, color=plots.BLUE)
        for border in np.arange(math.ceil(low / step - 0.5) + 0.5, high / step, 1) * step:
            left.axvline(border, color=plots.ORANGE, linewidth=0.8)
        plots.dress(right, f"R + λD at λ = {lam:g}", "step", "bits a symbol")
        rates, costs = np.array(self.rates), lam / 3 * np.array(self.errors)
        for curve, name, style in ((rates, "R", "--"), (costs, "λD", ":"), (rates + costs, "R + λD", "-")):
            right.semilogx(self.steps, curve, style, color=plots.BLUE if style == "-" else plots.GRAY, label=name)
        right.axvline(self.theory[self.which], color=plots.GRAY, linewidth=0.8, label="theory")
        right.plot(step, (rates + costs)[at], "o", color=plots.ORANGE)
        right.set_ylim(0, 1.25 * max((rates + costs)[at] * 2, rates[at]))
        right.legend(fontsize=8, frameon=False)
        return plots.png(fig, colors=48)
