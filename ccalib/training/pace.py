"""How long a step takes, for trainings that are compared at equal time.

python -m ccalib.training.pace PHOTOS -o data/results/pace.json --minutes 15 reference= "muon=--optimizer muon"

Each NAME=OPTIONS is a training as `ccalib train` begins it. All take a few steps in turns, so that what else the
machine does hits all alike. Minutes become steps by that; then the trainings may run anywhere and beside anything. What
is in the output is kept, and what is new is measured beside the first of the old.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.files.coding import write
from ccalib.files.lock import changing
from ccalib.model.presets import PRESETS
from ccalib.training import command, export
from ccalib.training.data import load_photos, split
from ccalib.training.loop import Trainer
from ccalib.training.schedule import plan_for
from ccalib.training.settings import Settings

# whatever they are, a step costs the same (or nearly: those with a frozen analysis, the last ones, cost less)
SAME_WORK = ("seed", "lr", "klt_rate", "gain_rate", "clip", "ema", "weight_power", "freeze")


def seconds_per_step(
    trainers: dict[Any, Trainer], turns: int = 5, block: int = 8, progress: bool = False
) -> dict[Any, float]:
    """The median over `turns` of `block` steps each, after one turn to warm up. The trainers are used up by it."""
    times: dict[Any, list[float]] = {name: [] for name in trainers}
    for trainer in trainers.values():
        trainer.objective.train()
    for turn in tqdm(range(turns + 1), desc="turns", disable=not progress):
        for name, trainer in trainers.items():
            began = time.perf_counter()
            for _ in range(block):
                trainer._step()
                trainer.step += 1
            if turn:
                times[name].append((time.perf_counter() - began) / block)
    return {name: statistics.median(values) for name, values in times.items()}


def load(path: Path) -> dict:
    """What `main` has written: `hardware`, `minutes`, and per training its `options`, `seconds` a step and `steps`.

    Raises:
        CcaError: not such a file.
    """
    try:
        found = json.loads(path.read_text())
        if {"seconds", "steps", "options"} <= set.intersection(*(set(one) for one in found["trainings"].values())):
            return {"hardware": found["hardware"], "minutes": found["minutes"], "trainings": found["trainings"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CcaError(f"{path}: cannot be read as step times ({type(error).__name__}: {error})") from error
    raise CcaError(f"{path}: not written by ccalib.training.pace; name another output")


def measure(args: argparse.Namespace, options: dict[str, str]) -> dict[str, float]:
    """Seconds a step of each training, by name, in turns; one of those whose steps are the same work stands for all.

    Raises:
        CcaError: options that `ccalib train` wouldn't take.
    """
    command.prepare_process(None)
    train, _ = split(args.photos, args.validation)
    works, trainers = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tqdm(options.items(), desc="preparing", unit="training"):
            chosen, rest = command.parsed(f"- --run - {text}", name)
            if rest:
                raise CcaError(f"{name}: ccalib train has no {' '.join(rest)}")
            settings = Settings(bf16=command.wants_bf16(chosen), **command.chosen_settings(chosen)).check()
            preset, plan = command.chosen_preset(chosen, PRESETS["small"]), plan_for(10**6, 0, 0.0)
            of = dataclasses.replace(preset, lambdas=PRESETS["small"].lambdas)  # what an error costs takes no time
            works[name] = (of, dataclasses.replace(settings, **dict.fromkeys(SAME_WORK, 0)))
            if works[name] not in trainers:
                crops = load_photos(train, args.cache, settings.crop, False)
                trainer = Trainer(Path(folder) / name, preset, crops, settings, plan=plan, progress=False)
                trainers[works[name]] = trainer
        seconds = seconds_per_step(trainers, args.turns, args.block, progress=True)
    return {name: seconds[work] for name, work in works.items()}


def _steps(args: argparse.Namespace) -> int:
    known = load(args.output)["trainings"]
    if args.of not in known:
        raise CcaError(f"{args.output}: has no {args.of}, but {', '.join(known)}")
    print(known[args.of]["steps"])
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="?", help="folder of photographs")
    parser.add_argument("trainings", nargs="*", metavar="NAME=OPTIONS", help="options of ccalib train, in quotes")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON to write")
    parser.add_argument("--of", metavar="NAME", help="print NAME's steps in OUTPUT, and measure nothing")
    parser.add_argument("--minutes", type=float, default=15.0, help="of each training (default: %(default)g)")
    parser.add_argument("--turns", type=int, default=12, help="the median over them counts (default: %(default)s)")
    parser.add_argument("--block", type=int, default=5, help="steps in a turn (default: %(default)s)")
    parser.add_argument("--validation", type=Path, help="list of names to hold out (default: one photograph in 16)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded photographs")
    args = parser.parse_intermixed_args(argv)
    try:
        if args.of:
            return _steps(args)
        if not args.photos or not args.trainings:
            parser.error("which photographs, and which trainings?")
        if min(args.turns, args.block) < 1 or not args.minutes > 0:
            raise CcaError("--turns, --block and --minutes: above 0")
        asked = dict(pair.partition("=")[::2] for pair in args.trainings)
        here, nothing = export.machine(), {"hardware": export.machine(), "minutes": args.minutes, "trainings": {}}
        found = load(args.output) if args.output.exists() else nothing
        known = dict(found["trainings"])
        missing = {name: options for name, options in asked.items() if name not in known}
        changed = [name for name in asked.keys() - missing.keys() if known[name]["options"] != asked[name]]
        if changed or found["minutes"] != args.minutes:
            what = f"{', '.join(changed)} had other options" if changed else f"it has {found['minutes']:g} minutes each"
            raise CcaError(f"{args.output}: {what}; name another output, or remove it")
        if not missing:
            return 0
        if found["hardware"] != here:
            raise CcaError(
                f"{args.output}: it lacks {', '.join(missing)}, and was measured on {found['hardware']}; this is "
                f"{here}, where equal time is another number of steps. Name another output"
            )
        first = next(iter(known), None)
        seconds = measure(args, ({first: known[first]["options"]} if first else {}) | missing)
        with changing(args.output):
            if (load(args.output) if args.output.exists() else nothing) != found:
                raise CcaError(f"{args.output}: another process has written there meanwhile; run this again")
            factor = known[first]["seconds"] / seconds[first] if first else 1.0
            for name, options in missing.items():
                s = seconds[name] * factor
                known[name] = {"options": options, "seconds": round(s, 4), "steps": round(60 * args.minutes / s)}
            write(args.output, (json.dumps(found | {"trainings": known}, indent=1) + "\n").encode())
    except CcaError as error:
        print(f"pace: {error}", file=sys.stderr)
        return 1
    for name in missing:
        print(f"{name}: {known[name]['seconds']:.3f} s a step, {known[name]['steps']:,} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
