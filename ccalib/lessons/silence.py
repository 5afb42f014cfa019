"""Why a hyper-latent falls silent: z of the first group's blocks, learned in seconds from two different starts."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from ccalib.model.entropy import LatentGaussian
from ccalib.model.hyper import BLOCK
from ccalib.model.transforms import klt
from ccalib.training.start import HYPER_STEP

WIDTH = 96  # hidden units
CELLS = BLOCK * BLOCK


@dataclasses.dataclass(frozen=True)
class Stage:
    """How far the training is. Bits are means over the blocks.

    Attributes:
        step: updates made.
        z, y: bits of the hyper-latents and of the latents of one block.
    """

    step: int
    z: float
    y: float


def without_z(blocks: Tensor) -> float:
    """Bits of a block's latents when each channel has a mean and a scale and nothing else. Blocks are n×(C·16)."""
    y = _centered(blocks)
    return _bits(y + _noise(y), _spread(y)).sum(dim=1).mean().item()


def learn(blocks: Tensor, hyper: int, linear: bool, steps: int, shown: int) -> list[Stage]:
    """Learn R_z + R_y by Adam, from noise for the rates and straight-through rounding for the reader, as codecs do.

    Args:
        blocks: n×(C·16) latents, channel by channel; hyper: hyper-latents of a block.
        linear: start from the KLT of the blocks and its inverse; otherwise from a network with random weights.
        shown: a stage every so many steps.
    """
    torch.manual_seed(0)
    y = _centered(blocks)
    if linear:
        analysis, synthesis = _klt_start(y, hyper)
    else:
        analysis, synthesis = _network(y.shape[1], hyper), _network(hyper, y.shape[1])
    with torch.no_grad():
        z = analysis(y)
        z_spread = z.std(dim=0).clamp(min=0.3).log()
        left = y - synthesis(torch.round(z)) if linear else y
    scales = [nn.Parameter(z_spread), nn.Parameter(_spread(left))]
    optimizer = torch.optim.Adam([*analysis.parameters(), *synthesis.parameters(), *scales], lr=1e-3)
    stages = []
    for step in range(steps + 1):
        z = analysis(y)
        z_hat = z + (torch.round(z) - z).detach()
        rate_z = _bits(z + _noise(z), scales[0]).sum(dim=1).mean()
        rate_y = _bits(y + _noise(y) - synthesis(z_hat), scales[1]).sum(dim=1).mean()
        if step % shown == 0:
            stages.append(Stage(step, rate_z.item(), rate_y.item()))
        optimizer.zero_grad()
        (rate_z + rate_y).backward()
        optimizer.step()
    return stages


def _network(inputs: int, outputs: int) -> nn.Sequential:
    layers = nn.Linear(inputs, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, outputs)
    return nn.Sequential(*layers)


@torch.no_grad()
def _klt_start(y: Tensor, hyper: int) -> tuple[nn.Linear, nn.Linear]:
    """The codec's own start (`ccalib.training.start`), here for blocks alone."""
    basis, _, variances = klt(y, hyper)
    step = HYPER_STEP * (variances[hyper:].sum() / y.shape[1]).sqrt()
    analysis, synthesis = nn.Linear(y.shape[1], hyper), nn.Linear(hyper, y.shape[1])
    analysis.weight.copy_(basis / step)
    synthesis.weight.copy_((basis * step).T)
    for layer in (analysis, synthesis):
        layer.bias.zero_()
    return analysis, synthesis


def _centered(blocks: Tensor) -> Tensor:
    """Each channel's mean taken off."""
    rows = blocks.view(len(blocks), -1, CELLS)
    return (rows - rows.mean(dim=(0, 2), keepdim=True)).flatten(1)


def _spread(y: Tensor) -> Tensor:
    """Log-scale of each channel, repeated for its places in the block."""
    return y.view(len(y), -1, CELLS).std(dim=(0, 2)).log().repeat_interleave(CELLS)


def _bits(values: Tensor, log_scale: Tensor) -> Tensor:
    return -torch.log2(_GAUSSIAN.likelihood(values, torch.zeros(()), log_scale.expand_as(values)))


def _noise(like: Tensor) -> Tensor:
    return torch.rand(like.shape) - 0.5


_GAUSSIAN = LatentGaussian(log_scale=True)
