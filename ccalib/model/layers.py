"""The blocks that the transforms and the paper's contexts are made of."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def ste_round(x: Tensor) -> Tensor:
    """Round; the gradient passes straight through (its derivative is 1 everywhere)."""
    return x + (torch.round(x) - x).detach()


def has_bf16() -> bool:
    """Whether the processor or GPU multiplies bfloat16 in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def channels_last(x: Tensor) -> Tensor:
    """x in the layout that convolutions and norms on a CPU run fastest in.

    Also what `contiguous` takes for it already, though convolutions don't: one image whose batch stride is odd.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    batch = x.shape[1:].numel()
    return x if x.stride(0) == batch else x.as_strided(x.shape, (batch, *x.stride()[1:]))


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of one position. B×C×H×W in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # no copy where x is channels-last


class SimpleGate(nn.Module):
    """First half of the channels times the second half. B×2C×H×W → B×C×H×W."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return first * second


class ResidualBottleneck(nn.Module):
    """x + 1×1(ReLU(3×3(ReLU(1×1(x))))), half as wide inside. B×C×H×W in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.reduce = nn.Conv2d(channels, half, 1)
        self.spatial = nn.Conv2d(half, half, 3, padding=1)
        self.expand = nn.Conv2d(half, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.expand(F.relu(self.spatial(F.relu(self.reduce(x)))))


class NAFBlock(nn.Module):
    """The block of NAFNet (Chen et al., ECCV 2022), as the released code has it. B×C×H×W in and out.

    At the start β = γ = 0 and the block is the identity. `attention=False` leaves the global mean out: what a
    position gives then no longer depends on the size of the image.
    """

    def __init__(self, channels: int, attention: bool = True) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.gate = SimpleGate()
        self.mean = nn.AdaptiveAvgPool2d(1)  # a layer, so that exact arithmetic rounds what it gives
        self.attention = nn.Conv2d(channels, channels, 1) if attention else None
        self.project = nn.Conv2d(channels, channels, 1)
        self.norm2 = ChannelNorm(channels)
        self.ffn_in = nn.Conv2d(channels, 2 * channels, 1)
        self.ffn_out = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        t = self.gate(self.depthwise(self.widen(self.norm1(x))))
        if self.attention is not None:
            t = t * self.attention(self.mean(t))
        x = torch.addcmul(x, self.beta, self.project(t))  # x + β·t in one pass over memory
        return torch.addcmul(x, self.gamma, self.ffn_out(self.gate(self.ffn_in(self.norm2(x)))))


def stage(channels: int, bottlenecks: int, nafs: int, attention: bool, mirror: bool) -> nn.Sequential:
    """The blocks after one down- or up-sampling: bottlenecks then NAF blocks; the synthesis has them mirrored."""
    blocks = [ResidualBottleneck(channels) for _ in range(bottlenecks)]
    blocks += [NAFBlock(channels, attention) for _ in range(nafs)]
    return nn.Sequential(*(reversed(blocks) if mirror else blocks))


def down(inputs: int, outputs: int, kernel: int = 5) -> nn.Conv2d:
    """Halves height and width. B×Ci×H×W → B×Co×H/2×W/2."""
    return nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2)


def up(inputs: int, outputs: int, kernel: int = 5) -> nn.ConvTranspose2d:
    """Doubles height and width. B×Ci×H×W → B×Co×2H×2W."""
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, output_padding=1)
