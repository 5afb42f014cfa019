"""Coders: what the group loop calls for each group, with (group, y_i or None, mean, scale).

| coder    | y_i in         | gives back                  | keeps                        |
|----------|----------------|-----------------------------|------------------------------|
| Noisy    | for training   | straight-through rounding   | likelihoods of y_i + noise   |
| Estimate | for evaluation | rounding around the mean    | likelihoods of what is coded |
| Write    | for a file     | rounding around the mean    | bytes, symbols               |
| Read     | None           | symbols read, plus the mean | symbols                      |

All round to the nearest symbol. A dead zone, which rounds more of them toward 0, is the encoder's affair as well:
`ccalib.evaluation.dead_zone` measures what it would give.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model import rans
from ccalib.model.entropy import LatentGaussian
from ccalib.model.layers import ste_round


class Noisy:
    """Training: likelihoods see additive uniform noise, readers see straight-through rounding.

    Args:
        noisy: y plus noise, B×M×h×w; the main and the honest auxiliary model score the same. None where likelihoods
            see the rounding, too.
    """

    def __init__(self, gaussian: LatentGaussian, noisy: Tensor | None, sizes: tuple[int, ...]) -> None:
        self.gaussian, self.noisy = gaussian, None if noisy is None else noisy.split(sizes, dim=1)
        self.likelihoods: list[Tensor] = []

    def __call__(self, group: int, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        rounded = ste_round(y - mean) + mean
        scored = rounded if self.noisy is None else self.noisy[group]
        self.likelihoods.append(self.gaussian.likelihood(scored, mean, scale))
        return rounded


class Estimate:
    """Evaluation: what coding will cost, from the likelihoods of the rounded latents.

    Exact presets take them from the coder's integer tables (once `update()` has built them); `paper` from the
    Gaussian, as the released model does.
    """

    def __init__(self, gaussian: LatentGaussian) -> None:
        self.gaussian = gaussian
        self.likelihoods: list[Tensor] = []

    def round(self, offset: Tensor, scale: Tensor) -> Tensor:
        """Symbols of y − μ."""
        return torch.round(offset)

    def __call__(self, group: int, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        symbols = self.round(y - mean, scale)
        if self.gaussian.log_scale and self.gaussian.cdf_length.numel():
            likelihood = self.gaussian.coded_likelihood(symbols, scale)
        else:
            likelihood = self.gaussian.likelihood(symbols + mean, mean, scale)
        self.likelihoods.append(likelihood)
        return symbols + mean


class Write:
    """A file is written: one byte string per group and image, from the range coder."""

    def __init__(self, gaussian: LatentGaussian, tables: rans.Tables) -> None:
        self.gaussian, self.tables = gaussian, tables
        self.strings: list[list[bytes]] = []
        self.symbols: list[np.ndarray] = []

    def __call__(self, group: int, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        symbols = torch.round(y - mean).clamp(-rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT)
        coded, levels = symbols.int().cpu().numpy(), self.gaussian.level(scale).cpu().numpy()
        self.symbols.append(coded)
        self.strings.append([rans.encode(s, i, self.tables) for s, i in zip(coded, levels, strict=True)])
        return symbols + mean


class Read:
    """A file is read. A missing group is the one whose symbols are all zero.

    Args:
        strings: per group a byte string per image; None from the first missing group on.
        check: as `Codec.decode` has it.
    """

    def __init__(
        self, gaussian: LatentGaussian, tables: rans.Tables, strings: list, check: Callable | None = None
    ) -> None:
        self.gaussian, self.tables, self.strings, self.check = gaussian, tables, strings, check
        self.symbols: list[np.ndarray] = []

    def __call__(self, group: int, y: None, mean: Tensor, scale: Tensor) -> Tensor:
        strings = self.strings[group]
        if strings is None:
            symbols = np.zeros(mean.shape, dtype=np.int32)
        else:
            if not torch.isfinite(scale).all():  # a forged file; such a level would crash the range coder
                raise CcaError(f"group {group + 1}: scales that are not finite")
            levels = self.gaussian.level(scale).cpu().numpy()
            try:
                symbols = np.stack([rans.decode(s, i, self.tables) for s, i in zip(strings, levels, strict=True)])
            except CcaError as error:
                raise CcaError(f"group {group + 1}: {error}") from error
            if self.check is not None:
                self.check(group + 1, symbols)
        self.symbols.append(symbols)
        return torch.from_numpy(symbols).to(mean) + mean
