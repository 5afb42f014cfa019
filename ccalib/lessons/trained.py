"""The schedules that were trained: where y's bits went in each, from the ablation's summary and `small`'s own log."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from ccalib.errors import CcaError
from ccalib.model.presets import SMALL, TINY, Preset
from ccalib.training.arms import TABLE, Run

SWEEP = ("even", "k0.5", "k1", "k1.7", "k2.5", "g1", "g2", "g10")  # families of the ablation: k first, then G


@dataclasses.dataclass(frozen=True)
class Trained:
    """One schedule, as trained.

    Attributes:
        name: the ablation's family, or `small`.
        seeds: how many runs the figures are means of.
        bpp: bits of y a pixel at each quality, rising; shares: percent of them in each group, qualities×G.
    """

    name: str
    preset: Preset
    seeds: int
    bpp: list[float]
    shares: list[list[float]]

    @property
    def label(self) -> str:
        """The number that sets it apart: k of five groups, or G."""
        return SMALL.name if self.name == SMALL.name else _label(self.preset)

    def at(self, bpp: float) -> list[float] | None:
        """Percent in each group at a rate of y, interpolated over its logarithm; None outside what was measured."""
        if not self.bpp[0] <= bpp <= self.bpp[-1]:
            return None
        columns = np.array(self.shares).T
        return [float(np.interp(np.log(bpp), np.log(self.bpp), column)) for column in columns]


def trained_points(summary: dict, log: Path | None = None) -> list[Trained]:
    """Every schedule that a finished plain run has, in the order of `SWEEP`; `small` last.

    Args:
        summary: what `ccalib.evaluation.ablation.summarize` writes.
        log: `small`'s training log; its last validation counts.
    """
    found = []
    for family in SWEEP:
        runs = plain_runs(summary, family)
        if runs:
            curves = [sorted(r["curve"], key=lambda p: p["bpp"]) for r in runs]
            groups = np.mean([[p["bpp_groups"] for p in curve] for curve in curves], axis=0)
            found.append(_point(family, Run(family, "plain", 0).preset, len(runs), groups))
    if log is not None:
        points = sorted(_last_validation(log), key=lambda p: p["bpp"])
        found.append(_point(SMALL.name, SMALL, 1, np.array([p["bpp_groups"] for p in points])))
    return found


def plain_runs(summary: dict, family: str) -> list[dict]:
    """Finished runs of a family without a CCA loss, by seed."""
    runs = [r for r in summary["runs"].values() if (r["run"]["family"], r["run"]["arm"]) == (family, "plain")]
    return sorted(runs, key=lambda r: r["run"]["seed"])


def missing_runs(summary: dict) -> list[str]:
    """Names of the sweep's runs that have not finished."""
    return [r.name for r in TABLE if r.arm == "plain" and r.family in SWEEP and r.name not in summary["runs"]]


def missing_labels(summary: dict) -> list[str]:
    """Labels of the sweep's schedules that no run has finished for."""
    families = {run["run"]["family"] for run in summary["runs"].values() if run["run"]["arm"] == "plain"}
    return [_label(Run(family, "plain", 0).preset) for family in SWEEP if family not in families]


def _label(preset: Preset) -> str:
    return f"k = {preset.k:g}" if preset.groups == TINY.groups else f"G = {preset.groups}"


def _point(name: str, preset: Preset, seeds: int, groups: np.ndarray) -> Trained:
    """groups: qualities×G bits a pixel."""
    sums = groups.sum(axis=1)
    order = sums.argsort()
    shares = (100 * groups / sums[:, None])[order]
    return Trained(name, preset, seeds, sums[order].round(5).tolist(), shares.round(3).tolist())


def _last_validation(log: Path) -> list[dict]:
    try:
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        return [e for e in entries if e["kind"] == "validation"][-1]["points"]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise CcaError(f"{log}: validation: can't be read ({error})") from error
