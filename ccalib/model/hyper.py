"""The hyperprior's two transforms (Ballé et al., 2018; Minnen et al., 2018).

y ──► h_a ──► z ──► ẑ ──► h_s ──► hyper output ──► contexts
"""

from __future__ import annotations

from torch import Tensor, nn

from ccalib.model.layers import down, up
from ccalib.model.presets import Preset


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

    `paper` has one network for each; `small` and `tiny` have one for both, and the tuple holds it twice.
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

    def forward(self, z_hat: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean(z_hat)
        return mean, (self.scale(z_hat) if self.scale is not None else mean)
