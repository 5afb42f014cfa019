"""Mutated `.cca` files against the reader: what becomes of them, counted.

python -m benchmarks.fuzz --count 100000 --workers 2      (once more: it goes on where it stopped)

Case i is a function of (seed, i) alone (`benchmarks/mutations.py`); every second one is `sealed`, its checksums made to
fit again.

Each file is decoded in a worker process with limits on pixels, memory and time, and ends as one of

    refused    a CcaError
    whole      the unchanged picture
    prefix     the unchanged picture of the first groups
    obeyed     a forged header (only sealed files have one) with another size or quality: the true symbols, shown so
    silent     symbols that are not the true ones: garbage that no checksum caught
    crash, hang, memory, exception      the worker died; over the time; over the memory; anything but CcaError

The last five are findings; `obeyed` is none, for a header that is consistent is what the file says.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import multiprocessing
import resource
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

import ccalib
from benchmarks.mutations import case
from ccalib import CcaError, images, weights
from ccalib.files import coding, container
from ccalib.model import rans

RESULT = Path(__file__).resolve().parent.parent / "data" / "results" / "fuzz.json"
IMAGE = RESULT.parent.parent / "images" / "mountains.png"
SIZES, QUALITIES = ((48, 32), (64, 64), (128, 96)), (0, 3, 6)
LIMITS = {"pixels": 2**17, "memory_mb": 2048, "seconds": 60}  # memory: beyond what a worker has before its first case
BLOCK = 500  # cases between two writings of the result
FINDINGS = ("silent", "crash", "hang", "memory", "exception")


# ---- workers --------------------------------------------------------------------------------------------------------


class Spy:
    """Wraps the codec's `decode` and the range coder, to see symbols, and whether the coder was reached."""

    def __init__(self, codec) -> None:
        self.symbols, self.reached, decode = [], False, codec.decode

        def watched(*given):
            x_hat, self.symbols = decode(*given)
            return x_hat, self.symbols

        codec.decode, decoder, spy = watched, rans.ans.RansDecoder, self

        class Decoder:
            def decode_with_indexes(self, *given):
                spy.reached = True
                return decoder().decode_with_indexes(*given)

        rans.ans.RansDecoder = Decoder


def judge(data: bytes, true: bytes, codec, spy: Spy, pictures: dict) -> tuple[str, str]:
    """(outcome, message) of a mutation of the file `true`, of which `pictures` remembers symbols and pictures."""
    if true not in pictures:
        ccalib.decode(true, model=codec)
        pictures[true] = (container.parse(true), [s.copy() for s in spy.symbols], {})
    info, symbols, shown = pictures[true]
    spy.reached, spy.symbols = False, []
    try:
        picture = ccalib.decode(data, model=codec)
    except CcaError as error:
        return "refused", str(error)
    except MemoryError as error:
        return "memory", repr(error)
    except Exception as error:  # what is looked for
        kind = "memory" if "allocate memory" in str(error) else "exception"
        return kind, f"{type(error).__name__}: {error}"
    found, reached, own = container.parse(data), spy.reached, spy.symbols
    if not all(np.array_equal(a, b) for a, b in list(zip(own, symbols, strict=True))[: found.groups + 1]):
        return "silent", f"{found.groups} groups"
    if (found.width, found.height, found.quality) != (info.width, info.height, info.quality):
        return "obeyed", ""
    if found.groups not in shown:
        shown[found.groups] = np.asarray(ccalib.decode(true, found.groups, codec))
    spy.reached = reached
    if not np.array_equal(np.asarray(picture), shown[found.groups]):
        return "silent", "other pixels"
    return ("whole" if found.groups == info.groups else "prefix"), ""


def work(pipe: Connection, files: list[bytes], model: str, seed: int, limits: dict) -> None:
    """Decode the cases whose numbers come through the pipe; send (i, outcome, message, reached)."""
    import torch

    torch.set_num_threads(1)
    codec, pictures = weights.load(model), {}
    spy = Spy(codec)
    ccalib.decode(files[-1], model=codec)  # all that is loaded on first use
    Image.MAX_IMAGE_PIXELS = limits["pixels"] // 2  # the reader's limit is twice that
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + limits["memory_mb"] * 10**6,) * 2)
    pipe.send(None)  # ready
    with contextlib.suppress(EOFError):  # of a parent that is done, or gone
        while True:
            i = pipe.recv()
            which, _, _, data = case(files, seed, i)
            outcome, message = judge(data, files[which], codec, spy, pictures)
            pipe.send((i, outcome, message, spy.reached))


class Worker:
    """A process that decodes one case at a time, and is started anew when it dies or takes too long."""

    METHOD = "spawn"  # torch's threads don't survive a fork

    def __init__(self, *given) -> None:
        self.given, self.seconds, self.case, self.began = given, given[-1]["seconds"], None, 0.0
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context(self.METHOD)
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=work, args=(end, *self.given), daemon=True)
        self.process.start()
        end.close()
        if self.pipe.recv() is not None:
            raise CcaError("a worker can't start")

    def give(self, i: int) -> None:
        self.case, self.began = i, time.monotonic()
        self.pipe.send(i)

    def late(self) -> bool:
        return time.monotonic() - self.began > self.seconds

    def take(self) -> tuple[int, str, str, bool]:
        """The result of its case; the process is whole again after it. A dead worker had reached the coder."""
        try:
            if self.pipe.poll():
                return self.pipe.recv()
            result = (self.case, "hang", f"over {self.seconds} s", True)
        except (EOFError, OSError):
            self.process.join()
            result = (self.case, "crash", f"exit code {self.process.exitcode}", True)
        self.process.kill()
        self.process.join()
        self.start()
        return result


def run(workers: list[Worker], cases: range):
    """Results of all cases, in the order in which they end."""
    waiting, busy = iter(cases), {}

    def feed(worker: Worker) -> None:
        if (i := next(waiting, None)) is not None:
            worker.give(i)
            busy[worker.pipe] = worker

    for worker in workers:
        feed(worker)
    while busy:
        ready = set(wait(list(busy), timeout=1)) | {pipe for pipe, worker in busy.items() if worker.late()}
        for pipe in ready:
            worker = busy.pop(pipe)
            yield worker.take()
            feed(worker)


# ---- the result -----------------------------------------------------------------------------------------------------


def originals(model: str) -> list[bytes]:
    """The files that are mutated: crops of a photograph at several sizes and qualities."""
    codec, photo = weights.load(model), images.load(IMAGE)
    boxes = [(300, 200, 300 + w, 200 + h) for w, h in SIZES]
    return [coding.encode(photo.crop(box), q, codec) for box in boxes for q in QUALITIES]


def add(result: dict, files: list[bytes], one: tuple[int, str, str, bool]) -> None:
    i, outcome, message, reached = one
    which, kind, sealed, data = case(files, result["settings"]["seed"], i)
    row = result["counts"].setdefault("sealed" if sealed else "unsealed", {}).setdefault(kind, {})
    row[outcome] = row.get(outcome, 0) + 1
    if reached:
        row["reached_coder"] = row.get("reached_coder", 0) + 1
    if outcome in FINDINGS:
        entry = {"case": i, "kind": kind, "sealed": sealed, "outcome": outcome, "message": message[:300]}
        result["findings"].append(entry | {"file": base64.b64encode(data).decode()})


def totals(result: dict) -> dict:
    """Sums over kinds, for sealed and unsealed files."""
    return {name: dict(sum(map(Counter, kinds.values()), Counter())) for name, kinds in result["counts"].items()}


def start(path: Path, settings: dict) -> dict:
    """An earlier run's result to go on with, or a new one. Raises CcaError if the earlier one was of other settings."""
    try:
        result = json.loads(path.read_text())
    except FileNotFoundError:
        return {"settings": settings, "cases": 0, "totals": {}, "counts": {}, "findings": []}
    except (OSError, ValueError) as error:
        raise CcaError(f"{path}: can't be read ({error})") from error
    if result.get("settings") != settings:
        raise CcaError(f"{path}: holds a run with other settings; remove it, or choose another --output")
    return result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="cases in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each (default: %(default)s)")
    parser.add_argument("--model", default="small", help="weights (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=RESULT, help="JSON to write (default: data/results/…)")
    args = parser.parse_args(argv)
    try:
        for name in ("count", "workers"):
            if getattr(args, name) < 1:
                raise CcaError(f"--{name}: at least 1, not {getattr(args, name)}")
        files = originals(args.model)
        sizes = [f"{w}×{h}, quality {q}" for w, h in SIZES for q in QUALITIES]
        settings = {
            "seed": args.seed, "weights": weights.load(args.model).fingerprint, "image": IMAGE.name,
            "files": dict(zip(sizes, map(len, files))), "limits": LIMITS,
        }  # fmt: skip
        result = start(args.output, settings)
        todo = range(result["cases"], args.count)
        given = (files, args.model, args.seed, LIMITS)
        workers = [Worker(*given) for _ in range(min(args.workers, len(todo)))]
        with tqdm(total=args.count, initial=result["cases"], unit="file") as bar:
            for first in todo[::BLOCK]:
                block = range(first, min(first + BLOCK, args.count))
                for one in run(workers, block):
                    add(result, files, one)
                    bar.update()
                result |= {"cases": block.stop, "totals": totals(result)}
                coding.write(args.output, (json.dumps(result, indent=1) + "\n").encode())
                bar.set_postfix(findings=len(result["findings"]))
    except CcaError as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"fuzz: stopped; the same command goes on after case {result['cases']}", file=sys.stderr)
        return 130
    print(json.dumps(result["totals"], indent=1))
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
