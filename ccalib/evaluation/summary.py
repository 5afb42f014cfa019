"""Mean curves and BD-rates from the figures of single files, and how they read as text."""

from __future__ import annotations

import math

import numpy as np

from ccalib.errors import CcaError
from ccalib.evaluation import reference
from ccalib.evaluation.metrics import bd_rate

OURS = "ccalib"
DERIVED = ("curves", "bd_rate_psnr", "bd_rate_refined", "sourced")  # what `summarize` adds


def is_refined(name: str) -> bool:
    """Whether a curve is our codec's with refinement, 'ccalib small, effort 30'."""
    return name.startswith(f"{OURS} ")


def summarize(result: dict) -> None:
    """Add mean curves, and BD-rates (PSNR) of our codec against the live ones and the sourced ones, kept apart.

    - `curves`: per codec, the means over the images at each quality.
    - `bd_rate_psnr`: per live codec. `mean_curves` is the BD-rate between curves of mean rate and mean PSNR;
      `per_image` the mean of each image's own (over the images whose curves overlap), since a fixed rate or a fixed
      PSNR for every image tilts the first.
    - `bd_rate_refined`: per curve of our codec with refinement the same against our codec without it and the live ones.
    - `sourced`: both, per curve of the literature, with its label, paper and source, on Kodak only; else `why` not.
    """
    measured = {}
    for name in sorted(result["files"], key=lambda name: (name != OURS, not is_refined(name))):  # ours first
        points = result["files"][name]
        whole = {q: rows for q, rows in points.items() if rows.keys() == result["images"].keys()}
        if whole:  # an interrupted quality is no point of a curve
            measured[name] = whole
    result["curves"] = {name: _curve(points) for name, points in measured.items()}
    result["bd_rate_psnr"], result["bd_rate_refined"] = {}, {}
    ours = measured.get(OURS)
    if ours is None:
        result["sourced"] = {"why": f"{OURS} was not measured"}
        return
    anchors = [name for name in measured if name != OURS and not is_refined(name)]
    result["bd_rate_psnr"] = {name: _between(name, OURS, measured, result) for name in anchors}
    result["bd_rate_refined"] = {
        own: {name: _between(name, own, measured, result) for name in (OURS, *anchors)}
        for own in measured if is_refined(own)
    }  # fmt: skip
    try:
        sourced = reference.curves(result["images"])
    except CcaError as error:
        result["sourced"] = {"why": str(error)}
        return
    facts = {name: {key: curve[key] for key in ("label", "paper", "source")} for name, curve in sourced.items()}
    of = {own: {name: facts[name] | _against(curve["points"], result, own) for name, curve in sourced.items()}
          for own in (OURS, *result["bd_rate_refined"])}  # fmt: skip
    result["sourced"] = {"bd_rate_psnr": of.pop(OURS), "bd_rate_refined": of}


def points_of(result: dict, name: str) -> list[tuple[float, float]]:
    """(bpp, dB) of a mean curve; not of a quality at which an image has no error, whose mean PSNR would be infinite."""
    return [(p["bpp"], p["psnr"]) for p in result["curves"][name] if "psnr" in p]


def _between(anchor: str, own: str, measured: dict, result: dict) -> dict:
    per_image = _per_image(measured[anchor], measured[own], list(result["images"]))
    return _against(points_of(result, anchor), result, own) | {"per_image": per_image}


def _against(anchor: list, result: dict, own: str = OURS) -> dict:
    """`mean_curves`: our BD-rate against an anchor's (bpp, dB) points; or None, and `why`."""
    try:
        return {"mean_curves": bd_rate(anchor, points_of(result, own))}
    except CcaError as error:
        return {"mean_curves": None, "why": str(error)}


def _per_image(points: dict, ours: dict, images: list[str]) -> dict:
    singles = []
    for image in images:
        try:
            pair = [[(rows[image]["bpp"], rows[image]["psnr"]) for rows in c.values()] for c in (points, ours)]
            singles.append(bd_rate(*pair)["percent"])
        except CcaError:
            continue
    return {"percent": float(np.mean(singles)) if singles else None, "images": len(singles)}


def _curve(points: dict) -> list[dict]:
    """Means over the images, per quality; a key that an image lacks (MS-SSIM of small ones) is left out."""
    curve = []
    for quality, rows in sorted(points.items(), key=lambda item: float(item[0])):
        entry = {"quality": float(quality)}
        for key in next(iter(rows.values())):
            values = [r[key] for r in rows.values()]
            if all(v is not None and math.isfinite(v) for v in values):
                entry[key] = float(np.mean(values))
        curve.append(entry)
    return curve


def overlap(entry: dict) -> str:
    """'28.4–35.5 dB' of an entry with mean curves; else why there are none."""
    mean = entry["mean_curves"]
    return f"{mean['low']:.1f}–{mean['high']:.1f} dB" if mean else entry["why"]


def percent(value: float | None) -> str:
    """'−12.3 %' with its sign, or a dash."""
    return "–" if value is None else f"{value:+.1f} %"


def _all(result: dict) -> dict[str, dict]:
    """BD-rates of each curve of our codec, without refinement first."""
    return {OURS: result["bd_rate_psnr"]} | result.get("bd_rate_refined", {})  # results of old have none


def report(result: dict) -> str:
    """Curves, costs and BD-rates as text; what was run here apart from what the literature says."""
    machines = {name: result.get("hardware_of", {}).get(name, result["hardware"]) for name in result["curves"]}
    common = len(set(machines.values())) < 2
    where = next(iter(machines.values()), result["hardware"]) if common else "the machines are named below"
    lines = [f"{result['set']}: {len(result['images'])} images; run here ({where}):"]
    width = max((10, *(len(name) + 2 for name in result["curves"])))
    for name, curve in result["curves"].items():
        points = (f"{p['bpp']:.3f} bpp {p.get('psnr', math.inf):.2f} dB" for p in curve)
        lines.append(f"  {name:<{width}}{'  '.join(points)}")
    lines.append(
        f"Seconds a file (load average before, at most: {result.get('load', '?')}), and MB that a run adds at its peak:"
    )
    for name, curve in result["curves"].items():
        seconds = [f"{way} {np.mean([p[f'{way}_s'] for p in curve]):.3f} s" for way in ("encode", "decode")]
        peak = result.get("memory", {}).get(name)
        memory = f", {peak['encode_mb']:.0f} and {peak['decode_mb']:.0f} MB" if peak else ""
        machine = "" if common else f" ({machines[name]})"
        lines.append(f"  {name:<{width}}{', '.join(seconds)}{memory}{machine}")
    for own, entries in _all(result).items():
        if entries:
            lines.append(f"BD-rate (PSNR) of {own}, below 0 is better, against what was run here:")
        for name, entry in entries.items():
            mean, single = entry["mean_curves"], entry["per_image"]
            each = f"mean of per-image {percent(single['percent'])}, {single['images']} images"
            lines.append(f"  BD-rate against {name}: {percent(mean and mean['percent'])} ({overlap(entry)}; {each})")
    if "why" in result["sourced"]:
        return "\n".join([*lines, f"No curves of the literature: {result['sourced']['why']}."])
    for own, entries in _all(result["sourced"]).items():
        lines.append(f"The same of {own} against curves of the literature (sourced, not run here):")
        for entry in entries.values():
            mean = entry["mean_curves"]
            value = percent(mean and mean["percent"])
            lines.append(f"  {entry['label']}: {value} ({overlap(entry)}; {entry['source']})")
    return "\n".join(lines)
