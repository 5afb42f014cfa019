"""What a dead zone in the encoder would give, per scale and quality: `dead_zone.json`, by estimated rate.

python -m ccalib.evaluation.dead_zone ../shared/train --validation data/weights/validation.txt

A symbol near 0 costs fewer bits than its neighbor, so an encoder may round toward 0 what lies a little beyond the half:

    symbol = sign(y − μ) ⌊|y − μ| + 1 − θ⌋,  θ = 0.5: the nearest

Each range of scales is tried alone with every θ, on half of the validation photographs; what gave the lowest mean
R + λD there is put together, and measured on the other half. Stop it at any time, the same command goes on.

A lower R + λD at each quality need not mean a better curve, since λ may suit a lower quality: the BD-rate decides.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ccalib import weights
from ccalib.errors import CcaError
from ccalib.evaluation.metrics import bd_rate
from ccalib.files.coding import write
from ccalib.images import to_tensor
from ccalib.model.codec import Codec
from ccalib.model.coders import Estimate
from ccalib.model.entropy import LatentGaussian
from ccalib.model.gains import lambda_of, stored_quality
from ccalib.training.data import Photos, load_photos, split
from ccalib.training.losses import bits, distortion
from ccalib.training.validate import CROP, middle

ROOT = Path(__file__).resolve().parent.parent.parent
RANGES = (0.25, 0.5, 1.0, 2.0)  # scales, the step between symbols being 1: five ranges, split here
THETAS = (0.55, 0.6, 0.65, 0.7)  # tried in each, besides 0.5
NONE = (0.5,) * (len(RANGES) + 1)


class DeadZone(Estimate):
    """What coding with a dead zone costs. `thetas`: per range of scales, in rising order."""

    def __init__(self, gaussian: LatentGaussian, thetas: tuple[float, ...]) -> None:
        super().__init__(gaussian)
        self.edges, self.thetas = torch.tensor(RANGES).log(), torch.tensor(thetas)

    def round(self, offset: Tensor, scale: Tensor) -> Tensor:
        log_scale = scale if self.gaussian.log_scale else scale.log()
        theta = self.thetas[torch.bucketize(log_scale.contiguous(), self.edges)]
        return torch.sign(offset) * torch.floor(offset.abs() + 1 - theta)


@torch.inference_mode()
def points(codec: Codec, photo: np.ndarray, quality: float, choices: list[tuple[float, ...]]) -> list[list[float]]:
    """(bpp, MSE, PSNR in dB) of a photograph's middle at each choice of θ, from one analysis of it."""
    x = to_tensor(middle(photo))
    q, pixels = torch.tensor([quality]), x.shape[2] * x.shape[3]
    y, medians = codec.analyze(x, q), codec._medians()
    z_hat = torch.round(codec.hyper_analyze(y) - medians) + medians
    z_bits = bits(codec.z_prior(z_hat, training=False)[1]).item()
    found = []
    for thetas in choices:
        coder = DeadZone(codec.gaussian, thetas)
        decoded = codec.coding_path().walk(z_hat, coder, y)
        rate = (z_bits + bits(torch.cat(coder.likelihoods, dim=1)).item()) / pixels
        mse = distortion(x, codec.synthesize(torch.cat(decoded, dim=1), q).clamp(0, 1)).item()
        found.append([rate, mse, 10 * math.log10(255**2 / mse)])
    return found


def tune(codec: Codec, photos: Photos, which: range, quality: float, progress: bool) -> tuple[float, ...]:
    """Per range of scales, the θ that alone gives the lowest mean R + λD on these photographs."""
    alone = [NONE[:i] + (theta,) + NONE[i + 1 :] for i in range(len(NONE)) for theta in THETAS]
    rows = [points(codec, photos[i], quality, [NONE, *alone]) for i in _bar(which, f"tuning {quality:g}", progress)]
    bpp, mse, _ = np.mean(rows, axis=0).T
    losses = (bpp + lambda_of(codec.preset, quality) * mse).tolist()
    best = []
    for i in range(len(NONE)):
        own = losses[1 + i * len(THETAS) :][: len(THETAS)]
        best.append(0.5 if losses[0] <= min(own) else THETAS[own.index(min(own))])
    return tuple(best)


def measure(codec: Codec, photos: Photos, qualities: list[float], output: Path, progress: bool = True) -> dict:
    """Tunes on photographs 0, 2, … and measures on 1, 3, …; writes `output` after each quality. Raises CcaError."""
    tuned, measured = range(0, len(photos), 2), range(1, len(photos), 2)
    result = {
        "fingerprint": codec.fingerprint, "ranges": RANGES, "thetas": [NONE[0], *THETAS],
        "photographs": {"tuned": len(tuned), "measured": len(measured), "crop": CROP,
                        "fingerprint": photos.fingerprint}, "points": [],
    }  # fmt: skip
    result = json.loads(json.dumps(result))
    if output.exists():
        try:
            old = json.loads(output.read_text())
            old_head = {k: old[k] for k in result} | {"points": []}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CcaError(f"{output}: not written by ccalib.evaluation.dead_zone; name another output") from error
        if old_head == result:
            result["points"] = old["points"]
    for quality in qualities:
        if quality in [p["quality"] for p in result["points"]]:
            continue
        best = tune(codec, photos, tuned, quality, progress)
        which = _bar(measured, f"measuring {quality:g}", progress)
        means = np.mean([points(codec, photos[i], quality, [NONE, best]) for i in which], axis=0).tolist()
        entry = {"quality": quality, "lambda": lambda_of(codec.preset, quality), "best": best}
        for name, (bpp, mse, psnr) in zip(("without", "with"), means, strict=True):
            entry[name] = {"bpp": bpp, "mse": mse, "psnr": psnr}
        result["points"] = sorted([*result["points"], entry], key=lambda p: p["quality"])
        write(output, (json.dumps(result, indent=1) + "\n").encode())
    curves = [[(p[name]["bpp"], p[name]["psnr"]) for p in result["points"]] for name in ("without", "with")]
    result["bd_rate"] = bd_rate(*curves)
    write(output, (json.dumps(result, indent=1) + "\n").encode())
    return result


def table(result: dict) -> str:
    """Markdown: per quality θ of each range of scales, rate, quality and R + λD without and with it; the BD-rate."""
    edges = [f"{edge:g}" for edge in result["ranges"]]
    titles = [f"below {edges[0]}", *(f"{a}–{b}" for a, b in zip(edges, edges[1:], strict=False)), f"above {edges[-1]}"]
    heads = ["quality", *(f"θ, scale {t}" for t in titles), "bpp", "dB", "bpp with it", "dB with it", "R + λD"]
    rows = [heads, ["---"] * len(heads)]
    for p in result["points"]:
        measured = [f"{p[name][unit]:.{places}f}" for name in ("without", "with")
                    for unit, places in (("bpp", 4), ("psnr", 2))]  # fmt: skip
        without, with_it = (p[name]["bpp"] + p["lambda"] * p[name]["mse"] for name in ("without", "with"))
        change = f"{100 * (with_it / without - 1):+.2f} %"
        rows.append([f"{p['quality']:g}", *(f"{theta:g}" for theta in p["best"]), *measured, change])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    counts = result["photographs"]
    gain = f"BD-rate {result['bd_rate']['percent']:+.2f} %, by estimated rate, on {counts['measured']} validation"
    lines += ["", f"{gain} photographs; θ chosen on {counts['tuned']} others (0.5 is the nearest symbol).", ""]
    lines += ["R + λD falls where the BD-rate doesn't: points move along their curve, to where its slope is nearer λ."]
    return "\n".join(lines)


def _bar(which: range, text: str, progress: bool):
    return tqdm(which, desc=text, disable=None if progress else True, leave=False)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of the photographs")
    parser.add_argument("--validation", type=Path, default=ROOT / "data/weights/validation.txt", help="their names")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "data/results/dead_zone.json", help="%(default)s")
    parser.add_argument("--model", default="small", help="weights: name, path or fingerprint (%(default)s)")
    parser.add_argument("--qualities", type=float, nargs="+", default=list(range(7)), help="four or more (%(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded photographs (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args(argv)
    try:
        if len(set(args.qualities)) < 4:
            raise CcaError("--qualities: a BD-rate needs four")
        held = split(args.photos, args.validation)[1]
        photos = load_photos(held, args.cache, 128, not args.quiet)
        if len(photos) < 2:  # some may be too small, or no pictures
            raise CcaError(f"{args.validation}: one half is for tuning, so two photographs at least are needed")
        codec, qualities = weights.load(args.model), [float(q) for q in args.qualities]
        for quality in qualities:
            stored_quality(codec.preset, quality)  # refuses what the model doesn't have
        print(table(measure(codec, photos, qualities, args.output, not args.quiet)))
    except CcaError as error:
        print(f"dead_zone: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped; {args.output} keeps what is done, the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
