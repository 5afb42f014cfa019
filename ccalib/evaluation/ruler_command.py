"""`ccalib rulers`: fit entropy models to frozen weights, and measure with them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import zlib
from pathlib import Path

from ccalib.errors import CcaError

ROOT = Path(__file__).resolve().parent.parent.parent
EPILOG = """\
examples:
  ccalib rulers --model small --images ../mine                 small's are there: one more set into its results
  ccalib rulers PHOTOS --model runs/a/small.safetensors --name a --images data/images      fit to your own, measure
Ctrl-C saves; the same command goes on.
"""
OPTIONS = {
    "steps": (int, "of the first round; each further one, until the first group's error is small, has half as many"),
    "rounds": (int, "the most rounds"),
    "batch": (int, "crops per step"),
    "crop": (int, "side of the crops in pixels, a multiple of 64"),
    "lr": (float, "learning rate of Adam"),
    "seed": (int, "same seed: same initial weights, crops, qualities and noise"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=Path, nargs="?", help="folder of photographs to fit on")
    parser.add_argument("--model", default="small", help="frozen weights: name, path or fingerprint (default: small)")
    parser.add_argument("--name", help="of the results (default: the weights' file name)")
    parser.add_argument("--images", type=Path, action="append", default=[], help="folder to measure; may be repeated")
    parser.add_argument("--models", help="by comma, from main, auxiliary, hyperprior, scale, factorized (default: all)")
    parser.add_argument("--validation", type=Path, help="list of names to hold out (default: one photograph in 16)")
    parser.add_argument("--run", type=Path, help="checkpoint and log (in runs/rulers, by weights and options)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded photographs (%(default)s)")
    parser.add_argument("--weights", type=Path, help="of the rulers (default: data/weights/rulers/NAME.safetensors)")
    parser.add_argument("-o", "--output", type=Path, help="JSON (default: data/results/rulers_NAME.json)")
    parser.add_argument("--again", action="store_true", help="replace rulers or results of other weights, fits, sets")
    parser.add_argument("--threads", type=int, help="threads of this process (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for name, (kind, text) in OPTIONS.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, help=text)


def run(args: argparse.Namespace) -> int:
    from ccalib.training.command import check_length, prepare_process

    check_length(args)
    prepare_process(args.threads)
    from ccalib import weights
    from ccalib.evaluation.rulers import report, results
    from ccalib.files.lock import held
    from ccalib.training import rulers as store
    from ccalib.training.fit import Fit, Fitter, Interrupted

    codec = weights.load(args.model)
    name = args.name or weights.find(args.model).stem
    path = args.weights or ROOT / "data" / "weights" / "rulers" / f"{name}.safetensors"
    chosen = {key: getattr(args, key) for key in OPTIONS if getattr(args, key) is not None}
    if args.models:
        chosen["models"] = tuple(m.strip() for m in args.models.split(","))
    if _fitted(path, codec.fingerprint, chosen, args.again):
        print(f"{path}: fitted to {codec.fingerprint} already", file=sys.stderr)
    else:
        if args.photos is None:
            raise CcaError(f"photos: no rulers of {name} ({codec.fingerprint}) in {path}; name a folder to fit them on")
        fit = dataclasses.replace(Fit(), **chosen).check()
        photos, validation = load_sets(args.photos, args.validation, args.cache, fit.crop, not args.quiet)
        options = zlib.crc32(json.dumps(dataclasses.asdict(fit)).encode())
        run_folder = args.run or Path("runs/rulers") / f"{codec.fingerprint}-{options:08x}"
        with held(run_folder) as mine:
            if not mine:
                raise CcaError(f"{run_folder}: another process fits there; wait for it, or choose another --run")
            try:
                rulers = Fitter(codec, photos, validation, fit, run_folder, progress=not args.quiet).run_all()
            except Interrupted as stopped:
                print(f"{run_folder}: {stopped}", file=sys.stderr)
                return 130
        store.save(rulers, path, codec.fingerprint)
    rulers = store.read(path, path.stat().st_mtime_ns)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB; {json.dumps(rulers.card['first_group_errors'][-1])}")
    output = args.output or ROOT / "data" / "results" / f"rulers_{name}.json"
    if args.images:
        print(report(results(output, name, codec, rulers, args.images, not args.quiet, args.again)))
    return 0


def _fitted(path: Path, fingerprint: str, chosen: dict, again: bool) -> bool:
    """Whether the rulers in `path` are the ones that are asked for. Raises CcaError: others, and not `again`."""
    from ccalib import weights

    if not path.exists():
        return False
    found = weights.metadata(path)
    fit = json.loads(found.get("card", "{}")).get("fit", {})
    if found.get("codec") != fingerprint:
        other = f"has rulers of other weights ({found.get('codec')}); choose another --name"
    elif wrong := [key for key, value in chosen.items() if fit.get(key) != json.loads(json.dumps(value))]:
        other = f"has rulers that were fitted with {wrong[0]} {fit.get(wrong[0])}; choose another --name"
    else:
        return True
    if not again:
        raise CcaError(f"{path}: {other} (or --weights and -o), or replace them: --again")
    return False


def load_sets(folder: Path, held_out: Path | None, cache: Path, crop: int, progress: bool):
    """Photographs to fit on and to validate on. Raises CcaError where a crop doesn't fit, or nothing is held out."""
    from ccalib.training.data import load_photos, split

    if crop <= 0 or crop % 64:
        raise CcaError(f"--crop: a multiple of 64, not {crop}")
    train, held = split(folder, held_out)
    if not held:
        raise CcaError(f"{folder}: no photograph is held out; name some with --validation")
    return load_photos(train, cache, crop, progress), load_photos(held, cache, 64, progress)
