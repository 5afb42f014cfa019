"""Eigenvalues of the training photographs' KLT: the energy that each linear component of a patch would hold.

python -m ccalib.training.spectrum PHOTOS --validation LIST -o data/results/spectrum.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ccalib.errors import CcaError
from ccalib.files.coding import write
from ccalib.model.transforms import PATCH, klt
from ccalib.training.data import Photos, load_photos, patches, split
from ccalib.training.settings import Settings
from ccalib.training.start import PATCHES

DIGITS = 5  # significant; more would be the sample's


def spectrum(photos: Photos, count: int = PATCHES, seed: int = 0) -> dict:
    """Eigenvalues of random 16×16×3 patches, as the KLT shortcut of a new codec starts from them.

    Returns:
        `eigenvalues`: 768, non-increasing, squared steps of 0…255 a coefficient (their sum is a patch's variance);
        and what they were computed from.
    """
    _, _, values = klt(patches(photos, count, seed), 1)
    scaled = [float(f"{255**2 * value:.{DIGITS}g}") for value in values.tolist()]
    return {"eigenvalues": scaled, "unit": "squared steps of 0…255", "patch": [3, PATCH, PATCH], "patches": count,
            "seed": seed, "photographs": len(photos)}  # fmt: skip


def read(path: Path) -> list[float]:
    """Stored eigenvalues. Raises CcaError: no such file, or not numbers that fall and stay above 0."""
    try:
        values = [float(value) for value in json.loads(path.read_text())["eigenvalues"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CcaError(f"{path}: eigenvalues: can't be read ({error})") from error
    if not values or values != sorted(values, reverse=True) or not values[-1] > 0:
        raise CcaError(f"{path}: eigenvalues: must fall and stay above 0")
    return values


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of the training photographs")
    parser.add_argument("--validation", type=Path, help="list of names to leave out (default: one photograph in 16)")
    parser.add_argument("--patches", type=int, default=PATCHES, help="how many (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded photographs (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(argv)
    try:
        if args.patches < 1:
            raise CcaError(f"--patches: at least 1, not {args.patches}")
        photos = load_photos(split(args.photos, args.validation)[0], args.cache, Settings().crop)
        result = spectrum(photos, args.patches)
        write(args.output, (json.dumps(result, ensure_ascii=False) + "\n").encode())
    except CcaError as error:
        print(f"spectrum: {error}", file=sys.stderr)
        return 1
    values = result["eigenvalues"]
    print(f"{len(photos)} photographs: {len(values)} eigenvalues from {values[0]:.4g} to {values[-1]:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
