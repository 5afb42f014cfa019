"""What a model costs: parameters, multiply–accumulates per pixel counted on a real forward pass, and milliseconds.

python -m ccalib.evaluation.complexity --image data/images/stream.png -o data/results/complexity.json

The paper's Table 2, regenerated.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.files.coding import decode, encode, write
from ccalib.model.auxiliary import Auxiliary
from ccalib.model.codec import Codec
from ccalib.model.presets import PRESETS, Preset
from ccalib.training.export import hardware

PARTS = ("g_a", "g_s", "klt", "h_a", "hyper_klt", "path")
SIZE = (768, 512)
RUNS, LEAST, ENOUGH_SECONDS = 5, 3, 20  # timed runs of a preset; fewer of a slow one
# the authors' model, counted on their code (2 FLOP per MAC); `paper` must come out the same
OFFICIAL = {
    "parameters": 64_988_067,
    "parameters_with_auxiliary": 94_253_423,
    "gflop": 983.7,
    "source": "the released model of arXiv 2410.04847, one 768×512 forward pass",
}


def count_macs(parts: dict[str, nn.Module], run: Callable[[], object]) -> dict[str, int]:
    """Multiply–accumulates of all convolutions in each of `parts` while `run()` runs."""
    totals = dict.fromkeys(parts, 0)

    def hook(name: str, layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if isinstance(layer, nn.ConvTranspose2d):  # each input pixel meets each weight
            positions, fan = inputs[0].shape[-2:].numel(), layer.weight[0].numel() * layer.in_channels
        else:
            positions, fan = output.shape[-2:].numel(), layer.weight.numel()
        totals[name] += positions * fan

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    layers = [(name, m) for name, part in parts.items() for m in part.modules() if isinstance(m, kinds)]
    handles = [m.register_forward_hook(functools.partial(hook, name)) for name, m in layers]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return totals


@torch.inference_mode()
def kmac_per_pixel(codec: Codec, size: int = 128) -> dict[str, float]:
    """Thousands of multiply–accumulates per pixel of each part, over encoding and decoding a size×size image once."""
    codec.train()  # the plain path: the coding path is a copy that costs the same
    x, quality = torch.zeros(1, 3, size, size), torch.zeros(1)
    parts = {name: getattr(codec, name) for name in PARTS if getattr(codec, name) is not None}
    counted = count_macs(parts, lambda: codec(x, quality))
    codec.eval()
    return {name: macs / size**2 / 1000 for name, macs in counted.items()}


def parameters(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters())


def timed(codec: Codec, image: Image.Image, runs: int = RUNS) -> dict:
    """Median milliseconds of writing and reading a real file, whole functions, in this process; `bytes` of the file.

    The first run warms up and doesn't count. After LEAST others, ENOUGH_SECONDS end it.
    """
    seconds: list[tuple[float, float]] = []
    while len(seconds) <= runs and (len(seconds) <= LEAST or sum(map(sum, seconds)) < ENOUGH_SECONDS):
        start = time.perf_counter()
        data = encode(image, codec.preset.qualities / 2, codec)
        middle = time.perf_counter()
        decode(data, model=codec)
        seconds.append((middle - start, time.perf_counter() - middle))
    counted = seconds[1:]
    encode_ms, decode_ms = (round(1000 * statistics.median(s), 1) for s in zip(*counted))
    return {"encode_ms": encode_ms, "decode_ms": decode_ms, "runs": len(counted), "bytes": len(data)}


def cost(preset: Preset, image: Image.Image, runs: int = RUNS) -> dict:
    """Parameters, kMAC/pixel and times of a preset: with the stored weights of its name, else with random ones."""
    try:
        codec, trained = weights.load(preset.name), True
    except CcaError:
        torch.manual_seed(0)
        codec, trained = Codec(preset).eval(), False
        codec.update()
        codec.fingerprint = "0" * 16
    kmac = kmac_per_pixel(Codec(codec.preset))  # a loaded codec keeps its tables
    return {
        "weights": codec.fingerprint if trained else "random",
        "parameters": parameters(codec),
        "parameters_with_auxiliary": parameters(codec) + parameters(Auxiliary(codec.preset, released=True)),
        "kmac_per_pixel": {name: round(value, 3) for name, value in kmac.items()},
        "gflop": round(2e3 * sum(kmac.values()) * SIZE[0] * SIZE[1] / 1e9, 1),
        **timed(codec, image, runs),
    }


def table(result: dict) -> str:
    """The costs as Markdown."""
    head = ["preset", "parameters", *(f"`{part}`" for part in PARTS), "sum, kMAC/pixel", "GFLOP", "encode", "decode"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, entry in result["presets"].items():
        kmac = entry["kmac_per_pixel"]
        cells = [name, f"{entry['parameters']:,}", *(f"{kmac[p]:.1f}" if p in kmac else "–" for p in PARTS)]
        cells += [f"{sum(kmac.values()):.1f}", f"{entry['gflop']:.1f}"]
        cells += [f"{entry[f'{way}_ms']:,.0f} ms" for way in ("encode", "decode")]
        lines.append(f"| {' | '.join(cells)} |")
    official = result["official"]
    dashes = " | –" * (len(PARTS) + 1)
    lines.append(f"| released model | {official['parameters']:,}{dashes} | {official['gflop']:.1f} | – | – |")
    runs = ", ".join(f"{name} {entry['runs']}" for name, entry in result["presets"].items())
    random = [name for name, entry in result["presets"].items() if entry["weights"] == "random"]
    notes = [
        f"Milliseconds are medians of whole files, {SIZE[0]}×{SIZE[1]} pixels, on {result['hardware']}, torch "
        f"{result['torch']} (runs: {runs}; load average "
        f"before: {result['load']:.1f}).",
        "kMAC count the convolutions, each part once for encoding and decoding together (`path` runs in both), "
        f"of 128×128 pixels; GFLOP are twice that for {SIZE[0]}×{SIZE[1]} (channel attention weighs less there).",
    ]
    if random:
        notes.append(
            f"Random weights: {', '.join(random)}. The networks take as long as with trained ones; the range coder may "
            "not, since its scales are random too."
        )
    return "\n".join([*lines, "", *notes])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON to write; Markdown is written beside it")
    parser.add_argument("--presets", default=",".join(PRESETS), help="by comma (default: all)")
    parser.add_argument("--image", type=Path, required=True, help="a photograph of at least 768×512 pixels")
    args = parser.parse_args(argv)
    try:
        unknown = [name for name in args.presets.split(",") if name not in PRESETS]
        if unknown:
            raise CcaError(f"--presets: {', '.join(unknown)}: there are {', '.join(PRESETS)}")
        image = images.load(args.image).crop((0, 0, *SIZE))
        load = os.getloadavg()[0]  # other work on the machine would slow what is timed
        entries = {name: cost(PRESETS[name], image) for name in args.presets.split(",")}
        result = {"size": SIZE, "image": args.image.name, "hardware": hardware(), "load": round(load, 2),
                  "torch": torch.__version__,
                  "presets": entries, "official": OFFICIAL}  # fmt: skip
        write(args.output, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
        write(args.output.with_suffix(".md"), (table(result) + "\n").encode())
    except CcaError as error:
        print(f"complexity: {error}", file=sys.stderr)
        return 1
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
