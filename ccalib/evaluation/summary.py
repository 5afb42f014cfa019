"""Mean curves and BD-rates from the figures of single files, and how they read as text."""

from __future__ import annotations

import math

import numpy as np

from ccalib.errors import CcaError
from ccalib.evaluation import reference
from ccalib.evaluation.metrics import bd_rate

OURS = "ccalib"


def summarize(result: dict) -> None:
    """Add mean curves, and BD-rates (PSNR) of our codec against the live ones and the sourced ones, kept apart.

    - `curves`: per codec, the means over the images at each quality.
    - `bd_rate_psnr`: per live codec. `mean_curves` is the BD-rate between curves of mean rate and mean PSNR;
      `per_image` the mean of each image's own (over the images whose curves overlap), since a fixed rate or a fixed
      PSNR for every image tilts the first.
    - `sourced`: `bd_rate_psnr` per curve of the literature, with its label, paper and source, on Kodak only;
      else `why` there is none.
    """
    measured = {}
    for name, points in result["files"].items():
        whole = {q: rows for q, rows in points.items() if rows.keys() == result["images"].keys()}
        if whole:  # an interrupted quality is no point of a curve
            measured[name] = whole
    result["curves"] = {name: _curve(points) for name, points in measured.items()}
    result["bd_rate_psnr"] = {}
    ours = measured.get(OURS)
    if ours is None:
        result["sourced"] = {"why": f"{OURS} was not measured"}
        return
    for name, points in measured.items():
        if name != OURS:
            entry = _against([(p["bpp"], p["psnr"]) for p in result["curves"][name]], result)
            result["bd_rate_psnr"][name] = entry | {"per_image": _per_image(points, ours, list(result["images"]))}
    try:
        sourced = reference.curves(result["images"])
    except CcaError as error:
        result["sourced"] = {"why": str(error)}
        return
    entries = {
        name: {key: curve[key] for key in ("label", "paper", "source")} | _against(curve["points"], result)
        for name, curve in sourced.items()
    }
    result["sourced"] = {"bd_rate_psnr": entries}


def _against(anchor: list, result: dict) -> dict:
    """`mean_curves`: our BD-rate against an anchor's (bpp, dB) points; or None, and `why`."""
    try:
        return {"mean_curves": bd_rate(anchor, [(p["bpp"], p["psnr"]) for p in result["curves"][OURS]])}
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


def report(result: dict) -> str:
    """Curves, costs and BD-rates as text; what was run here apart from what the literature says."""
    lines = [f"{result['set']}: {len(result['images'])} images; run here ({result['hardware']}):"]
    for name, curve in result["curves"].items():
        lines.append(f"  {name:<10}" + "  ".join(f"{p['bpp']:.3f} bpp {p['psnr']:.2f} dB" for p in curve))
    lines.append(
        f"Seconds a file (load average before: {result.get('load', '?')}), and MB that a run adds at its peak:"
    )
    for name, curve in result["curves"].items():
        seconds = [f"{way} {np.mean([p[f'{way}_s'] for p in curve]):.3f} s" for way in ("encode", "decode")]
        peak = result.get("memory", {}).get(name)
        memory = f", {peak['encode_mb']:.0f} and {peak['decode_mb']:.0f} MB" if peak else ""
        lines.append(f"  {name:<10}{', '.join(seconds)}{memory}")
    if result["bd_rate_psnr"]:
        lines.append(f"BD-rate (PSNR) of {OURS}, below 0 is better, against what was run here:")
    for name, entry in result["bd_rate_psnr"].items():
        mean, single = entry["mean_curves"], entry["per_image"]
        own = f"mean of per-image {percent(single['percent'])}, {single['images']} images"
        lines.append(f"  BD-rate against {name}: {percent(mean and mean['percent'])} ({overlap(entry)}; {own})")
    if "why" in result["sourced"]:
        return "\n".join([*lines, f"No curves of the literature: {result['sourced']['why']}."])
    lines.append("The same against curves of the literature (sourced, not run here):")
    for entry in result["sourced"]["bd_rate_psnr"].values():
        mean = entry["mean_curves"]
        lines.append(f"  {entry['label']}: {percent(mean and mean['percent'])} ({overlap(entry)}; {entry['source']})")
    return "\n".join(lines)
