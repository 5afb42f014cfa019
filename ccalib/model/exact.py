"""Exact arithmetic for the entropy path (DESIGN 6): the same symbols on every machine.

A float convolution depends in its last bits on the order of its sums, and so on threads, layout and processor; one
scale level that differs and the decoder reads garbage. Here weights are multiples of 2⁻¹⁰ and activations are
rounded to multiples of 2⁻⁶ after each layer. In float64 sums of their products are exact in any order.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

WEIGHT_STEP = 2.0**-10
ACTIVATION_STEP = 2.0**-6
WEIGHT_LIMIT = 2**15 * WEIGHT_STEP  # stored as 16-bit integers


def snap(x: Tensor, step: float) -> Tensor:
    """The nearest multiple of a power of two."""
    return torch.round(x / step) * step


def _snap_output(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return snap(output, ACTIVATION_STEP)


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round all parameters to multiples of 2⁻¹⁰, in place."""
    for parameter in module.parameters():
        parameter.copy_(snap(parameter, WEIGHT_STEP).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT - WEIGHT_STEP))


def exact_copy(path: nn.Module) -> nn.Module:
    """A frozen float64 copy whose weights and activations are rounded. Every leaf must be a layer of DESIGN 2."""
    result = copy.deepcopy(path).double().eval().requires_grad_(False)
    round_weights(result)
    for module in result.modules():
        if not any(module.children()):
            module.register_forward_hook(_snap_output)
    return result
