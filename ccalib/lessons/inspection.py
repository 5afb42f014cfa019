"""Everything about each latent of one real file: what was coded, what it cost, and what the previous group bought it.

Three models account for every latent: the one that wrote the *file*, and the *ruler*'s two, fitted *with* and *without*
the group before (lesson 05). Each rounds the latent around its own mean, so each has its own symbol, mean and scale
level, and its bits are those of the range coder's integer tables, escapes included.
"""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import ccalib
from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.files import container
from ccalib.model import rans
from ccalib.model.codec import STRIDE, Codec
from ccalib.model.entropy import LatentGaussian
from ccalib.model.ruler import Rulers

CELL = 16  # pixels; a latent stands for a cell of 16×16
HYPER = 4  # cells; a hyper-latent stands for 4×4 of them


@dataclasses.dataclass(frozen=True, eq=False)
class Account:
    """What one model says about every latent; arrays are M×h×w.

    Attributes:
        symbol: the integer coded, int32: the latent minus the mean, rounded.
        mean: float64, what symbol 0 stands for.
        level: row of the scale table, uint8.
        bits: −log₂ of the range coder's probability, float64.
    """

    symbol: np.ndarray
    mean: np.ndarray
    level: np.ndarray
    bits: np.ndarray

    @classmethod
    def of(cls, gaussian: LatentGaussian, mean: Tensor, scale: Tensor, *, symbol: Tensor | None = None,
           y: Tensor | None = None) -> Account:  # fmt: skip
        """The account of a model's prediction, of the symbols in a file or of those that it would make of y.

        All 1×M×h×w; `scale` is what `gaussian` takes.
        """
        symbol = torch.round(y.to(mean) - mean) if symbol is None else symbol
        symbol = symbol.clamp(-rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT)
        bits = -torch.log2(gaussian.coded_likelihood(symbol, scale).double())
        level = gaussian.level(scale).to(torch.uint8)
        return cls(*(t[0].cpu().numpy() for t in (symbol.int(), mean.double(), level, bits)))


@dataclasses.dataclass(frozen=True)
class Ledger:
    """From one latent to the file: bits as the coder's tables have them, bytes as the file has them.

    `file` = `header` + `payload`; `payload` is the sum of the segments' bytes; what a segment has over its latents'
    bits is the coder's `overhead` (range coders end on whole 32-bit words).
    """

    latent: float  # bits
    channel: float
    group: float
    overhead: float
    segment: int  # bytes
    payload: int
    header: int
    file: int


@dataclasses.dataclass(frozen=True, eq=False)
class Support:
    """How far the mean of one latent moves per unit of what it may read: Σ over channels of |∂μ/∂ŷ| at each position.

    Attributes:
        z: h/4×w/4, from ẑ (through the hyper synthesis).
        groups: one h×w map for each earlier group.
    """

    z: np.ndarray
    groups: list[np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """One photograph, its file, and three accounts of its latents. Made by `inspect_photo`.

    Attributes:
        name: of the photograph, for headings and links.
        photo: the photograph, its last row and column repeated until both sides are multiples of 64 pixels.
        size: (width, height) of the original photograph.
        data, info: the file's bytes and what `ccalib.inspect` says about them.
        file, with_, without: accounts; the last two are the ruler's.
        hyper_only: the account of the ruler's model that reads no group at all, if the ruler has one.
        z_bits: N×h/4×w/4, bits of each hyper-latent.
        z_hat, decoded: ẑ and ŷ per group, as the decoder has them.
    """

    name: str
    photo: Image.Image
    size: tuple[int, int]
    codec: Codec
    data: bytes
    info: container.FileInfo
    file: Account
    with_: Account
    without: Account
    hyper_only: Account | None
    z_bits: np.ndarray
    z_hat: Tensor
    decoded: list[Tensor]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels of each group."""
        return self.codec.preset.sizes

    @property
    def grid(self) -> tuple[int, int]:
        """(columns, rows) of cells."""
        return self.file.symbol.shape[2], self.file.symbol.shape[1]

    @property
    def gain(self) -> np.ndarray:
        """M×h×w bits that the group before bought each latent, by the ruler; negative where it misled."""
        return self.without.bits - self.with_.bits

    def span(self, group: int) -> slice:
        """The channels of group `group` (from 0)."""
        first = sum(self.sizes[:group])
        return slice(first, first + self.sizes[group])

    def group_of(self, channel: int) -> int:
        """The group (from 0) of a channel."""
        return int(np.searchsorted(np.cumsum(self.sizes), channel, side="right"))

    def per_group(self, values: np.ndarray) -> np.ndarray:
        """Sums of M×h×w values over each group's channels: G×h×w."""
        return np.stack([values[self.span(i)].sum(axis=0) for i in range(len(self.sizes))])

    def cell_bits(self) -> np.ndarray:
        """h×w bits of each cell: its latents' and its sixteenth of its hyper-latents'. Their sum is all segments'."""
        return self.file.bits.sum(axis=0) + self.z_bits.sum(axis=0).repeat(HYPER, 0).repeat(HYPER, 1) / HYPER**2

    def check(self, column: int, row: int, channel: int) -> None:
        """Raises CcaError: no such latent."""
        limits = {"column": (column, self.grid[0]), "row": (row, self.grid[1]), "channel": (channel, sum(self.sizes))}
        for field, (value, limit) in limits.items():
            if not 0 <= value < limit:
                raise CcaError(f"{self.name}: {field}: {value} is outside 0 … {limit - 1}")

    def ledger(self, column: int, row: int, channel: int) -> Ledger:
        """What the latent costs, and what it is part of. Raises CcaError: no such latent."""
        self.check(column, row, channel)
        bits, group = self.file.bits, self.group_of(channel)
        segment = self.info.segments[group + 1].length
        whole = float(bits[self.span(group)].sum())
        return Ledger(
            latent=float(bits[channel, row, column]),
            channel=float(bits[channel].sum()),
            group=whole,
            overhead=8 * segment - whole,
            segment=segment,
            payload=sum(s.length for s in self.info.segments),
            header=self.info.header,
            file=self.info.size,
        )

    def support(self, column: int, row: int, channel: int) -> Support:
        """What the latent's mean really reads, by gradients. Raises CcaError: no such latent."""
        self.check(column, row, channel)
        group = self.group_of(channel)
        path = self.codec.path  # the same weights in plain floats: rounding has no gradient
        dtype = next(path.parameters()).dtype
        z_hat, *seen = (t.detach().to(dtype, copy=True).requires_grad_() for t in (self.z_hat, *self.decoded[:group]))
        with torch.enable_grad():
            mean = path.groups.contexts[group](path.h_s(z_hat), seen)[0]
            target = mean[0, channel - self.span(group).start, row, column]
            gradients = torch.autograd.grad(target, [z_hat, *seen])
        z, *groups = (g[0].abs().sum(dim=0).numpy() for g in gradients)
        return Support(z, groups)


def inspect_photo(
    photo: Image.Image | np.ndarray | str,
    quality: float,
    rulers: Rulers,
    model: str | Codec = "small",
    name: str = "photo",
) -> Inspection:
    """Write a real `.cca` file, read it back, and account for each of its latents.

    Args:
        photo: anything `ccalib.images.load` takes.
        quality: 0 … Q, rounded to 1/64.
        rulers: entropy models fitted to this codec, as `load_rulers` gives them: `main`, `auxiliary`, and `hyperprior`
            if there is one.
    Raises:
        CcaError: photograph, quality, weights or rulers can't be used.
    """
    codec, picture = weights.load(model), images.load(photo)
    data = ccalib.encode(picture, quality, codec)
    info = ccalib.inspect(data)
    x, q = images.pad(images.to_tensor(picture), STRIDE), torch.tensor([info.quality])
    strings = [[container.payload(data, segment)] for segment in info.segments]
    path, medians = codec.coding_path(), codec._medians()
    with torch.no_grad():
        _, symbols = codec.decode(strings, (x.shape[2] // STRIDE, x.shape[3] // STRIDE), q)
        z_hat = (torch.from_numpy(symbols[0]).to(medians) + medians).to(next(path.parameters()).dtype)
        coder = _Again(symbols[1:])
        decoded = path.walk(z_hat, coder)
        symbol = torch.from_numpy(np.concatenate(symbols[1:], axis=1))
        y, gaussian = codec.analyze(x, q), codec.gaussian if codec.gaussian.log_scale else _log_gaussian()
        accounts = {
            model: Account.of(gaussian, *_joined(rulers.predict(model, z_hat, decoded)), y=y)
            for model in ("main", "auxiliary", "hyperprior")
            if model in rulers.names
        }
    if not {"main", "auxiliary"} <= set(accounts):
        raise CcaError(f"{name}: rulers: models main and auxiliary are wanted, not {', '.join(rulers.names)}")
    return Inspection(
        name=name,
        photo=images.from_tensor(x),
        size=picture.size,
        codec=codec,
        data=data,
        info=info,
        file=Account.of(codec.gaussian, *_joined(coder.predictions), symbol=symbol),
        with_=accounts["main"],
        without=accounts["auxiliary"],
        hyper_only=accounts.get("hyperprior"),
        z_bits=_z_bits(codec, symbols[0]),
        z_hat=z_hat,
        decoded=decoded,
    )


class _Again:
    """A coder that gives back symbols that were read before, and keeps the predictions they were coded with."""

    def __init__(self, symbols: list[np.ndarray]) -> None:
        self.symbols = symbols
        self.predictions: list[tuple[Tensor, Tensor]] = []

    def __call__(self, group: int, y: None, mean: Tensor, scale: Tensor) -> Tensor:
        self.predictions.append((mean, scale))
        return torch.from_numpy(self.symbols[group]).to(mean) + mean


def _joined(predictions: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and scale of all channels from those of each group."""
    mean, scale = (torch.cat(parts, dim=1) for parts in zip(*predictions, strict=True))
    return mean, scale


def _log_gaussian() -> LatentGaussian:
    """The tables a ruler's log-scales go with, where the codec itself (`paper`) predicts scales."""
    gaussian = LatentGaussian(log_scale=True)
    gaussian.update()
    return gaussian


def _z_bits(codec: Codec, symbols: np.ndarray) -> np.ndarray:
    """N×h×w bits of the hyper-latents, from the coder's tables of z."""
    names = ("_quantized_cdf", "_cdf_length", "_offset")
    tables = SimpleNamespace(level=lambda rows: rows, **{name: getattr(codec.z_prior, name) for name in names})
    rows = torch.from_numpy(codec._z_rows(symbols.shape)).long()[None]  # a row of the tables for each channel
    p = LatentGaussian.coded_likelihood(tables, torch.from_numpy(symbols), rows)  # the same rule, z's own tables
    return -torch.log2(p)[0].numpy()
