"""What refinement buys and costs, on middles of validation photographs: `effort.json`, by real file bytes.

python -m ccalib.evaluation.effort ../shared/train --validation data/weights/validation.txt -o data/results/effort.json

It is `ccalib evaluate --effort` on a folder of PNGs made for it; stop it at any time, the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from ccalib import images, style
from ccalib.errors import CcaError
from ccalib.evaluation.evaluate import evaluate
from ccalib.evaluation.summary import OURS, percent
from ccalib.training.data import reduced, split
from ccalib.training.validate import CROP, middle

ROOT = Path(__file__).resolve().parent.parent.parent
STANDARD = 768 * 512  # pixels of a Kodak image, to which seconds are scaled


def crops(folder: Path, names: list[str], count: int, into: Path) -> None:
    """Middles of 384×256 of `count` photographs, evenly spread over `names`, as PNG. Raises CcaError."""
    if not 1 <= count <= len(names):
        raise CcaError(f"--count: {count} is outside 1 … {len(names)}")
    for i in range(count):
        name = names[i * len(names) // count]
        photo = reduced(images.load(folder / name))
        images.load(np.ascontiguousarray(middle(np.asarray(photo), CROP))).save(into / f"{Path(name).stem}.png")


def table(result: dict) -> str:
    """Per effort: BD-rate against no effort, of mean curves and the mean of each image's; seconds for 768×512."""
    pixels = np.mean([8 * row["bytes"] / row["bpp"] for row in next(iter(result["files"][OURS].values())).values()])
    rows = [("steps", "BD-rate", "per image", "encode", "decode")]
    for name, curve in result["curves"].items():
        entry = result["bd_rate_refined"].get(name, {}).get(OURS)
        mean = entry and entry["mean_curves"]
        seconds = [f"{np.mean([p[way] for p in curve]) * STANDARD / pixels:.2f} s" for way in ("encode_s", "decode_s")]
        steps = result["settings"][name].get("effort", 0)
        each = entry and entry["per_image"]["percent"]
        rows.append((str(steps), percent(mean and mean["percent"]), percent(each), *seconds))
    return f"{len(result['images'])} images, load average {result['load']}\n{style.aligned(rows)}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of the photographs")
    parser.add_argument("--validation", type=Path, default=ROOT / "data/weights/validation.txt", help="their names")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "data/results/effort.json")
    parser.add_argument("--model", default="small")
    parser.add_argument("--efforts", type=int, nargs="+", default=[10, 20, 50])
    parser.add_argument("--qualities", type=float, nargs="+", default=[0, 2, 4, 6])
    parser.add_argument("--count", type=int, default=8, help="photographs")
    parser.add_argument("--again", action="store_true", help="measure anew what was measured with other weights")
    args = parser.parse_args(argv)
    try:
        print(table(measure(args)))
    except CcaError as error:
        print(f"effort: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("effort: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


def measure(args: argparse.Namespace) -> dict:
    """Raises CcaError."""
    names = [file.name for file in split(args.photos, args.validation)[1]]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "validation"
        folder.mkdir()
        crops(args.photos, names, args.count, folder)
        qualities = [float(q) for q in args.qualities]
        return evaluate(
            folder, args.output, args.model, [], qualities, again=args.again, peak_memory=False, efforts=args.efforts
        )


if __name__ == "__main__":
    sys.exit(main())
