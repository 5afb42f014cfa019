"""What a model costs: parameters, and multiply–accumulates per pixel, counted on a real forward pass."""

from __future__ import annotations

import torch
from torch import nn

from ccalib.model.codec import Codec

PARTS = ("g_a", "g_s", "klt", "h_a", "path")


def count_macs(module: nn.Module, run) -> int:
    """Multiply–accumulates of all convolutions in `module` while `run()` runs."""
    total = 0

    def hook(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.ConvTranspose2d):  # each input pixel meets each weight
            positions, fan = inputs[0].shape[-2:].numel(), layer.weight[0].numel() * layer.in_channels
        else:
            positions, fan = output.shape[-2:].numel(), layer.weight.numel()
        total += positions * fan

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    handles = [m.register_forward_hook(hook) for m in module.modules() if isinstance(m, kinds)]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return total


@torch.inference_mode()
def kmac_per_pixel(codec: Codec, size: int = 128) -> dict[str, float]:
    """Thousands of multiply–accumulates per pixel of each part, over encoding and decoding a size×size image once."""
    codec.train()  # the plain path: the coding path is a copy that costs the same
    x, quality = torch.zeros(1, 3, size, size), torch.zeros(1)
    result = {}
    for name in PARTS:
        part = getattr(codec, name)
        if part is not None:
            result[name] = count_macs(part, lambda: codec(x, quality)) / size**2 / 1000
    codec.eval()
    return result
