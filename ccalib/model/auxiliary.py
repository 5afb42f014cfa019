"""The auxiliary entropy model of the CCA loss (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccalib.model.borrowed import EntropyBottleneck
from ccalib.model.coders import Estimate, Noisy
from ccalib.model.entropy import GroupModel
from ccalib.model.presets import Preset


class Auxiliary(nn.Module):
    """The auxiliary entropy model: group i can't read group i − 1.

    Args:
        released: as in the authors' training code, with its own ŷ and residual prediction, and a factorized prior on y;
            otherwise the honest reading, which reads the main model's ŷ and predicts no residual (lesson 05).
    """

    def __init__(self, preset: Preset, released: bool) -> None:
        super().__init__()
        self.groups = GroupModel(preset, lag=1, residuals=max(preset.groups - 2, 0) if released else 0)
        self.y_prior = EntropyBottleneck(preset.latent) if released else None

    def forward(self, hyper, coder: Noisy | Estimate, y: Tensor, decoded: list[Tensor]) -> Tensor:
        """Likelihoods of y, B×M×h×w, under `coder`'s noise or rounding."""
        self.groups.walk(hyper, coder, y, read=None if self.y_prior is not None else decoded)
        return torch.cat(coder.likelihoods, dim=1)
