"""Muon for convolutions: torch's optimizer, which wants matrices, on the matrices that convolutions are.

Muon (Jordan et al., 2024) steps along the nearest orthogonal matrix of the averaged gradient, so that every direction
of a layer learns equally fast.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def matrix(weight: Tensor) -> Tensor:
    """A view of a convolution's weight as outputs × (inputs · kernel): o×i×k×k → o×(i·k·k)."""
    view = weight.permute(0, 2, 3, 1)  # channels-last in memory: this makes it contiguous
    return (view if view.is_contiguous() else weight).flatten(1)


def is_matrix(p: nn.Parameter) -> bool:
    """Whether Muon steps it: convolutions that mix channels, not depthwise ones, norms or biases."""
    return p.ndim == 4 and min(p.shape[:2]) > 3


class ConvMuon(torch.optim.Optimizer):
    """Muon over four-dimensional weights; the learning rate means what Adam's means (root mean square of a step)."""

    def __init__(self, params, lr: float = 1e-3, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            weights, grads, buffers = [], [], []
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                weights.append(matrix(p))
                same = p.grad.stride() == p.stride()
                grads.append(matrix(p.grad if same else p.grad.to(memory_format=torch.channels_last)))
                buffers.append(matrix(state["momentum_buffer"]))
            torch.optim._muon.muon(
                weights, grads, buffers, lr=group["lr"], weight_decay=0.0, momentum=group["momentum"], nesterov=True,
                ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn="match_rms_adamw",
                has_complex=False,
            )
