"""Rate–distortion curves of the literature on the Kodak set: facts with their sources, not run here.

`reference.json` is cut from a larger collection by

    python -m ccalib.evaluation.reference rd_reference.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from ccalib.errors import CcaError
from ccalib.evaluation.kodak import is_kodak

PATH = Path(__file__).with_name("reference.json")
UNITS = (
    "bits per pixel; PSNR of 8-bit RGB in dB; means over Kodak's 24 images at 768×512, as published. CompressAI's "
    "bench feeds VTM, HM, AV1 and BPG YCbCr 4:4:4 and converts back to RGB before it takes PSNR."
)
# name here: (name in the collection, label, paper or software)
KEPT = {
    "hpcm": ("hpcm-base", "HPCM-Base", "Li et al., ICCV 2025, arXiv 2507.19125"),
    "cca": ("cca", "CCA", "Han et al., NeurIPS 2024, arXiv 2410.04847"),
    "tcm": ("tcm-large", "TCM-Large", "Liu et al., CVPR 2023, arXiv 2303.14978"),
    "elic": ("paper-elic2022", "ELIC", "He et al., CVPR 2022, arXiv 2203.10886"),
    "vtm": ("vtm", "VTM (VVC)", "the VVC test model, run by CompressAI"),
    "mbt2018": ("mbt2018", "joint autoregressive", "Minnen et al., NeurIPS 2018, CompressAI's weights"),
    "av1": ("av1", "AV1", "libaom tuned for PSNR, run by CompressAI"),
    "hm": ("hm", "HM (HEVC)", "the HEVC test model, run by CompressAI"),
    "bpg": ("bpg_444_x265_ycbcr", "BPG 4:4:4", "BPG 0.9.8 with x265, run by CompressAI"),
    "hyperprior": ("bmshj2018-hyperprior", "scale hyperprior", "Ballé et al., ICLR 2018, CompressAI's weights"),
}


def curves(hashes: dict[str, str]) -> dict[str, dict]:
    """The sourced curves, for results on Kodak only.

    Args:
        hashes: file name → pixel hash of the images that the curves will be set beside.
    Returns:
        name → `label`, `paper`, `source`, `points` [(bpp, dB), …], by rising rate.
    Raises:
        CcaError: the images are not Kodak's. Another set's curves would be a false anchor.
    """
    if not is_kodak(hashes):
        raise CcaError("the sourced curves are of the Kodak set, and these images are not Kodak's 24")
    return json.loads(PATH.read_text())["curves"]


def cut(collection: bytes) -> dict:
    """What `reference.json` holds, from the collection's bytes. Raises CcaError where a curve is missing or unfit."""
    try:
        kodak = json.loads(collection)["kodak"]
        kept = {}
        for name, (key, label, paper) in KEPT.items():
            entry = kodak[key]
            points = sorted(zip(entry["bpp"], entry["psnr"], strict=True))
            if any(after[1] <= before[1] for before, after in zip(points, points[1:])):
                raise CcaError(f"{key}: PSNR doesn't rise with the rate")
            kept[name] = {"label": label, "paper": paper, "source": entry["source"], "points": points}
    except (KeyError, TypeError, ValueError) as error:
        raise CcaError(f"not a collection of curves: {error!r}") from error
    return {"set": "Kodak", "units": UNITS, "collection_sha256": hashlib.sha256(collection).hexdigest(), "curves": kept}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection", type=Path)
    args = parser.parse_args(argv)
    try:
        text = json.dumps(cut(args.collection.read_bytes()), indent=1, ensure_ascii=False)
        PATH.write_text(text + "\n")
    except (CcaError, OSError) as error:
        print(f"reference: {args.collection}: {error}", file=sys.stderr)
        return 1
    print(f"{PATH}: {', '.join(KEPT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
