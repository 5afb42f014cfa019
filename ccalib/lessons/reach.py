"""What a prediction reads: how far around, and which of the earlier groups most."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ccalib.model.context import SharedContext
from ccalib.model.entropy import EntropyPath


def possible(context: SharedContext) -> int:
    """Side of the square of cells of earlier groups that one mean can depend on, from the sizes of the kernels."""
    layers = [m for part in (context.trunk, context.head) for m in part.modules() if isinstance(m, nn.Conv2d)]
    return 1 + sum(layer.kernel_size[0] - 1 for layer in layers)


def extent(values: np.ndarray) -> tuple[int, int]:
    """(rows, columns) of the box that holds everything that is not zero in h×w values; (0, 0) if nothing is."""
    used = np.argwhere(values != 0)
    return tuple(int(n) for n in np.ptp(used, axis=0) + 1) if len(used) else (0, 0)


def side_of(values: np.ndarray, at: tuple[int, int], share: float = 0.99) -> int:
    """Side of the square around a position (row, column) that holds this share of h×w values in squares."""
    power, (row, column) = np.square(values), at
    wanted = share * power.sum()
    reach = 0
    while power[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1].sum() < wanted:
        reach += 1
    return 2 * reach + 1


def sources(path: EntropyPath, z_hat: Tensor, decoded: list[Tensor], seed: int = 0) -> list[np.ndarray]:
    """Where each group's means come from: shares of z and of each earlier group.

    Of group i: Σ (∂μ/∂v)²·var(v) over all its means μ and over all values v of z (or of a group), as a share of all.
    One gradient is enough, of the means with random signs: products of two different means cancel on average.

    Args:
        path: in plain floats, as rounding has no gradient (`codec.path`).
        z_hat: 1×N×h/4×w/4; decoded: ŷ per group, each 1×size×h×w.
    Returns:
        for group i an array of 1 + i shares that sum to 1: z first, then the groups before it.
    """
    generator, dtype, found = torch.Generator().manual_seed(seed), next(path.parameters()).dtype, []
    for i, context in enumerate(path.groups.contexts):
        z, *seen = (t.detach().to(dtype, copy=True).requires_grad_() for t in (z_hat, *decoded[:i]))
        with torch.enable_grad():
            mean = context(path.h_s(z), seen)[0]
            signs = 2.0 * torch.randint(0, 2, mean.shape, generator=generator) - 1
            gradients = torch.autograd.grad((signs * mean).sum(), (z, *seen))
        inputs = (z.detach(), *(t.detach() for t in seen))
        energy = [(g.square() * v.var(dim=(2, 3), keepdim=True)).sum().item() for g, v in zip(gradients, inputs)]
        found.append(np.array(energy) / sum(energy))
    return found
