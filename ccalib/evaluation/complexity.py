"""What a model costs: parameters, and multiply–accumulates per pixel, counted on a real forward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn

from ccalib.model.codec import Codec

PARTS = ("g_a", "g_s", "klt", "h_a", "path")


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
