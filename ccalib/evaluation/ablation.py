"""What the ablation says: α*, paired BD-rate differences with t intervals, bits moved between groups.

The rule stands in `ccalib.training.arms.RULE` and in the results: an effect is claimed only if its interval excludes 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from ccalib.evaluation.metrics import bd_rate
from ccalib.evaluation.rulers import bought
from ccalib.training.arms import ARMS, EXPLORATORY_SEED, TABLE, Bench, Run

CONFIDENCE = 0.95


def t_interval(values: Sequence[float]) -> dict:
    """Mean and 95 % t interval of paired differences, and whether it excludes 0.

    Returns:
        `n`, `values`, `mean`, `low`, `high`, `claimed`; with fewer than two values there is no interval, and no claim.
    """
    n, mean = len(values), float(np.mean(values)) if len(values) else None
    entry = {"n": n, "values": list(values), "mean": mean, "low": None, "high": None, "claimed": False}
    if n > 1:
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
        entry |= {"low": mean - half, "high": mean + half, "claimed": abs(mean) > half}
    return entry


def curve(result: dict, rate: str = "curve") -> list[tuple[float, float]]:
    """(bpp, dB) per quality: `curve` is estimated, `real` of files."""
    return [(p["bpp"], p["psnr"]) for p in result[rate]]


def between(a: list[tuple], b: list[tuple], share: float) -> list[tuple[float, float]]:
    """The curve at a share of the way from a to b, per quality: log-rate and dB interpolated."""
    mix = lambda p, q: (1 - share) * p + share * q
    return [(math.exp(mix(math.log(p[0]), math.log(q[0]))), mix(p[1], q[1])) for p, q in zip(a, b, strict=True)]


def choose_alpha(results: dict[str, dict]) -> dict | None:
    """α*: of the exploratory runs the one with the lowest validation BD-rate against plain of the same seed.

    Returns:
        `alpha`, and the BD-rate of each candidate; None while one of the runs is missing.
    """
    plain = Run("k1.7", "plain", EXPLORATORY_SEED)
    tried = [r for r in TABLE if r.seed == EXPLORATORY_SEED and r != plain]
    if any(r.name not in results for r in (plain, *tried)):
        return None
    rates = {ARMS[r.arm]["alpha"]: _bd(results[plain.name], results[r.name], "curve") for r in tried}
    return {"alpha": min(rates, key=rates.get), "bd_rate_percent": {str(a): v for a, v in rates.items()},
            "seed": EXPLORATORY_SEED}  # fmt: skip


def _bd(anchor: dict, test: dict, rate: str) -> float:
    return bd_rate(curve(anchor, rate), curve(test, rate))["percent"]


def pairs() -> list[tuple[str, str, str, str]]:
    """(family, arm, family, arm) of what is compared with what: arms with plain, families with k = 1.7."""
    found: dict[tuple[str, str, str, str], None] = {}
    for run in TABLE:
        if run.arm not in ("plain", "longer"):
            found[run.family, run.arm, run.family, "plain"] = None
        elif run.arm == "plain" and run.family != "k1.7":
            found[run.family, "plain", "k1.7", "plain"] = None
    return list(found)


def compare(results: dict[str, dict], bench: Bench) -> list[dict]:
    """All paired BD-rate differences that there are results for, in percent; below 0 the arm is better."""
    found = []
    for family, arm, base_family, base_arm in pairs():
        seeds = [r.seed for r in TABLE if (r.family, r.arm) == (family, arm)]
        both = [(Run(family, arm, s), Run(base_family, base_arm, s)) for s in seeds]
        both = [(a, b) for a, b in both if a.name in results and b.name in results]
        for rate in ("curve", "real"):
            values = [_bd(results[b.name], results[a.name], rate) for a, b in both]
            if values:
                found.append(_head(family, arm, base_family, base_arm, "equal steps", rate, both) | t_interval(values))
        share = math.log(bench.cost(arm)) / math.log(bench.slowest) if bench.slowest > 1 else 0.0
        timed = [(a, b) for a, b in both if family == base_family and b.against("longer").name in results]
        values = [
            bd_rate(between(curve(results[b.name]), curve(results[b.against("longer").name]), share),
                    curve(results[a.name]))["percent"]
            for a, b in timed
        ]  # fmt: skip
        if values:
            found.append(_head(family, arm, base_family, base_arm, "equal time", "curve", timed) | t_interval(values))
    return found


def _head(family: str, arm: str, base_family: str, base_arm: str, at: str, rate: str, both: list) -> dict:
    return {"family": family, "arm": arm, "against": f"{base_family}-{base_arm}", "at": at,
            "rate": "estimated" if rate == "curve" else "files", "seeds": [a.seed for a, _ in both]}  # fmt: skip


def shares_at(result: dict, bpp: list[float]) -> np.ndarray:
    """Percent of the bits of y in each group at given rates (interpolated over log bpp): len(bpp)×G."""
    points = sorted(result["curve"], key=lambda p: p["bpp"])
    groups = np.array([p["bpp_groups"] for p in points])
    shares = 100 * groups / groups.sum(axis=1, keepdims=True)
    at = np.log([p["bpp"] for p in points])
    return np.stack([np.interp(np.log(bpp), at, column) for column in shares.T], axis=1)


def moved(results: dict[str, dict], family: str, arm: str) -> list[dict]:
    """Percentage points of y's bits that an arm has more than plain in each group, at plain's rates: t intervals."""
    rows = []
    for run in [r for r in TABLE if (r.family, r.arm) == (family, arm)]:
        if run.name not in results or run.against().name not in results:
            continue
        plain, other = results[run.against().name], results[run.name]
        low, high = (f(p["bpp"] for p in other["curve"]) for f in (min, max))
        rates = [p["bpp"] for p in plain["curve"] if low <= p["bpp"] <= high]
        if rates:
            rows.append((shares_at(other, rates) - shares_at(plain, rates)).mean(axis=0).tolist())
    return [t_interval(column) for column in zip(*rows, strict=True)]


def gains(ruled: dict[str, dict], family: str, arm: str) -> list[dict]:
    """Percent of y's bits that the previous group bought each group by the ruler, more than in plain: t intervals."""
    rows = []
    for run in [r for r in TABLE if (r.family, r.arm) == (family, arm)]:
        if run.name in ruled and run.against().name in ruled:
            arm_share, plain_share = (_gain_shares(ruled[r.name]) for r in (run, run.against()))
            rows.append([a - b for a, b in zip(arm_share, plain_share, strict=True)])
    return [t_interval(column) for column in zip(*rows, strict=True)]


def _gain_shares(ruled: dict) -> list[float]:
    """Percent of the main ruler's bits, per group, as a mean over the qualities."""
    rows = [[100 * g / sum(mean["main"]) for g in bought(mean)] for mean in ruled["qualities"].values()]
    return np.mean(rows, axis=0).tolist()


def missing(results: dict[str, dict]) -> list[str]:
    """Names of the table's runs that have no result. Weak contexts have a plan and a folder of their own."""
    weak = {result["run"]["family"] == "weak" for result in results.values()} or {False}
    return [r.name for r in TABLE if (r.family == "weak") in weak and r.name not in results]


def summarize(results: dict[str, dict], ruled: dict[str, dict], bench: Bench) -> dict:
    """All that lessons and plots read, from the runs' results and their rulers'.

    Args:
        results, ruled: by the run's name.
    """
    arms = list(dict.fromkeys((r.family, r.arm) for r in TABLE if r.arm not in ("plain", "longer")))
    keep = ("run", "steps", "seconds", "curve", "real", "objective", "decode_seconds", "sizes", "fingerprint")
    return {
        "rule": bench.rule, "alpha": choose_alpha(results), "steps": bench.steps, "hardware": bench.hardware,
        "seconds_per_step": bench.seconds_per_step, "settings": bench.settings,
        "equal_time": "plain interpolated (log-rate and dB per quality, over log steps) between its run and `longer`, "
        "at as many steps as it makes in the arm's time by seconds_per_step",
        "comparisons": compare(results, bench),
        "moved_bits": {f"{f}-{a}": rows for f, a in arms if (rows := moved(results, f, a))},
        "gains": {f"{f}-{a}": rows for f, a in arms if (rows := gains(ruled, f, a))},
        "gain_shares": {n: {"percent": _gain_shares(r), "first_group_met": r["card"]["met"]} for n, r in ruled.items()},
        "runs": {n: {key: r[key] for key in keep} | {"alpha": r["settings"]["alpha"]} for n, r in results.items()},
        "missing": missing(results),
    }  # fmt: skip


def report(summary: dict) -> str:
    """The comparisons as text."""
    lines = [f"{len(summary['runs'])} runs, {len(summary['missing'])} missing; {summary['steps']} steps each"]
    if summary["alpha"]:
        lines.append(f"alpha* = {summary['alpha']['alpha']}")
    for c in summary["comparisons"]:
        interval = "no interval" if c["low"] is None else f"[{c['low']:+.2f}, {c['high']:+.2f}]"
        verdict = "claimed" if c["claimed"] else "no effect claimed"
        what = f"{c['family']}-{c['arm']} against {c['against']}, {c['at']}, {c['rate']}"
        lines.append(f"  {what}: {c['mean']:+.2f} % {interval}, n = {c['n']}: {verdict}")
    return "\n".join(lines)
