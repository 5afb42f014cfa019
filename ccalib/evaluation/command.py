"""`ccalib evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ccalib.errors import CcaError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of images")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON to write; an unfinished one goes on")
    parser.add_argument(
        "--model", default="small", help="our weights: name, path or fingerprint; 'none' leaves them out"
    )
    parser.add_argument("--codecs", default="jpeg,webp,jpeg2000", help="others, by comma: jpeg, webp, jpeg2000, avif")
    parser.add_argument("--qualities", help="of our codec, by comma (default: each integer)")
    parser.add_argument("--plot", type=Path, help="PNG of the curves")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    from ccalib.evaluation.evaluate import evaluate
    from ccalib.evaluation.plot import plot_curves

    try:
        qualities = [float(q) for q in args.qualities.split(",")] if args.qualities else None
    except ValueError as error:
        raise CcaError(f"--qualities: {args.qualities}: numbers by comma are wanted") from error
    names = [n.strip() for n in args.codecs.split(",") if n.strip()]
    model = None if args.model == "none" else args.model
    result = evaluate(args.folder, args.output, model, names, qualities, not args.quiet)
    print(report(result))
    if args.plot:
        plot_curves(result, args.plot)
    return 0


def report(result: dict) -> str:
    """Curves and BD-rates as text."""
    lines = [f"{result['set']}: {len(result['images'])} images"]
    for name, curve in result["curves"].items():
        lines.append(f"  {name:<10}" + "  ".join(f"{p['bpp']:.3f} bpp {p['psnr']:.2f} dB" for p in curve))
    for name, entry in result["bd_rate_psnr"].items():
        mean, single = entry["mean_curves"], entry["per_image"]
        text = f"{mean['percent']:+.1f} % over {mean['low']:.1f}–{mean['high']:.1f} dB" if mean else entry["why"]
        own = "none overlap" if single["percent"] is None else f"{single['percent']:+.1f} %, {single['images']} images"
        lines.append(f"  BD-rate against {name}: {text} (mean of per-image: {own})")
    return "\n".join(lines)
