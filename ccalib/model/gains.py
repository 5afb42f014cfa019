"""One model, every rate: a gain per channel and quality.

Cui et al., "Asymmetric Gained Deep Image Compression With Continuous Rate Adaptation", CVPR 2021.
"""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor, nn

from ccalib.errors import CcaError
from ccalib.model.presets import STEPS, Preset


def lambda_of(preset: Preset, quality: Tensor | float):
    """λ(q), log-spaced from the preset's lowest at q = 0 to its highest at q = Q."""
    low, high = preset.lambdas
    return low * (high / low) ** (quality / max(preset.qualities, 1))


def stored_quality(preset: Preset, quality: float) -> int:
    """The quality in steps of 1/64, as the file holds it. Raises CcaError outside [0, Q]."""
    if not isinstance(quality, numbers.Real) or not 0 <= quality <= preset.qualities:  # also refuses NaN
        raise CcaError(f"quality: {quality} is outside 0 … {preset.qualities} of the model {preset.name}")
    return round(quality * STEPS)


class Gains(nn.Module):
    """Q + 1 learned pairs of log-gains, interpolated linearly between integer qualities.

    Pair q starts at √(λ_q/λ_ref) for every channel, as high-rate theory wants, and its inverse at the reciprocal.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.top = preset.qualities
        start = [0.5 * math.log(lambda_of(preset, q) / preset.reference_lambda) for q in range(preset.qualities + 1)]
        log_gain = torch.tensor(start)[:, None].repeat(1, preset.latent)  # (Q+1)×M
        self.log_gain = nn.Parameter(log_gain)
        self.log_inverse = nn.Parameter(-log_gain)

    def forward_gain(self, quality: Tensor) -> Tensor:
        """B qualities → B×M×1×1, what y is multiplied by before quantization."""
        return self._at(self.log_gain, quality)

    def inverse_gain(self, quality: Tensor) -> Tensor:
        """B qualities → B×M×1×1, what ŷ is multiplied by before synthesis."""
        return self._at(self.log_inverse, quality)

    def _at(self, table: Tensor, quality: Tensor) -> Tensor:
        if quality is None:
            raise ValueError("a variable-rate model needs a quality per image")
        below = quality.floor().clamp(0, self.top - 1).long()
        t = (quality - below)[:, None]
        return torch.exp((1 - t) * table[below] + t * table[below + 1])[:, :, None, None]
