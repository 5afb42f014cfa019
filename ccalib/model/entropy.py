"""The entropy path: hyper synthesis, contexts, and the one loop over groups.

Training, estimating, writing and reading walk the groups in the same order, with the same networks; what differs is
the *coder* that the loop calls (see `ccalib.model.coders`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ccalib.model.borrowed import GaussianConditional, LowerBound
from ccalib.model.context import SharedContext, SplitContext
from ccalib.model.groups import support
from ccalib.model.hyper import HyperSynthesis
from ccalib.model.presets import Preset

SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 256.0, 64


class GroupModel(nn.Module):
    """Mean and scale of each group, and its residual, given the hyper output and earlier groups.

    Args:
        lag: 0 for the main model; 1 for the auxiliary one, whose group i can't read group i − 1.
        residuals: how many groups, from the first, have latent residual prediction (all if None).
    """

    def __init__(self, preset: Preset, lag: int = 0, residuals: int | None = None) -> None:
        super().__init__()
        sizes = preset.sizes
        self.sizes, self.lag = sizes, lag
        kind = SplitContext if preset.split_context else SharedContext
        self.contexts = nn.ModuleList(
            kind(preset, sum(sizes[: support(i, lag)]), size, residuals is None or i < residuals)
            for i, size in enumerate(sizes)
        )
        self.contexts[0].linear = preset.hyper_klt  # the linear path holds the first group's means

    def walk(self, hyper: tuple[Tensor, Tensor], coder, y: Tensor | None = None, read: list[Tensor] | None = None):
        """The loop over groups.

        Args:
            hyper: output of the hyper synthesis.
            coder: called with (group, y_i or None, mean, scale); gives the quantized y_i.
            y: B×M×h×w, or None when the coder reads symbols from a file.
            read: decoded groups to read instead of this model's own (the honest auxiliary model reads the main one's).
        Returns:
            ŷ_1 … ŷ_G, each B×size×h×w.
        """
        targets = [None] * len(self.sizes) if y is None else y.split(self.sizes, dim=1)
        decoded: list[Tensor] = []
        for i, context in enumerate(self.contexts):
            seen = (decoded if read is None else read)[: support(i, self.lag)]
            mean, scale, features = context(hyper, seen)
            quantized = coder(i, targets[i], mean, scale)
            decoded.append(quantized + context.residual(features, quantized))
        return decoded


class EntropyPath(nn.Module):
    """All that encoder and decoder must compute alike: hyper synthesis and group model. ẑ → ŷ."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.h_s = HyperSynthesis(preset)
        self.groups = GroupModel(preset)

    def walk(self, z_hat: Tensor, coder, y: Tensor | None = None) -> list[Tensor]:
        """`GroupModel.walk` from ẑ, B×N×H/64×W/64, in this path's own precision."""
        dtype = next(self.parameters()).dtype
        return self.groups.walk(self.h_s(z_hat.to(dtype)), coder, None if y is None else y.to(dtype))


class LatentGaussian(GaussianConditional):
    """CompressAI's Gaussian with the table of 64 scales, log-spaced from 0.11 to 256.

    With `log_scale`, what comes in is a log-scale and the coder takes the nearest level of the table; without, it is a
    scale and the coder takes the next level above, as the released model does.
    """

    def __init__(self, log_scale: bool) -> None:
        low, high = math.log(SCALE_MIN), math.log(SCALE_MAX)
        self.step = (high - low) / (SCALE_LEVELS - 1)
        self.own_scales = [math.exp(low + i * self.step) for i in range(SCALE_LEVELS)]
        super().__init__(self.own_scales, scale_bound=SCALE_MIN)
        self.log_scale = log_scale
        # bounds log-scales from above; like CompressAI's bound from below, its gradient lets them come back
        self.upper_bound = LowerBound(-high)

    def level(self, scale: Tensor) -> Tensor:
        """Index of the table, 0 … 63, int."""
        if not self.log_scale:
            return self.build_indexes(scale)
        return torch.floor((scale - math.log(SCALE_MIN)) / self.step + 0.5).clamp(0, SCALE_LEVELS - 1).int()

    def likelihood(self, values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """P(value) over a unit interval, ≥ 1e-9."""
        if self.log_scale:
            scale = torch.exp(-self.upper_bound(-scale))
        return self.likelihood_lower_bound(self._likelihood(values, scale, mean))

    def coded_likelihood(self, symbols: Tensor, scale: Tensor) -> Tensor:
        """P(symbol) as the range coder has it: from the integer table of the scale's level.

        A table knows no probability below 2⁻¹⁶. A symbol outside it is an escape, then a nibble that counts nibbles,
        then the nibbles of its distance, so outliers cost far less than the Gaussian says.
        """
        level = self.level(scale).long()
        top = self._cdf_length[level] - 2  # the escape's place in the row
        place = symbols.long() - self._offset[level]
        inside = (place >= 0) & (place < top)
        at = torch.where(inside, place, top).long()
        p = (self._quantized_cdf[level, at + 1] - self._quantized_cdf[level, at]).double() / 2**16
        distance = torch.where(place < 0, -2 * place - 1, 2 * (place - top)).double()
        nibbles = torch.ceil(torch.floor(torch.log2(distance.clamp(min=0.5)) + 1) / 4)
        return torch.where(inside, p, p * 16.0 ** -(1 + nibbles))
