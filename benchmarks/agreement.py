"""Does `paper` still compute what it did before the speed work? Both versions in one process: `agreement.json`.

python -m benchmarks.agreement        (in a git checkout; float64 takes minutes)

Differences are ‖after − before‖ / ‖before‖ for the same weights. Each part gets the same inputs, those of a pass in
float64; then whole passes, each with its own rounding; then both decoders with the same symbols. How much of a whole
pass's difference is float arithmetic that a few latents next to a half turn into other symbols, `before` itself shows:
with another number of threads, and in float64.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.speed import BEFORE
from benchmarks.subjects import KODAK_SIZE, ROOT, paper_codec, photograph
from ccalib import images
from ccalib.evaluation.evaluate import save
from ccalib.model.codec import STRIDE, Codec
from ccalib.training.export import hardware


class Round:
    """A coder that rounds y around the mean, or plays given symbols; it keeps both."""

    def __init__(self, given: list[Tensor] | None = None) -> None:
        self.given, self.symbols, self.means = given, [], []

    def __call__(self, group: int, y: Tensor | None, mean: Tensor, scale: Tensor) -> Tensor:
        self.means.append(mean)
        self.symbols.append(torch.round(y - mean) if self.given is None else self.given[group].to(mean))
        return self.symbols[-1] + mean


def earlier(commit: str, codec: Codec) -> Codec:
    """A codec of an earlier commit's ccalib with the same weights."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "ccalib"], capture_output=True, check=True)
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "ccalib"}
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        sys.path.insert(0, folder)
        try:
            home, presets = (importlib.import_module(f"ccalib.model.{name}") for name in ("codec", "presets"))
        finally:
            sys.path.remove(folder)
            for name in [name for name in sys.modules if name.split(".")[0] == "ccalib"]:
                del sys.modules[name]
            sys.modules.update(own)
    old = home.Codec(presets.PAPER)
    old.load_state_dict(codec.state_dict())
    return old.requires_grad_(False).eval()


def off(after: Tensor, before: Tensor) -> float:
    """‖after − before‖ / ‖before‖."""
    return float(f"{(after.double() - before.double()).norm() / before.double().norm():.3g}")


def passed(codec: Codec, x: Tensor, symbols: list[Tensor] | None = None) -> dict[str, Tensor | Round]:
    """A whole pass in the input's precision: y, ẑ, the hyper output, ŷ per group, x̂, and the coder."""
    y, medians, coder = codec.g_a(x), codec._medians(), Round(symbols)
    z_hat = torch.round(codec.h_a(y) - medians) + medians
    hyper = codec.path.h_s(z_hat)
    decoded = codec.path.groups.walk(hyper, coder, y)
    return {"y": y, "z_hat": z_hat, "hyper": hyper, "decoded": decoded, "coder": coder,
            "x_hat": codec.g_s(torch.cat(decoded, dim=1))}  # fmt: skip


def parts(after: Codec, before: Codec, x: Tensor, whole: dict) -> dict:
    """Of each part in float32, given what a pass in float64 gave; per group of mean, scale and residual."""
    y, z_hat, *hyper = (t.float() for t in (whole["y"], whole["z_hat"], *whole["hyper"]))
    decoded = [t.float() for t in whole["decoded"]]
    quantized = [(s + m).float() for s, m in zip(whole["coder"].symbols, whole["coder"].means)]

    def group(codec: Codec, i: int) -> tuple[Tensor, Tensor, Tensor]:
        mean, scale, features = (context := codec.path.groups.contexts[i])(tuple(hyper), decoded[:i])
        return mean, scale, context.residual(features, quantized[i])

    each = lambda run: [off(a, b) for a, b in zip(run(after), run(before))]
    return {
        "g_a": off(after.g_a(x), before.g_a(x)), "h_a": off(after.h_a(y), before.h_a(y)),
        "h_s": each(lambda codec: codec.path.h_s(z_hat)),
        "groups": [each(lambda codec, i=i: group(codec, i)) for i in range(len(decoded))],
        "g_s": off(*(codec.g_s(torch.cat(decoded, dim=1)) for codec in (after, before))),
    }  # fmt: skip


def compared(after: dict, before: dict) -> dict:
    """Of two passes: symbols that differ in z and in each group, and how far y and x̂ are apart."""
    z = int((after["z_hat"] - before["z_hat"]).abs().gt(0.5).sum())
    groups = [int((a != b).sum()) for a, b in zip(after["coder"].symbols, before["coder"].symbols)]
    return {"symbols_that_differ": [z, *groups], "y": off(after["y"], before["y"]),
            "x_hat": off(after["x_hat"], before["x_hat"])}  # fmt: skip


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "data/results/agreement.json")
    parser.add_argument("--checkpoint", type=Path, help="released weights, instead of seeded ones")
    args = parser.parse_args()
    after, name = paper_codec(args)
    before, threads = earlier(BEFORE, after), torch.get_num_threads()
    x = images.pad(images.to_tensor(photograph(*KODAK_SIZE)), STRIDE)
    whole = passed(copy.deepcopy(after).double(), x.double())
    first, last = passed(before, x), passed(after, x)
    torch.set_num_threads(1 if threads > 1 else 2)
    other = passed(before, x)
    torch.set_num_threads(threads)
    played = (passed(codec, x, first["coder"].symbols)["x_hat"] for codec in (after, before))
    sizes = [sum(len(s[0]) for s in codec.encode(x)[0]) for codec in (after, before)]
    result = {
        "weights": name, "before": BEFORE, "size": KODAK_SIZE, "symbols": [t.numel() for t in
        (first["z_hat"], *first["coder"].symbols)], "bytes": dict(zip(("after", "before"), sizes)),
        "parts, same inputs": parts(after, before, x, whole),
        "x_hat, same symbols": off(*played),
        "whole, float32": compared(last, first),
        "before with another number of threads, float32": compared(other, first),
        "whole, float64": compared(whole, passed(copy.deepcopy(before).double(), x.double())),
        "threads": threads, "hardware": hardware(), "torch": torch.__version__,
        "command": " ".join(["python -m benchmarks.agreement", *sys.argv[1:]]),
    }  # fmt: skip
    save(args.output, result)


if __name__ == "__main__":
    main()
