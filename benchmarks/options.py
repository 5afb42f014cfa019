"""What two options cost and change: transforms in bfloat16, and `paper` in exact arithmetic (parts of `speed.py`).

What is compared takes turns in one process, so that other work on the machine slows all alike.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.subjects import KODAK_SIZE, ROOT, paper_codec, photograph
from ccalib import CcaError, images, weights
from ccalib.evaluation.metrics import bd_rate, psnr
from ccalib.files import coding
from ccalib.model.codec import Codec
from ccalib.training.data import reduced, split
from ccalib.training.validate import middle

QUALITIES = (0, 2, 4, 6)  # a BD-rate takes four
COUNT = 16  # photographs, evenly spread over the list
VALIDATION = ROOT / "data/weights/validation.txt"


def alternated(functions: dict[str, Callable[[], object]], runs: int) -> dict[str, dict]:
    """Median seconds by the clock and of the processor, all threads, of functions in turns; the first warms up."""
    spent = {name: [] for name in functions}
    for _ in range(runs + 1):
        for name, run in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    medians = {name: [statistics.median(column) for column in zip(*rows[1:])] for name, rows in spent.items()}
    return {name: {"median_s": round(wall, 4), "cpu_s": round(cpu, 4)} for name, (wall, cpu) in medians.items()}


def ways(codecs: dict[str, Codec], read: dict[str, str], runs: int) -> dict:
    """Encoding and decoding 768×512 with each codec: seconds, and bytes of the files; of them each decodes `read`'s."""
    picture = photograph(*KODAK_SIZE)
    files = {name: coding.encode(picture, model=codec) for name, codec in codecs.items()}
    encoders = {name: lambda codec=codec: coding.encode(picture, model=codec) for name, codec in codecs.items()}
    decoders = {name: lambda codec=codec, data=files[read[name]]: coding.decode(data, model=codec)
                for name, codec in codecs.items()}  # fmt: skip
    shown = [np.asarray(decode()).astype(int) for decode in decoders.values()]
    off = np.abs(shown[0] - shown[1])
    return {
        "bytes": {name: len(data) for name, data in files.items()},
        "encode": alternated(encoders, runs), "decode": alternated(decoders, runs),
        "pixels": {"differ": round((off > 0).mean().item(), 4), "largest": off.max().item(),
                   "mean": round(off.mean().item(), 4)},
    }  # fmt: skip


def bf16(args: argparse.Namespace, top: float) -> dict:
    """bfloat16 transforms against float32: time, pixels of the same file; on photographs rate and PSNR."""
    if not weights.has_bf16():
        raise CcaError("bf16: this machine has no units for it")
    small, (paper, name) = weights.load("small"), paper_codec(args)
    result = {"weights": {"small": small.fingerprint, "paper": name}}
    for title, codec in (("small", small), ("paper", paper)):
        pair = {"float32": codec, "bfloat16": in_bf16(codec)}
        result[title] = ways(pair, dict.fromkeys(pair, "float32"), args.runs)
    pair = {"float32": small, "bfloat16": in_bf16(small)}
    return result | {"validation": on_photographs(args.photos, pair) if args.photos else None}


def in_bf16(codec: Codec) -> Codec:
    """A view of the codec, with the same weights."""
    view = copy.copy(codec)
    view.bf16_coding = True
    return view


def on_photographs(folder: Path, codecs: dict[str, Codec]) -> dict:
    """Means over middles of photographs held out, by quality: bpp of each encoder, PSNR of each decoder of its files;
    and the BD-rate of each pair against the first codec alone."""
    files = split(folder, VALIDATION)[1]
    wholes = (np.asarray(reduced(images.load(file))) for file in files[:: len(files) // COUNT])
    photos = [images.load(np.ascontiguousarray(middle(photo))) for photo in wholes]
    points = []
    for quality in QUALITIES:
        bpp, decibel = {name: [] for name in codecs}, {f"{a} → {b}": [] for a in codecs for b in codecs}
        for photo in tqdm(photos, desc=f"quality {quality}", leave=False):
            for a, encoder in codecs.items():
                data = coding.encode(photo, quality, encoder)
                bpp[a].append(8 * len(data) / (photo.width * photo.height))
                for b, decoder in codecs.items():
                    decibel[f"{a} → {b}"].append(psnr(photo, coding.decode(data, model=decoder)))
        means = [{key: round(float(np.mean(v)), 5) for key, v in rows.items()} for rows in (bpp, decibel)]
        points.append({"quality": quality, "bpp": means[0], "psnr": means[1]})
    curves = {key: [(p["bpp"][key.split(" → ")[0]], p["psnr"][key]) for p in points] for key in decibel}
    (_, anchor), *others = curves.items()
    rates = {key: bd_rate(anchor, curve) for key, curve in others}
    return {"photographs": len(photos), "points": points, "bd_rate": rates}


def exact(args: argparse.Namespace, top: float) -> dict:
    """`paper` with its entropy path in exact arithmetic against floats: time, bytes of the same image and weights."""
    codecs = {"floats": paper_codec(args)[0], "exact": (found := paper_codec(args, exact=True))[0]}
    return {"weights": found[1], **ways(codecs, {name: name for name in codecs}, args.runs)}
