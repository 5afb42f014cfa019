"""`ccalib ablation`: the runs of `ccalib.training.arms`, each skipped if its result is there."""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ccalib.errors import CcaError
from ccalib.files.lock import changing, held

ROOT = Path(__file__).resolve().parent.parent.parent
EPILOG = """\
examples:
  ccalib ablation --photos PHOTOS --minutes 10           everything, in runs/ablation; once more, and it goes on
  ccalib ablation 'k1.7-*-s4' --photos PHOTOS            what alpha* is chosen from (the table begins with it)
  ccalib ablation --list                                 what is done, what is missing, how long it will take
  ccalib ablation --rulers --photos PHOTOS               rulers of what is trained, and along its training
The first call measures the speed of each loss and fixes the steps of all runs; the rule for claims is written down
with them. Ctrl-C saves. Two processes may share the table: a run that one holds, the other passes over.
(The course's own results are in data/results/ablation; `make ablation` goes on with those.)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = ROOT / "data"
    parser.add_argument("names", nargs="*", default=["*"], help="runs, * and ? allowed (default: all)")
    parser.add_argument("--photos", type=Path, help="folder of photographs to train on")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="of a plain run; turned into the steps of all runs, once")
    length.add_argument("--steps", type=int, help="steps of all runs instead")
    parser.add_argument("--settings", type=json.loads, help="changes to the training's defaults, as JSON; fixed once")
    parser.add_argument("--list", action="store_true", help="say what is done and what is missing")
    parser.add_argument("--rulers", action="store_true", help="fit rulers to finished runs instead of training")
    parser.add_argument("--validation", type=Path, help="list of names to hold out (default: one photograph in 16)")
    parser.add_argument("--samples", type=Path, default=data / "images", help="images to time decoding on")
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"), help="checkpoints, logs (%(default)s)")
    parser.add_argument("--results", type=Path, help="folder, a JSON per run; their summary beside it (RUNS/results)")
    parser.add_argument("--keep", type=Path, help="weights for notebooks (RUNS/kept)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded photographs (%(default)s)")
    parser.add_argument("--threads", type=int, help="threads of this process (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    from ccalib.training.command import check_length, prepare_process

    check_length(args)
    args.results, args.keep = args.results or args.runs / "results", args.keep or args.runs / "kept"
    prepare_process(args.threads)
    from ccalib.training.arms import TABLE, Bench
    from ccalib.training.fit import Interrupted
    from ccalib.training.loop import Stopped

    chosen = [r for r in TABLE if any(fnmatch.fnmatch(r.name, pattern) for pattern in args.names)]
    if not chosen:
        raise CcaError(f"{' '.join(args.names)}: no such run; the names are: {', '.join(r.name for r in TABLE)}")
    if not isinstance(args.settings or {}, dict):
        raise CcaError(f"--settings: a JSON object, {{\"lr\": 0.001}}, not {json.dumps(args.settings)}")
    plan = args.results / "plan.json"
    bench = Bench.load(plan) if plan.exists() else None
    if bench is not None:
        _same(args, bench, plan)
    if args.list:
        print(listing(chosen, bench, args.results))
        return 0
    if args.photos is None:
        raise CcaError("--photos: name a folder of photographs to train on")
    if bench is None:
        _check_new(args)
    place = _place(args, bench)
    if bench is None:
        with changing(plan):  # two that begin together: the second takes the plan of the first
            bench = Bench.load(plan) if plan.exists() else _new_bench(args, place)
            bench.save(plan)
        _same(args, bench, plan)
    if bench.photographs not in ("", _photographs(place)):
        raise CcaError(f"{plan}: its runs have seen other photographs, or held out others; name other --results")
    load_rulers(load_results(bench, args.results)[0], args.results)  # what is stale is said before hours of training
    try:
        (_rule if args.rulers else _train)(chosen, bench, place, args.keep)
    except (Stopped, Interrupted) as stopped:
        print(f"{stopped.args[0].split(';')[0]}; the same command goes on", file=sys.stderr)
        return 130
    finally:
        _summarize(bench, args.results)
    return 0


def _same(args: argparse.Namespace, bench, plan: Path) -> None:
    """Raises CcaError: options that the plan has fixed otherwise. (`--minutes` was turned into steps once.)"""
    other = [key for key, value in (args.settings or {}).items() if bench.settings.get(key, bench) != value]
    if args.steps not in (None, bench.steps) or other:
        raise CcaError(
            f"{plan}: has fixed {bench.steps} steps and {bench.settings} for all runs; leave the options out"
        )


def _place(args: argparse.Namespace, bench):
    from ccalib import images
    from ccalib.evaluation.ablation_runs import Place
    from ccalib.evaluation.ruler_command import load_sets
    from ccalib.training.settings import Settings

    crop = (bench.settings if bench else args.settings or {}).get("crop", Settings().crop)
    photos, validation = load_sets(args.photos, args.validation, args.cache, crop, not args.quiet)
    return Place(photos, validation, images.find([args.samples]), args.results, args.runs, not args.quiet)


def _photographs(place) -> str:
    """What a plan remembers of them."""
    return f"{place.photos.fingerprint}, held out {place.validation.fingerprint}"


def _check_new(args: argparse.Namespace) -> None:
    """Raises CcaError: options from which no plan can be made."""
    from ccalib.training.settings import Settings

    if args.minutes is None and args.steps is None:
        raise CcaError("how long? give --minutes of a plain run, or --steps")
    allowed = {field.name for field in dataclasses.fields(Settings)} - {"loss", "alpha", "alpha_fall", "seed"}
    unknown = sorted((args.settings or {}).keys() - allowed)
    if unknown:
        raise CcaError(f"--settings: from {', '.join(sorted(allowed))}, not {unknown[0]}")
    Settings(**(args.settings or {})).check()


def _new_bench(args: argparse.Namespace, place):
    from ccalib.model.layers import has_bf16
    from ccalib.training.arms import measure_bench

    settings = {"bf16": has_bf16()} | (args.settings or {})
    bench = measure_bench(place.photos, settings, args.minutes, args.steps)
    bench = dataclasses.replace(bench, photographs=_photographs(place))
    print(f"{bench.steps} steps a run; seconds a step: {bench.seconds_per_step}")
    return bench


def load_results(bench, results: Path) -> tuple[dict[str, dict], float | None]:
    """Results of the finished runs by name, and α* (None before it can be chosen). Raises CcaError: stale ones."""
    from ccalib.evaluation.ablation import choose_alpha
    from ccalib.evaluation.ablation_runs import stored
    from ccalib.training.arms import TABLE

    found = {r.name: stored(results, r, bench, None) for r in TABLE if not r.waits}
    found = {name: result for name, result in found.items() if result}
    choice = choose_alpha(found)
    alpha = choice["alpha"] if choice else None
    if alpha is not None:
        late = {r.name: stored(results, r, bench, alpha) for r in TABLE if r.waits}
        found |= {name: result for name, result in late.items() if result}
    return {r.name: found[r.name] for r in TABLE if r.name in found}, alpha


def load_rulers(found: dict[str, dict], results: Path) -> dict[str, dict]:
    """Rulers by the run's name, beside `found`, which `load_results` gives. Raises CcaError: stale ones."""
    from ccalib.training.arms import RULED

    paths = {r.name: results / f"{r.name}.rulers.json" for r in RULED}
    ruled = {}
    for name, path in paths.items():
        try:
            if path.exists():
                ruled[name] = json.loads(path.read_text())
                ruled[name]["fingerprint"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CcaError(f"{path}: cannot be read ({error}); remove it to fit that run's rulers again") from error
    stale = [n for n, rulers in ruled.items() if n in found and rulers["fingerprint"] != found[n]["fingerprint"]]
    if stale:
        raise CcaError(f"{paths[stale[0]]}: of other weights than {stale[0]}.json; remove it, and its .track.json")
    return ruled


def _train(chosen: list, bench, place, keep: Path) -> None:
    from ccalib.evaluation.ablation_runs import run_once, weights_of
    from ccalib.training.arms import KEPT

    if not {r.name for r in chosen} - load_results(bench, place.results)[0].keys():
        print(f"all {len(chosen)} are done in {place.results}; nothing to train")
    for run in chosen:
        results, alpha = load_results(bench, place.results)
        if run.name in results:
            continue
        if run.waits and alpha is None:
            print(f"{run.name}: waits for alpha*, chosen when all of 'k1.7-*-s4' are done")
            continue
        with held(place.runs / run.name) as mine:
            if not mine:
                print(f"{run.name}: another process is at it")
                continue
            if run.name in load_results(bench, place.results)[0]:  # another process did it in the meantime
                continue
            _finish([place.result(run)], run.name, lambda r=run, a=alpha: [run_once(r, bench, a, place)])
            if run.name in KEPT:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(weights_of(place, run), keep / f"{run.name}.safetensors")


def _rule(chosen: list, bench, place, keep: Path) -> None:
    from ccalib.evaluation.ablation_runs import rule_run, weights_of
    from ccalib.training.arms import RULED

    for run in [r for r in chosen if r in RULED and not place.result(r, ".rulers").exists()]:
        if not weights_of(place, run).exists():
            print(f"{run.name}: no weights in {place.runs}; train it first")
            continue
        with held(place.runs / run.name) as mine:
            if mine and not place.result(run, ".rulers").exists():  # another process may have done it meanwhile
                paths = [place.result(run, f".{kind}") for kind in ("rulers", "track")]
                _finish(paths, f"{run.name} rulers", lambda r=run: rule_run(r, place))


def _finish(paths: list[Path], name: str, work: Callable[[], tuple]) -> None:
    """Do the work and write its results, the first one last: it says that all are there."""
    from ccalib.files.coding import write

    print(f"{name} …", flush=True)
    began = time.monotonic()
    for path, result in reversed(list(zip(paths, work(), strict=True))):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, (json.dumps(result, separators=(",", ":")) + "\n").encode())
    print(f"{name}: {(time.monotonic() - began) / 60:.1f} minutes")


def _summarize(bench, results: Path) -> None:
    from ccalib.evaluation.ablation import report, summarize
    from ccalib.files.coding import write

    found, _ = load_results(bench, results)
    summary = summarize(found, load_rulers(found, results), bench)
    write(results.with_name(results.name + ".json"), (json.dumps(summary, separators=(",", ":")) + "\n").encode())
    print(report(summary))


def listing(chosen: list, bench, results: Path) -> str:
    """Each run with its state, and the minutes that are left."""
    if bench is None:
        return "\n".join([*(f"{r.name}: missing" for r in chosen), "no plan yet: the first call fixes the steps"])
    found, alpha = load_results(bench, results)
    extra = float(np.median([r["measured_seconds"] for r in found.values()])) if found else 0.0
    lines, left = [], 0.0
    for run in chosen:
        if run.name in found:
            lines.append(f"{run.name}: done in {found[run.name]['seconds'] / 60:.1f} minutes")
            continue
        seconds = bench.seconds(run) + extra
        left += seconds
        state = "waits for alpha*" if run.waits and alpha is None else "missing"
        lines.append(f"{run.name}: {state}, about {seconds / 60:.1f} minutes")
    done = len(found.keys() & {r.name for r in chosen})
    lines.append(f"{done} of {len(chosen)} done; about {left / 60:.0f} minutes left")
    return "\n".join(lines)
