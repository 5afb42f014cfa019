"""How fast the codec is, against the machine's own peak: data/results/speed.json.

python -m benchmarks.speed --photos PHOTOS        everything; for figures that mean something, on idle cores
python -m benchmarks.speed --only paper,small     some parts; what the result holds of the others stays

Each part is written as soon as it is measured, with the peak, settings, versions and load average of its own run. The
peak is that of a dense 3×3 convolution, channels-last, in 32-bit floats, the best of several sizes. On a machine that
does other work the figures mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import torch
from torch.nn import functional as F
from tqdm import tqdm

from benchmarks import options
from benchmarks.subjects import KODAK_SIZE, PHOTO, ROOT, paper_codec, photograph
from ccalib import CcaError, images, weights
from ccalib.evaluation import memory
from ccalib.evaluation.complexity import kmac_per_pixel
from ccalib.evaluation.evaluate import save
from ccalib.evaluation.summary import OURS
from ccalib.files import coding
from ccalib.model import rans
from ccalib.model.codec import Codec
from ccalib.model.presets import SMALL
from ccalib.training.data import load_photos
from ccalib.training.export import hardware
from ccalib.training.loop import Trainer
from ccalib.training.schedule import Plan
from ccalib.training.settings import Settings

HUGE = (4000, 3000)
SIZES = ((384, 256), KODAK_SIZE, (1536, 1024), (2048, 1536), HUGE)
CONVOLUTIONS = ((64, 384, 256), (96, 384, 256), (128, 192, 128), (192, 192, 128), (256, 96, 64))  # channels, W, H
BEFORE = "9b3119a"  # the commit that measured this package before it was made faster
AUTHORS = {"encode_s": 13.7, "decode_s": 13.8, "source": "the authors' released code, 768×512, two cores (issue 9)"}
IMPORTS = """
import time, json
start = time.perf_counter(); import torch
middle = time.perf_counter(); import ccalib
end = time.perf_counter(); ccalib.encode
print(json.dumps([middle - start, end - middle, time.perf_counter() - middle]))
"""


def peak(seconds: float = 1.0) -> dict:
    """The best GFLOP/s (2 per MAC) of dense 3×3 convolutions, each size for so many seconds; all sizes beside it."""
    found = {}
    for channels, width, height in CONVOLUTIONS:
        x = torch.randn(1, channels, height, width).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
        best, end = float("inf"), time.perf_counter() + seconds
        with torch.inference_mode():
            while best == float("inf") or time.perf_counter() < end:
                start = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                best = min(best, time.perf_counter() - start)
        found[f"{channels}×{width}×{height}"] = round(2 * 9 * channels**2 * width * height / best / 1e9, 1)
    return {"gflop_per_s": max(found.values()), "sizes": found}


@contextlib.contextmanager
def clocks(codec: Codec) -> Iterator[Counter]:
    """Wall seconds spent in the codec's parts while the context lasts: `transforms`, `path`, `coder`."""
    spent: Counter = Counter()

    def clocked(part: str, function: Callable, outer: str | None = None) -> Callable:
        def run(*args, **options):
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                seconds = time.perf_counter() - start
                spent[part] += seconds
                if outer:
                    spent[outer] -= seconds  # the path's loop calls the coder

        return run

    path = codec.coding_path()
    with contextlib.ExitStack() as stack:
        for name in ("analyze", "hyper_analyze", "synthesize"):
            stack.enter_context(mock.patch.object(codec, name, clocked("transforms", getattr(codec, name))))
        walk = path.walk
        inside = []  # z is coded outside the loop

        def walked(*args):
            inside.append(True)
            try:
                return walk(*args)
            finally:
                inside.pop()

        stack.enter_context(mock.patch.object(path, "walk", clocked("path", walked)))
        for name in ("encode", "decode"):
            alone, within = (clocked("coder", getattr(rans, name), outer) for outer in (None, "path"))
            run = lambda *args, alone=alone, within=within: (within if inside else alone)(*args)
            stack.enter_context(mock.patch.object(rans, name, run))
        yield spent


def timed(run: Callable[[], object], codec: Codec, runs: int, title: str) -> tuple[dict, object]:
    """Median and least wall seconds of a function, the parts of the median run, and what the function gave."""
    found = []
    for i in tqdm(range(runs + 1), desc=title, leave=False):
        with clocks(codec) as spent:
            start = time.perf_counter()
            result = run()
            seconds = time.perf_counter() - start
        if i:  # the first warms up
            found.append((seconds, dict(spent)))
    found.sort(key=lambda f: f[0])
    seconds, parts = found[(len(found) - 1) // 2]
    parts["rest"] = seconds - sum(parts.values())
    return {
        "median_s": round(statistics.median(s for s, _ in found), 4), "min_s": round(found[0][0], 4), "runs": runs,
        "parts_s": {name: round(value, 4) for name, value in parts.items()},
    }, result  # fmt: skip


def both_ways(codec: Codec, size: tuple[int, int], runs: int, top: float) -> dict:
    """Encoding to a file's bytes and decoding them: seconds, per megapixel, and GFLOP/s as a share of the peak."""
    picture, megapixels = photograph(*size), size[0] * size[1] / 1e6
    way = {}
    way["encode"], data = timed(lambda: coding.encode(picture, model=codec), codec, runs, f"encode {size}")
    way["decode"], _ = timed(lambda: coding.decode(data, model=codec), codec, runs, f"decode {size}")
    kmac = kmac_per_pixel(Codec(codec.preset))
    leave_out = {"encode": ("g_s",), "decode": ("g_a", "h_a", "hyper_klt")}
    for name, entry in way.items():
        # `klt` counts both directions, each half
        sums = (v / (2 if part == "klt" else 1) for part, v in kmac.items() if part not in leave_out[name])
        entry["gflop"] = round(2 * sum(sums) * megapixels, 1)
        entry["s_per_megapixel"] = round(entry["median_s"] / megapixels, 3)
        entry["times_limit"] = round(entry["median_s"] / (entry["gflop"] / top), 2)  # 1: the convolutions' peak
    return {"width": size[0], "height": size[1], "bytes": len(data), **way}


def paper(args: argparse.Namespace, top: float) -> dict:
    """`paper` at 768×512, with the released checkpoint or with the weights of tests/official."""
    codec, name = paper_codec(args)
    return {"weights": name, "authors": AUTHORS, **both_ways(codec, KODAK_SIZE, args.runs, top)}


def small(args: argparse.Namespace, top: float) -> dict:
    """`small` at sizes whose pixels grow 122 times: cost per pixel."""
    codec = weights.load("small")
    sizes = [both_ways(codec, size, args.runs if size < HUGE else 1, top) for size in args.sizes]
    return {"weights": codec.fingerprint, "sizes": sizes}


def peak_memory(args: argparse.Namespace, top: float) -> dict:
    """Highest resident memory of processes that encode and decode 4000×3000 with `small`."""
    return memory.measure(OURS, SMALL.qualities / 2, photograph(*args.sizes[-1]), weights.find("small"))


def imports(args: argparse.Namespace, top: float) -> dict:
    """Seconds of importing torch, then ccalib, then all that coding needs; medians over fresh processes."""
    rows = []
    for _ in tqdm(range(args.runs + 1), desc="import", leave=False):
        done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, cwd=ROOT)
        rows.append(json.loads(done.stdout))
    torch_s, ccalib_s, coding_s = (round(statistics.median(column), 3) for column in zip(*rows[1:], strict=True))
    return {"torch_s": torch_s, "ccalib_beyond_torch_s": ccalib_s, "ready_to_encode_beyond_torch_s": coding_s}


def training(args: argparse.Namespace, top: float) -> dict:
    """Samples per second of `small`, through the real loop, and the share of the peak: 3 forward passes a step."""
    result = {}
    gflop = 3 * 2 * sum(kmac_per_pixel(Codec(SMALL)).values()) * Settings.crop**2 / 1e6
    with tempfile.TemporaryDirectory() as folder:
        photos = load_photos(images.find([PHOTO.parent]), Path(folder), Settings.crop, progress=False)
        for name, bf16 in (("float32", False), ("bfloat16 transforms", True)):
            run = Path(folder) / name
            settings = Settings(bf16=bf16, log_every=5)
            plan = Plan(5, args.steps, args.steps + 1)
            Trainer(run, SMALL, photos, settings, plan=plan, progress=sys.stderr.isatty()).train()
            logged = map(json.loads, (run / "log.jsonl").read_text().splitlines())
            speeds = [entry["steps_per_second"] for entry in logged if entry["kind"] == "train"][1:]  # after warm-up
            samples = settings.batch * statistics.median(speeds)
            result[name] = {"samples_per_s": round(samples, 2), "share_of_peak": round(samples * gflop / top, 3)}
    return result | {"gflop_per_sample": round(gflop, 2), "batch": Settings.batch, "crop": Settings.crop}


PARTS = {"paper": paper, "small": small, "memory": peak_memory, "import": imports, "training": training,
         "bf16": options.bf16, "exact": options.exact}  # fmt: skip


def before() -> dict | None:
    """Milliseconds of whole files as `make complexity` measured them before; None outside a git checkout."""
    command = ["git", "-C", str(ROOT), "show", f"{BEFORE}:data/results/complexity.json"]
    try:
        earlier = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        return None
    presets = {name: {way: entry[f"{way}_ms"] for way in ("encode", "decode")}
               for name, entry in earlier["presets"].items()}  # fmt: skip
    return {"commit": BEFORE, "hardware": earlier["hardware"], "milliseconds": presets}


def sizes(text: str) -> list[tuple[int, int]]:
    """"384x256,768x512" → pairs."""
    return [(int(width), int(height)) for width, height in (size.split("x") for size in text.split(","))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "data/results/speed.json")
    parser.add_argument("--only", default=",".join(PARTS), help=f"by comma, of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each (default: 5); 4000×3000 runs once")
    parser.add_argument("--steps", type=int, default=40, help="of training, of each kind (default: 40)")
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="for small, the last for memory: 384x256,768x512")
    parser.add_argument("--checkpoint", type=Path, help="released weights for `paper`, instead of seeded ones")
    parser.add_argument("--photos", type=Path, help="for bf16: folder of the validation photographs (default: none)")
    args = parser.parse_args()
    if unknown := set(args.only.split(",")) - set(PARTS):
        parser.error(f"--only: {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    try:
        result = json.loads(args.output.read_text()) if args.output.exists() else {"parts": {}}
        result["before"] = before()
        for name in tqdm([part for part in PARTS if part in args.only.split(",")], unit="part"):
            load, top = os.getloadavg()[0], peak()
            result["parts"][name] = PARTS[name](args, top["gflop_per_s"]) | {
                "peak": top, "hardware": hardware(), "load": round(load, 2), "torch": torch.__version__,
                "command": " ".join(["python -m benchmarks.speed", *sys.argv[1:]]),
            }  # fmt: skip
            save(args.output, result)
    except (CcaError, ValueError) as error:
        print(f"speed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
