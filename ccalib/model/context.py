"""The networks that predict group i from the hyper output and the decoded groups it may read.

hyper output ─┐
ŷ_1 … ŷ_{i−1} ┴─► trunk ─┬─► head ─► mean, scale of group i
                         └─► (+ quantized y_i) ─► residual head ─► ½·tanh ─► added to the quantized y_i
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccalib.model.layers import NAFBlock, channels_last
from ccalib.model.presets import Preset


class HalfTanh(nn.Module):
    """½·tanh: a correction that can't leave the rounding interval."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * torch.tanh(x)


def head(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """3×3 convolutions with GELU between them. B×inputs×h×w → B×outputs×h×w."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.GELU()]
        inputs = width
    return nn.Sequential(*layers, nn.Conv2d(inputs, outputs, 3, padding=1))


def join(*parts: Tensor) -> Tensor:
    """Channels of all parts, in one layout: a decoder's floats are the encoder's whatever the symbols came through."""
    return channels_last(torch.cat(parts, dim=1))


class NAFTrunk(nn.Module):
    """`paper`'s trunk: 1×1, NAF blocks around a skip, 1×1 back. B×s×h×w in and out."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 1)
        self.blocks = nn.Sequential(*(NAFBlock(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        t = self.first(x)
        return self.last(t + self.blocks(t))


class SplitContext(nn.Module):
    """`paper`: one trunk and head for the mean, one for the scale; the residual reads the mean's trunk."""

    def __init__(self, preset: Preset, seen: int, size: int, residual: bool) -> None:
        super().__init__()
        channels = preset.hyper_out + seen
        self.mean_trunk = NAFTrunk(channels, preset.context_width, preset.context_blocks)
        self.mean_head = head(channels, preset.head_widths, size)
        self.scale_trunk = NAFTrunk(channels, preset.context_width, preset.context_blocks)
        self.scale_head = head(channels, preset.head_widths, size)
        self.residual_head = head(channels + size, preset.head_widths, size) if residual else None
        self.bound = HalfTanh()

    def forward(self, hyper: tuple[Tensor, Tensor], seen: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """(mean, scale, features) of the group; mean and scale B×size×h×w."""
        features = self.mean_trunk(join(hyper[0], *seen))
        scale = self.scale_head(self.scale_trunk(join(hyper[1], *seen)))
        return self.mean_head(features), scale, features

    def residual(self, features: Tensor, quantized: Tensor) -> Tensor | float:
        """What is added to the quantized group; between −½ and ½, or 0 without residual prediction."""
        if self.residual_head is None:
            return 0.0
        return self.bound(self.residual_head(join(features, quantized)))


class ConvBlock(nn.Module):
    """x + 1×1(GELU(3×3(x))): nothing but convolutions, a pointwise function and an addition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.GELU()
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.act(self.spatial(x)))


class SharedContext(nn.Module):
    """`small`, `tiny`: one trunk for mean, log-scale and residual."""

    def __init__(self, preset: Preset, seen: int, size: int, residual: bool) -> None:
        super().__init__()
        width = preset.context_width
        self.size = size
        self.trunk = nn.Sequential(
            nn.Conv2d(preset.hyper_out + seen, width, 1), *(ConvBlock(width) for _ in range(preset.context_blocks))
        )
        self.head = head(width, preset.head_widths, 2 * size)
        self.residual_head = head(width + size, preset.head_widths, size) if residual else None
        self.bound = HalfTanh()
        self.linear = False  # whether the first channels of the hyper output are means already

    def forward(self, hyper: tuple[Tensor, Tensor], seen: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """(mean, log-scale, features) of the group; mean and log-scale B×size×h×w."""
        features = self.trunk(join(hyper[0], *seen))
        mean, log_scale = self.head(features).split(self.size, dim=1)
        if self.linear:
            mean = mean + hyper[0][:, : self.size]
        return mean, log_scale, features

    residual = SplitContext.residual
