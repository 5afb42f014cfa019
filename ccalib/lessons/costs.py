"""Where a codec's parameters, multiply–accumulates, memory and time sit, part by part.

Counting needs no numbers: a codec on torch's "meta" device has shapes only, so that `paper` and a photograph of many
megapixels are counted at once, on any machine.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ccalib.evaluation.complexity import count_macs, parameters
from ccalib.model.codec import Codec
from ccalib.model.presets import Preset

Parts = Mapping[str, nn.Module]


@dataclass(frozen=True)
class Cost:
    """Of one part: its parameters, and thousands of multiply–accumulates for each pixel of the photograph."""

    parameters: int
    kmac: float


@functools.lru_cache
def sketch(preset: Preset) -> Codec:
    """A codec that has shapes and no numbers; the same one each time."""
    with torch.device("meta"):
        return Codec(preset)


def pass_through(codec: Codec, height: int, width: int) -> None:
    """Run every network once that writing and reading a photograph runs, with latents that nobody rounds.

    Args:
        height, width: of the photograph, multiples of 64.
    """
    x = torch.zeros(1, 3, height, width, device=next(codec.parameters()).device)
    with torch.inference_mode():
        y = codec.g_a(x) if codec.klt is None else codec.g_a(x) + codec.klt(x)
        z = codec.hyper_analyze(y)
        y_hat = torch.cat(codec.path.walk(z, lambda group, y, mean, scale: mean), dim=1)
        codec.g_s(y_hat)
        if codec.klt is not None:
            codec.klt.inverse(y_hat)


def main_parts(codec: Codec) -> Parts:
    """The parts that everybody speaks of; together they hold every convolution."""
    linear = [part for part in (codec.klt, codec.hyper_klt) if part is not None]
    return {
        "analysis": codec.g_a,
        "hyper analysis": codec.h_a,
        "hyper synthesis": codec.path.h_s,
        "contexts": codec.path.groups,
        "synthesis": codec.g_s,
        **({"KLT": nn.ModuleList(linear)} if linear else {}),
    }


def costs(codec: Codec, parts: Parts, height: int = 512, width: int = 768) -> dict[str, Cost]:
    """What each part holds and does; a module may belong to one part only."""
    macs = count_macs(dict(parts), lambda: pass_through(codec, height, width))
    return {name: Cost(parameters(part), macs[name] / (1000 * height * width)) for name, part in parts.items()}


def largest_layer(codec: Codec, height: int, width: int) -> tuple[int, str]:
    """Bytes of input and output of the layer where these are most, in 32-bit floats, and that layer's name.

    A lower bound of what a decoder or encoder needs beside its weights: that layer must have both in memory.
    """
    found: list[tuple[int, str]] = []

    def hook(name: str) -> Callable:
        return lambda layer, given, output: found.append((4 * (given[0].numel() + output.numel()), name))

    leaves = [(name, m) for name, m in codec.named_modules() if not any(m.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        pass_through(codec, height, width)
    finally:
        for handle in handles:
            handle.remove()
    return max(found)


def timed_parts(parts: Mapping[str, list[nn.Module]], run: Callable[[], object]) -> dict[str, float]:
    """Processor seconds (of all threads) inside each part's modules while `run()` runs; "the rest" is what is left.

    Not by the clock, so that other work on the machine hardly counts.
    """
    spent, starts = dict.fromkeys(parts, 0.0), []

    def before(module: nn.Module, given: tuple) -> None:
        starts.append(time.process_time())

    def after(name: str) -> Callable:
        def stop(module: nn.Module, given: tuple, output: Tensor) -> None:
            spent[name] += time.process_time() - starts.pop()

        return stop

    handles = []
    for name, modules in parts.items():
        for module in modules:
            handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after(name))]
    try:
        started = time.process_time()
        run()
        whole = time.process_time() - started
    finally:
        for handle in handles:
            handle.remove()
    return spent | {"the rest": whole - sum(spent.values())}
