"""One rate of a variable-rate codec, in the form that CompressAI's tools take: they know images, but no qualities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ccalib.model.borrowed import CompressionModel
from ccalib.model.gains import stored_quality

if TYPE_CHECKING:
    from ccalib.model.codec import Codec


class FixedRate(CompressionModel):
    """A view of a codec at one quality: same weights, so training the view trains the codec.

    `forward`, `compress`, `decompress`, `update` and `aux_loss` are CompressAI's; all but the quality is the codec's.

    Args:
        quality: 0 … Q.
    Raises:
        CcaError: a quality outside.
    """

    def __init__(self, codec: Codec, quality: float) -> None:
        super().__init__()
        stored_quality(codec.preset, quality)  # refuses what no file can hold
        self.codec, self.quality = codec, float(quality)
        self.training = codec.training

    def forward(self, x: Tensor) -> dict:
        return self.codec(x, self._qualities(len(x), x))

    def compress(self, x: Tensor) -> dict:
        return self.codec.compress(x, self._qualities(len(x), x))

    def decompress(self, strings: list[list[bytes]], shape: tuple[int, int]) -> dict:
        images = len(strings[0]) if strings else 0
        return self.codec.decompress(strings, shape, self._qualities(images, next(self.codec.parameters())))

    def update(self, scale_table: Tensor | None = None, force: bool = False, update_quantiles: bool = False) -> bool:
        return self.codec.update(scale_table, force, update_quantiles)

    def load_state_dict(self, state_dict: dict[str, Tensor], strict: bool = True):
        own = {name.removeprefix("codec."): value for name, value in state_dict.items()}
        return self.codec.load_state_dict(own, strict)

    def _qualities(self, images: int, like: Tensor) -> Tensor:
        return torch.full((images,), self.quality, device=like.device)
