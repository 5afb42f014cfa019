"""Exact arithmetic for the entropy path (lesson 02, section 8): the same symbols on every machine.

A float convolution depends in its last bits on the order of its sums, and so on threads, layout and processor; one
scale level that differs and the decoder reads garbage. Here weights are multiples of 2⁻¹⁰ and activations are
rounded to multiples of 2⁻⁶ after each layer. In float64 sums of their products are exact in any order.

`small` and `tiny` always code so; `paper` with `exact_path`, whose norms and global means need care (below).
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from ccalib.model.layers import ChannelNorm
from ccalib.model.taps import summed

WEIGHT_STEP = 2.0**-10
ACTIVATION_STEP = 2.0**-6
WEIGHT_LIMIT = 2**15 * WEIGHT_STEP  # stored as 16-bit integers


def snap(x: Tensor, step: float) -> Tensor:
    """The nearest multiple of a power of two."""
    return (x * (1 / step)).round_().mul_(step)


class ExactNorm(ChannelNorm):
    """ChannelNorm of the rounded input. Its sums are of whole numbers below 2⁵³, and so exact in any order; each step
    after them is one that IEEE 754 wants correctly rounded."""

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        x = torch.round(x / ACTIVATION_STEP)
        x = channels * x - x.sum(dim=1, keepdim=True)  # deviations from the mean, in steps, times channels
        variance = x.square().sum(dim=1, keepdim=True) / channels + self.eps * (channels / ACTIVATION_STEP) ** 2
        deviation = torch.from_numpy(np.sqrt(variance.cpu().numpy())).to(x)  # torch's root may err in its last bit
        return x / deviation * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


def _snap_output(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return snap(output, ACTIVATION_STEP)


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round all parameters to multiples of 2⁻¹⁰, in place."""
    for parameter in module.parameters():
        parameter.copy_(snap(parameter, WEIGHT_STEP).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT - WEIGHT_STEP))


def exact_copy(path: nn.Module) -> nn.Module:
    """A frozen float64 copy whose weights and activations are rounded. What isn't a layer (sums, products with gates,
    β and γ) must be exact on finer grids."""
    result = copy.deepcopy(path).double().eval().requires_grad_(False)
    round_weights(result)
    for module in result.modules():
        if isinstance(module, ChannelNorm):
            module.__class__ = ExactNorm
        summed(module)
        if not any(module.children()):
            module.register_forward_hook(_snap_output)
    return result
