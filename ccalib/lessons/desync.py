"""The break-it lab: read segments without any guard, nudge one scale of the decoder, and see what comes apart."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from ccalib.model import rans
from ccalib.model.borrowed import ans
from ccalib.model.codec import Codec
from ccalib.model.coders import Estimate, Read
from ccalib.model.entropy import SCALE_LEVELS, SCALE_MIN, LatentGaussian

JUST = 1e-9  # how far over the boundary a nudge goes


@dataclasses.dataclass(frozen=True)
class Nudge:
    """A change of one log-scale: of the latent at flat `index` of `group` (from 0), by `amount`."""

    group: int
    index: int
    amount: float


@dataclasses.dataclass(frozen=True, eq=False)
class Reading:
    """What a decoder without guards made of the segments.

    Attributes:
        x_hat: 1×3×H×W, not clamped.
        symbols: of z, then of each group, 1×C×h×w.
        scales: log-scale of each group's latents, 1×C×h×w; levels: index of the table that was used.
    """

    x_hat: Tensor
    symbols: list[np.ndarray]
    scales: list[np.ndarray]
    levels: list[np.ndarray]


class Unguarded(Read):
    """A reader that takes what the range coder gives, and may get one scale wrong."""

    def __init__(self, gaussian: LatentGaussian, tables: rans.Tables, strings: list, nudge: Nudge | None) -> None:
        super().__init__(gaussian, tables, strings)
        self.nudge = nudge
        self.scales: list[np.ndarray] = []
        self.levels: list[np.ndarray] = []

    def __call__(self, group: int, y: None, mean: Tensor, scale: Tensor) -> Tensor:
        if self.nudge is not None and group == self.nudge.group:
            scale = scale.clone(memory_format=torch.contiguous_format)
            scale.view(-1)[self.nudge.index] += self.nudge.amount
        level = self.gaussian.level(scale).numpy()
        self.scales.append(scale.numpy())
        self.levels.append(level)
        self.symbols.append(symbols_anyhow(self.strings[group][0], level, self.tables))
        return torch.from_numpy(self.symbols[-1]).to(mean) + mean


def symbols_anyhow(data: bytes, rows: np.ndarray, tables: rans.Tables) -> np.ndarray:
    """`rans.decode` that clips where it would refuse: symbols of any stream, however broken."""
    if not data or rows.size < rans.FEW:
        return rans.decode(data, rows, tables)
    padded = data + bytes(128 * len(data) + 8 * rows.size + 64)  # see `rans`: never read beyond
    found = ans.RansDecoder().decode_with_indexes(padded, rows.reshape(-1).tolist(), *tables.lists)
    return np.clip(found, -rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT).astype(np.int32).reshape(rows.shape)


@torch.inference_mode()
def read(
    codec: Codec, payloads: list[bytes], shape: tuple[int, int], quality: Tensor, nudge: Nudge | None = None
) -> Reading:
    """Decode the payloads of a file, z first, with no checksum tested.

    Args:
        shape: (h, w) of z.
        nudge: what this decoder gets wrong.
    """
    tables, medians, path = codec.tables(), codec._medians(), codec.coding_path()
    z = symbols_anyhow(payloads[0], codec._z_rows((1, codec.preset.hyper, *shape)), tables["z"])
    z = z.reshape(1, codec.preset.hyper, *shape)
    coder = Unguarded(codec.gaussian, tables["y"], [[payload] for payload in payloads[1:]], nudge)
    decoded = path.walk((torch.from_numpy(z).to(medians) + medians).to(next(path.parameters()).dtype), coder)
    x_hat = codec.synthesize(torch.cat(decoded, dim=1), quality)
    return Reading(x_hat, [z, *coder.symbols], coder.scales, coder.levels)


class _Scales(Estimate):
    """Rounds like the encoder and keeps the log-scales."""

    def __init__(self, gaussian: LatentGaussian) -> None:
        super().__init__(gaussian)
        self.scales: list[np.ndarray] = []

    def __call__(self, group: int, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        self.scales.append(scale.numpy())
        return super().__call__(group, y, mean, scale)


@torch.inference_mode()
def encoder_scales(codec: Codec, y: Tensor, exact: bool) -> list[np.ndarray]:
    """Log-scales of each group as an encoder computes them: in exact arithmetic, or in ordinary 32-bit floats.

    Args:
        y: 1×M×h×w, as `codec.analyze` gives it.
    """
    path, medians, coder = codec.coding_path() if exact else codec.path, codec._medians(), _Scales(codec.gaussian)
    dtype = next(path.parameters()).dtype
    z_hat = torch.round(codec.hyper_analyze(y) - medians) + medians
    path.walk(z_hat.to(dtype), coder, y.to(dtype))
    return coder.scales


def to_boundary(log_scale: np.ndarray, gaussian: LatentGaussian) -> np.ndarray:
    """Signed distance of log-scales to the nearest boundary between two levels of the table, in natural logarithms."""
    place = (np.asarray(log_scale, dtype=np.float64) - math.log(SCALE_MIN)) / gaussian.step + 0.5
    return (np.clip(np.round(place), 1, SCALE_LEVELS - 1) - place) * gaussian.step


def nearest(reading: Reading, gaussian: LatentGaussian, group: int) -> Nudge:
    """The smallest nudge in a group that changes a level (the first of equals)."""
    distance = to_boundary(reading.scales[group], gaussian).reshape(-1)
    index = int(np.abs(distance).argmin())
    return Nudge(group, index, float(distance[index] + (JUST if distance[index] > 0 else -JUST)))


def wrong_symbols(reading: Reading, right: Reading) -> tuple[list[float], tuple[int, int] | None]:
    """Share of wrong symbols in each group, and the first wrong one as (group, place in coding order)."""
    shares, first = [], None
    for group, (found, wanted) in enumerate(zip(reading.symbols[1:], right.symbols[1:])):
        wrong = np.flatnonzero(found != wanted)
        shares.append(len(wrong) / found.size)
        if first is None and len(wrong):
            first = (group, int(wrong[0]))
    return shares, first
