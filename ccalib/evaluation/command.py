"""`ccalib evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ccalib.errors import CcaError

EPILOG = """\
examples:
  ccalib evaluate photos -o result.json --plot curves.png      all codecs that run here
  ccalib evaluate photos -o result.json --codecs jpeg,webp     ours and two others: 8 s an image
  ccalib evaluate photos -o result.json --model none           the other codecs alone
  ccalib evaluate photos -o result.json --effort 30            refined files, too

Stop it at any time; the same command goes on from there. heic and jxl need plugins: pip install 'ccalib[codecs]'.
Codecs are set slow: all points of a 768×512 image take avif 31 s of processor time, jxl 9 s, heic 5 s, others 1 s.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of images")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON to write; an unfinished one goes on")
    parser.add_argument(
        "--model", default="small", help="our weights: name, path or fingerprint; 'none' leaves them out"
    )
    parser.add_argument(
        "--codecs", default="all", help="others, by comma: jpeg, webp, jpeg2000, avif, heic, jxl; or all, or none"
    )
    parser.add_argument("--qualities", help="of our codec, by comma (default: each integer)")
    parser.add_argument(
        "--effort", default="", metavar="N[,N…]",
        help="our codec once more with N steps of refinement (see ccalib encode --help), a curve of its own",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, help="PNG of the curves; its text alternative is written beside it (.txt)")
    parser.add_argument(
        "--again", action="store_true", help="measure anew what OUTPUT holds with other settings, versions or weights"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory (two processes a codec)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    from ccalib.evaluation.codecs import LIVE
    from ccalib.evaluation.evaluate import evaluate
    from ccalib.evaluation.plot import plot_curves
    from ccalib.evaluation.summary import report

    try:
        qualities = [float(q) for q in args.qualities.split(",")] if args.qualities else None
    except ValueError as error:
        raise CcaError(f"--qualities: {args.qualities}: numbers by comma are wanted") from error
    try:
        efforts = [int(n) for n in args.effort.split(",") if n.strip()]
    except ValueError as error:
        raise CcaError(f"--effort: {args.effort}: whole numbers by comma are wanted") from error
    names = [n.strip() for n in args.codecs.split(",") if n.strip()]
    names = {"all": list(LIVE), "none": []}.get(args.codecs, names)
    model = None if args.model == "none" else args.model
    result = evaluate(
        args.folder, args.output, model, names, qualities, not args.quiet, args.again, not args.no_memory, efforts
    )
    print(report(result))
    if args.plot:
        plot_curves(result, args.plot)
    return 0
