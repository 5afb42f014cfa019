"""Muon for convolutions, each taken as the matrix that it is.

Muon (Jordan et al., 2024) steps along the nearest orthogonal matrix of the averaged gradient, so that every direction
of a layer learns equally fast:

    average ← 0.95 average + 0.05 gradient
    weight  ← weight - rate · 0.2 √max(rows, columns) · orthogonal(0.05 gradient + 0.95 average)

`torch.optim.Muon` takes nothing but matrices, and iterates in bfloat16: on a processor that has none, a step of `small`
takes ten times as long as with Adam. So these lines are our own, in the precision of the gradient.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def matrix(weight: Tensor) -> Tensor:
    """A view of a convolution's weight as outputs × (inputs · kernel): o×i×k×k → o×(i·k·k)."""
    view = weight.permute(0, 2, 3, 1)  # channels-last in memory: this makes it contiguous
    return (view if view.is_contiguous() else weight).flatten(1)


def is_matrix(p: nn.Parameter) -> bool:
    """Whether Muon steps it: convolutions that mix channels, not depthwise ones, norms or biases."""
    return p.ndim == 4 and min(p.shape[:2]) > 3


def orthogonal(gradient: Tensor, steps: int = 5) -> Tensor:
    """Nearly the nearest orthogonal matrix of o×n: its singular vectors, with values between about 0.7 and 1.2.

    Each step of this Newton-Schulz iteration takes a singular value s to 3.4445 s - 4.775 s³ + 2.0315 s⁵, which lifts
    small ones quickly and never settles at 1. A matrix of zeros stays one.
    """
    tall = gradient.shape[0] > gradient.shape[1]
    x = gradient.T if tall else gradient  # the smaller side first: the products are as small as they can be
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x


class ConvMuon(torch.optim.Optimizer):
    """Muon over four-dimensional weights; the learning rate means what Adam's means (root mean square of a step)."""

    def __init__(self, params, lr: float = 1e-3, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            momentum = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                same = p.grad.stride() == p.stride()
                weight, average = matrix(p), matrix(state["momentum_buffer"])
                gradient = matrix(p.grad if same else p.grad.to(memory_format=torch.channels_last))
                average.lerp_(gradient, 1 - momentum)
                size = 0.2 * math.sqrt(max(weight.shape))
                weight.sub_(orthogonal(gradient.lerp(average, momentum)), alpha=group["lr"] * size)
