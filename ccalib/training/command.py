"""`ccalib train`: options, and what they mean together."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ccalib.errors import CcaError

if TYPE_CHECKING:
    from ccalib.model.presets import Preset

EPILOG = """\
examples:
  ccalib train PHOTOS --run runs/a --minutes 60            warm-up, constant rate, linear decay
  ccalib train PHOTOS --run runs/a --resume                go on after Ctrl-C or a crash, bit for bit
  ccalib train PHOTOS --run runs/b --continue-from runs/a/constant.pt --minutes 600
  ccalib train PHOTOS --run runs/c --decay-from runs/b/constant.pt --minutes 60
  ccalib train PHOTOS --run runs/e --continue-from runs/a/constant.pt --lambdas 0.001 0.1 --minutes 60
  ccalib train PHOTOS --run runs/f --continue-from data/weights/small.safetensors --minutes 60      finished weights
  ccalib train PHOTOS --run runs/g --continue-from old.safetensors --preset small --minutes 60      more latent channels
  accelerate launch --multi_gpu --num_processes 2 -m ccalib train PHOTOS --run runs/d --minutes 60
      several processes, on as many GPUs or on one CPU; --batch counts per process
"""

SETTINGS = {
    "loss": (str, "plain, honest or released (lesson 05)"),
    "alpha": (float, "weight of the CCA term of the honest loss"),
    "alpha_fall": (float, "share of the steps over which alpha falls to 0; 0 keeps it constant"),
    "seed": (int, "same seed: same initial weights, crops, qualities and noise"),
    "batch": (int, "crops per step and process"),
    "crop": (int, "side of the crops in pixels, a multiple of 64"),
    "optimizer": (str, "adam, or muon for the convolutions and Adam for the rest"),
    "lr": (float, "learning rate of Adam"),
    "klt_rate": (float, "factor of the learning rate for the KLT weights"),
    "gain_rate": (float, "factor of the learning rate for the gains"),
    "clip": (float, "largest norm of the gradient"),
    "ema": (float, "decay of the weights' exponential average"),
    "weight_power": (float, "each image's loss is weighted by lambda to minus this"),
    "freeze": (float, "last share of the decay that trains only what a decoder has, on the rounded latents"),
    "warmup": (int, "steps of warm-up"),
    "decay": (float, "share of the steps in which the rate falls to 0"),
    "log_every": (int, "steps per line of the log"),
    "checkpoint_minutes": (float, "minutes between checkpoints"),
    "validate_minutes": (float, "minutes between validations; 0: at the end only"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run: checkpoints, log, weights")
    parser.add_argument("--preset", help="tiny, small or paper (default: small, or the checkpoint's)")
    parser.add_argument(
        "--lambdas", type=float, nargs=2, metavar=("LOW", "HIGH"), help="another range of lambda than the preset's"
    )
    parser.add_argument(
        "--shape", nargs="+", metavar="KEY=VALUE", default=[],
        help="other values than the preset's, as JSON: latent=192 klt=false widths=[32,64,96]",
    )  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="wall-clock minutes, turned into steps once from measured speed")
    length.add_argument("--steps", type=int, help="steps instead of minutes")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--resume", action="store_true", help="go on exactly where the run in --run stopped")
    origin.add_argument("--continue-from", type=Path, metavar="FILE",
                        help="a checkpoint or finished weights: more constant phase, then decay")  # fmt: skip
    origin.add_argument("--decay-from", type=Path, metavar="FILE", help="decay at once, to a finished model")
    parser.add_argument("--validation", type=Path, help="list of names to hold out (default: one photograph in 16)")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="decoded photographs (default: %(default)s)"
    )
    parser.add_argument("--export", type=Path, help="where the weights go (default: RUN/PRESET.safetensors)")
    parser.add_argument("--bf16", choices=("auto", "on", "off"), default="auto", help="transforms in bfloat16")
    parser.add_argument("--threads", type=int, help="threads of this process (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for name, (kind, text) in SETTINGS.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, help=text)


def prepare_process(threads: int | None) -> None:
    """Before the first tensor operation: without flushed denormals early training slows several times over."""
    import numpy as np
    import torch

    from ccalib.model.allocator import keep_freed_memory

    np.finfo(np.float32), np.finfo(np.float64)  # numpy looks at denormals once, and warns when they are flushed
    torch.set_flush_denormal(True)
    keep_freed_memory(True)  # else a step of `small` faults in 21,000 pages anew, 7 % of its time
    if threads:
        torch.set_num_threads(threads)


def parsed(line: str, what: str) -> tuple[argparse.Namespace, list[str]]:
    """What stands after `ccalib train`, and the words of it that it hasn't. Raises CcaError: names `what`."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_arguments(parser)
    try:
        return parser.parse_known_args(shlex.split(line))
    except (argparse.ArgumentError, ValueError, SystemExit) as error:
        raise CcaError(f"{what}: {error}") from error


def chosen_settings(args: argparse.Namespace) -> dict:
    """The settings that the command line names; the others keep their defaults, or the checkpoint's values."""
    return {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}


def wants_bf16(args: argparse.Namespace) -> bool:
    """Whether the transforms of a new training are in bfloat16: as the command line says, or as the processor can."""
    from ccalib.model.layers import has_bf16

    return has_bf16() if args.bf16 == "auto" else args.bf16 == "on"


def chosen_preset(args: argparse.Namespace, stored: Preset) -> Preset:
    """`stored`, or the preset that the command line names, with its changes. Raises CcaError."""
    from ccalib.model.presets import PRESETS

    if args.preset and args.preset not in PRESETS:
        raise CcaError(f"--preset: one of {', '.join(PRESETS)}, not {args.preset}")
    preset = PRESETS[args.preset] if args.preset else stored
    preset = dataclasses.replace(preset, lambdas=tuple(args.lambdas)) if args.lambdas else preset
    return preset.reshaped(args.shape)


def run(args: argparse.Namespace) -> int:
    """Train, export, say what came out. Raises CcaError, also where another process trains in the same folder."""
    from ccalib.files.lock import held

    check_length(args)
    others = os.environ.get("RANK", "0") != "0"  # accelerate starts several, which train as one: the first holds
    with contextlib.nullcontext(True) if others else held(args.run) as mine:
        if not mine:
            raise CcaError(f"{args.run}: another process trains there; wait for it, or choose another --run")
        return _train(args)


def check_length(args: argparse.Namespace) -> None:
    """Raises CcaError: steps, threads or minutes with which nothing can begin."""
    for name, least in (("steps", 1), ("threads", 1)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            raise CcaError(f"--{name}: at least {least}, not {getattr(args, name)}")
    minutes = getattr(args, "minutes", None)
    if minutes is not None and not 0 < minutes < math.inf:
        raise CcaError(f"--minutes: above 0, not {minutes}")


def _train(args: argparse.Namespace) -> int:
    prepare_process(args.threads)
    from ccalib import weights
    from ccalib.model.presets import PRESETS, Preset
    from ccalib.training import checkpoint, export
    from ccalib.training.adapt import CROP, adapt
    from ccalib.training.data import load_photos, split
    from ccalib.training.loop import Stopped, Trainer
    from ccalib.training.schedule import Plan, plan_for
    from ccalib.training.settings import Settings
    from ccalib.training.start import from_weights

    origin = args.run / "last.pt" if args.resume else args.continue_from or args.decay_from
    if not args.resume and (args.run / "last.pt").exists():
        raise CcaError(f"{args.run}: holds a run already; add --resume to go on, or choose another --run")
    if args.export and (args.export.is_dir() or not args.export.name):
        raise CcaError(f"--export: the name of a file, not of a folder: {args.export}")
    bf16 = wants_bf16(args)
    if origin and origin.suffix == weights.SUFFIX:
        state = from_weights(origin, dataclasses.asdict(Settings(bf16=bf16)))
    else:
        state = checkpoint.load(origin) if origin else None
        if state is not None and "preset" not in state:
            raise CcaError(f"{origin}: a checkpoint, but not of `ccalib train` (of rulers?)")
    chosen, plan, minutes = chosen_settings(args), None, args.minutes
    stored = Preset.from_json(state["preset"]) if state else PRESETS["small"]
    preset = chosen_preset(args, stored)
    if args.resume and preset != stored:
        raise CcaError("--resume goes on with the run's own preset; for another one there is --continue-from")
    if state is not None:
        settings = Settings(**({"optimizer": "adam"} | state["settings"]))
        changed = dataclasses.replace(settings, **chosen, **({} if args.bf16 == "auto" else {"bf16": bf16}))
        if args.resume and changed != settings:
            raise CcaError("--resume goes on with the run's own settings; for others there is --continue-from")
        if changed.optimizer != settings.optimizer or (changed.loss == "released") != (settings.loss == "released"):
            state["optimizers"] = {}  # of other parameters: a new one begins, and warms up
        settings = changed
        plan = Plan(**state["plan"]) if args.resume and state["plan"] else None
        steps = plan and plan.total - plan.start
        if args.resume and (args.steps not in (None, steps) or minutes not in (None, state["minutes"])):
            raise CcaError("--resume goes on with the run's own length; for another one there is --continue-from")
        minutes = state["minutes"] if args.resume and plan is None else minutes
        if not args.resume and state["plan"] and state["step"] > state["plan"]["decay_start"]:
            raise CcaError(f"{origin}: its learning rate has begun to fall; take a checkpoint of the constant phase")
    else:
        settings = Settings(bf16=bf16, **chosen)
    settings.check()
    if plan is None and args.steps is None and minutes is None:
        raise CcaError("how long? give --minutes or --steps")

    train, held = split(args.photos, args.validation)
    photos = load_photos(train, args.cache, settings.crop, not args.quiet)
    if state and preset != stored:  # what is new is measured on larger crops
        state = adapt(state, preset, load_photos(train, args.cache, max(settings.crop, CROP), not args.quiet))
    if plan is None and args.steps is not None:
        done, cold = state["step"] if state else 0, checkpoint.is_cold(state)
        plan = plan_for(args.steps, settings.warmup, settings.decay, done, args.decay_from is None, cold)
    validation = load_photos(held, args.cache, 64, not args.quiet) if held else None
    skipped = photos.skipped + (validation.skipped if validation else [])
    for line in skipped:
        print(f"skipped: {line}", file=sys.stderr)
    trainer = Trainer(
        args.run, preset, photos, settings, plan=plan, minutes=minutes, state=state, resume=args.resume,
        decay_only=state["decay_only"] if args.resume else args.decay_from is not None,
        validation=validation, progress=not args.quiet,
    )  # fmt: skip
    if trainer.main:
        if origin and not args.resume:
            export.carry_history(origin, args.run)
        export.note_command(args.run, sys.argv[1:], trainer.step, args.resume)
        print(f"{len(photos)} photographs, {len(skipped)} skipped")
        print(f"settings {json.dumps(dataclasses.asdict(settings))}")
    try:
        codec = trainer.train()
    except Stopped as stopped:
        print(f"{args.run}: {stopped}", file=sys.stderr)
        return 130
    if trainer.main:
        path = args.export or args.run / f"{preset.name}.safetensors"
        export.export(codec, path, args.run, trainer, args.photos)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, fingerprint {codec.fingerprint}")
    return 0
