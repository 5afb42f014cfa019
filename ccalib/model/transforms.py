"""Analysis, synthesis and the linear path beside them.

x ──► g_a ──► (+) ──► y          ŷ ──► g_s ──► (+) ──► x̂
└──► KLT ─────┘                  └──► KLT⁻¹ ───┘          (`small` and `tiny`)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ccalib.model.layers import down, stage, up
from ccalib.model.presets import Preset

PATCH = 16  # a latent stands for 16×16 pixels


class Analysis(nn.Module):
    """g_a: B×3×H×W in [0, 1] → B×M×H/16×W/16."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        channels = (3, *preset.widths, preset.latent)
        kernels = (5, 5, 5, preset.last_kernel)
        self.down = nn.ModuleList(map(down, channels, channels[1:], kernels))
        self.blocks = nn.ModuleList(
            stage(c, *counts, preset.attention, mirror=False)
            for c, counts in zip(preset.widths, preset.blocks, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        for convolution, blocks in zip(self.down, self.blocks, strict=False):
            x = blocks(convolution(x))
        return self.down[-1](x)


class Synthesis(nn.Module):
    """g_s: B×M×H/16×W/16 → B×3×H×W."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        channels = (preset.latent, *reversed(preset.widths), 3)
        kernels = (preset.last_kernel, 5, 5, 5)
        self.up = nn.ModuleList(map(up, channels, channels[1:], kernels))
        self.blocks = nn.ModuleList(
            stage(c, *counts, preset.attention, mirror=True)
            for c, counts in zip(reversed(preset.widths), reversed(preset.blocks), strict=True)
        )

    def forward(self, y: Tensor) -> Tensor:
        for convolution, blocks in zip(self.up, self.blocks, strict=False):
            y = blocks(convolution(y))
        return self.up[-1](y)


class KLTShortcut(nn.Module):
    """A linear transform of 16×16×3 patches and its inverse: the transform coder that learning starts from.

    `analysis` is W·unshuffle16(x) as one 16×16 convolution of stride 16, `synthesis` is shuffle16(V·ŷ).
    """

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.analysis = nn.Conv2d(3, latent, PATCH, stride=PATCH)
        self.synthesis = nn.ConvTranspose2d(latent, 3, PATCH, stride=PATCH)
        # torch has one bias per colour for a transposed convolution; the mean patch needs one per pixel
        self.synthesis.bias = None
        self.mean_patch = nn.Parameter(torch.zeros(3, PATCH, PATCH))

    def forward(self, x: Tensor) -> Tensor:
        """B×3×H×W → B×M×H/16×W/16."""
        return self.analysis(x)

    def inverse(self, y: Tensor) -> Tensor:
        """B×M×H/16×W/16 → B×3×H×W."""
        return self.synthesis(y) + self.mean_patch.tile(1, *y.shape[-2:])

    @torch.no_grad()
    def start(self, basis: Tensor, mean: Tensor, gain: float) -> None:
        """Set W to gain × the basis and V to its inverse.

        Args:
            basis: M×768, orthonormal rows: leading principal components of patches flattened from 3×16×16.
            mean: 768, the mean patch.
            gain: 1/Δ, so that a unit step in y is the step Δ in [0, 1] pixels.
        """
        self.analysis.weight.copy_((gain * basis).view_as(self.analysis.weight))
        self.analysis.bias.copy_(-gain * basis @ mean)
        self.synthesis.weight.copy_((basis / gain).view_as(self.synthesis.weight))
        self.mean_patch.copy_(mean.view_as(self.mean_patch))


def klt(patches: Tensor, components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Karhunen–Loève transform of patches: orthonormal rows that diagonalize their covariance, by falling variance.

    Args:
        patches: n×d.
    Returns:
        basis (components×d), mean (d), all eigenvalues (d), non-increasing. The mean squared error of keeping
        the leading components is the sum of the dropped eigenvalues.
    """
    patches = patches.double()
    mean = patches.mean(dim=0)
    centered = patches - mean
    covariance = centered.T @ centered / len(patches)
    values, vectors = torch.linalg.eigh(covariance)  # rising order
    return vectors.flip(1).T[:components].float(), mean.float(), values.flip(0).clamp(min=0).float()


def high_rate_gain(lam: float) -> float:
    """1/Δ of the step that minimizes R + λD at a high rate: Δ² = 6/(λ' ln 2) with λ' = λ·255²/3 (lesson 02)."""
    return math.sqrt(lam * 255**2 / 3 * math.log(2) / 6)
