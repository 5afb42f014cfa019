"""The same entropy path on another machine: its sums in another order, nothing else changed.

A processor, a library or a number of threads decides in which order a convolution adds its products. Here the order is
changed by hand, on any machine: the input channels of every convolution are shuffled, and its weights with them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ccalib.lessons.desync import Reading
from ccalib.model.codec import Codec
from ccalib.model.entropy import EntropyPath


@torch.no_grad()
def reordered(path: EntropyPath, seed: int) -> EntropyPath:
    """A copy that computes the same function with the products of every convolution added in another order.

    Make it exact afterwards (`exact_copy(reordered(path, seed))`); seed 0 is the path's own order.
    """
    path, rng = copy.deepcopy(path), np.random.default_rng(seed)
    for layer in path.modules():
        if seed and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.groups == 1:
            order = torch.from_numpy(rng.permutation(layer.in_channels))
            weight = layer.weight[order] if isinstance(layer, nn.ConvTranspose2d) else layer.weight[:, order]
            layer.weight.copy_(weight)
            layer.register_forward_pre_hook(lambda layer, given, order=order: (given[0][:, order],))
    return path.eval()


class Replay:
    """A coder that plays the decoder with the right symbols, and keeps the scales that it would have used."""

    def __init__(self, symbols: Sequence[np.ndarray]) -> None:
        self.symbols = symbols
        self.scales: list[np.ndarray] = []

    def __call__(self, group: int, y: None, mean: Tensor, scale: Tensor) -> Tensor:
        self.scales.append(scale.numpy())
        return torch.from_numpy(self.symbols[group]).to(mean) + mean


@torch.inference_mode()
def decoder_scales(codec: Codec, path: EntropyPath, reading: Reading) -> np.ndarray:
    """Log-scales of all latents, in one row, as a decoder with this path computes them from the right symbols."""
    medians, coder = codec._medians(), Replay(reading.symbols[1:])
    z_hat = (torch.from_numpy(reading.symbols[0]).to(medians) + medians).to(next(path.parameters()).dtype)
    path.walk(z_hat, coder)
    return np.concatenate([scale.ravel() for scale in coder.scales])


def levels(codec: Codec, log_scales: np.ndarray) -> np.ndarray:
    """Rows of the scale table."""
    return codec.gaussian.level(torch.from_numpy(log_scales)).numpy()


def with_path(codec: Codec, path: EntropyPath) -> Codec:
    """A view of the codec that codes with another entropy path, such as one in ordinary floats."""
    view = copy.copy(codec)
    view._exact = [path]
    return view
