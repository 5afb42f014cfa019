"""The hyperprior's two transforms (Ballé et al., 2018; Minnen et al., 2018).

y ──► h_a ──► (+) ──► z ──► ẑ ──► h_s ──► (+) ──► hyper output ──► contexts
└──► KLT ─────┘                   └──► KLT⁻¹ ──► means of group 1            (`small` and `tiny`)

The linear path is the KLT shortcut of the transforms once more: z starts as the principal components of 4×4 blocks of
the first group, and their inverse as its means. Without it z falls silent in training and the first group, which has
no other context, is coded almost without one.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ccalib.model.layers import channels_last, down, up
from ccalib.model.presets import Preset

BLOCK = 4  # a hyper-latent stands for 4×4 latents


class HyperKLT(nn.Module):
    """The linear path into z: 4×4 blocks of the first group. B×M×H/16×W/16 → B×N×H/64×W/64."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.size = preset.sizes[0]
        self.analysis = nn.Conv2d(self.size, preset.hyper, BLOCK, stride=BLOCK)

    def forward(self, y: Tensor) -> Tensor:
        return self.analysis(y[:, : self.size])


def hyper_analysis(preset: Preset) -> nn.Sequential:
    """h_a: B×M×H/16×W/16 → B×N×H/64×W/64."""
    first, second = preset.hyper_widths
    return nn.Sequential(
        nn.Conv2d(preset.latent, first, 3, padding=1), nn.GELU(),
        down(first, second), nn.GELU(),
        down(second, preset.hyper),
    )  # fmt: skip


class HyperSynthesis(nn.Module):
    """h_s: B×N×H/64×W/64 → what contexts read, B×C×H/16×W/16: a tuple (for means, for scales).

    `paper` has one network for each; `small` and `tiny` have one for both, and the tuple holds it twice. With
    `hyper_klt` its first channels hold the linear path's means of the first group.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()

        def network() -> nn.Sequential:
            first, second = preset.hyper_widths[1], preset.hyper_widths[0]
            # the transposed 3×3 of stride 1 is the released model's layer
            return nn.Sequential(
                up(preset.hyper, first), nn.GELU(),
                up(first, second), nn.GELU(),
                nn.ConvTranspose2d(second, preset.hyper_out, 3, padding=1),
            )  # fmt: skip

        self.mean = network()
        self.scale = network() if preset.split_context else None
        self.linear = None
        if preset.hyper_klt:
            self.linear = nn.ConvTranspose2d(preset.hyper, preset.sizes[0], BLOCK, stride=BLOCK)

    def forward(self, z_hat: Tensor) -> tuple[Tensor, Tensor]:
        z_hat = channels_last(z_hat)  # and so is all that follows
        mean = self.mean(z_hat)
        if self.linear is not None:  # its channels come first in the hyper output
            first = self.linear(z_hat)
            mean = mean + F.pad(first, (0, 0, 0, 0, 0, mean.shape[1] - first.shape[1]))
        return mean, (self.scale(z_hat) if self.scale is not None else mean)
