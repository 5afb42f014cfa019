"""Presets: one frozen dataclass says everything about a model's shape.

`paper` is the released model of Han et al. (NeurIPS 2024); `small` is what ships and trains on two CPU cores;
`tiny` trains live in a notebook. A preset is stored beside the weights, as JSON.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from ccalib.errors import CcaError
from ccalib.model.groups import group_sizes

PATCH_VALUES = 3 * 16 * 16  # that the KLT of y is of
STEPS = 64  # a quality is stored in a file in steps of 1/64
DEEPEST = 1000
MAY_BE_ZERO = ("blocks", "context_blocks", "k", "qualities")


@dataclasses.dataclass(frozen=True)
class Preset:
    """The shape of a codec. Widths are channels; a block pair is (residual bottlenecks, NAF blocks).

    Attributes:
        widths: channels at H/2, H/4 and H/8.
        blocks: (bottlenecks, NAF blocks) after each of the first three analysis convolutions; synthesis mirrors them.
        attention: channel attention (a global mean) inside the transforms' NAF blocks.
        latent: M, channels of y at H/16.
        last_kernel: side of the last analysis and the first synthesis convolution; the others have 5.
        hyper: N, channels of z at H/64.
        hyper_widths: hidden channels of hyper analysis, as (after the first, after the second convolution).
        hyper_out: channels of the hyper synthesis; for `paper` both outputs have M.
        groups, k: number of channel groups and the exponent of their sizes (lesson 06).
        context_width, context_blocks: width and depth of a context's trunk.
        head_widths: hidden channels of the heads.
        split_context: `paper`'s separate NAF trunks for mean and scale; otherwise one convolutional trunk for both,
            heads that give a log-scale, and an entropy path that runs in exact arithmetic (lesson 02, section 8).
        exact_path: that arithmetic for the split contexts, too. Weights stored so have a fingerprint of their own.
        klt: the linear path beside the transforms (lesson 01).
        hyper_klt: the same one level up, between the first group and z.
        qualities: Q; gains are learned at 0, 1, ... Q. 0 is the paper's fixed-rate model without gains.
        lambdas: the range of lambda, lowest at quality 0, log-spaced.
    """

    name: str
    widths: tuple[int, int, int] = (192, 224, 256)
    blocks: tuple[tuple[int, int], ...] = ((3, 4), (3, 4), (3, 4))
    attention: bool = True
    latent: int = 320
    last_kernel: int = 5
    hyper: int = 192
    hyper_widths: tuple[int, int] = (256, 256)
    hyper_out: int = 320
    groups: int = 5
    k: float = 1.7
    context_width: int = 224
    context_blocks: int = 4
    head_widths: tuple[int, ...] = (224, 128)
    split_context: bool = True
    exact_path: bool = False
    klt: bool = False
    hyper_klt: bool = False
    qualities: int = 0
    lambdas: tuple[float, float] = (0.013, 0.013)

    def __post_init__(self) -> None:
        depths = (*(n for pair in self.blocks for n in pair), self.context_blocks, self.groups, self.qualities)
        if max(depths) > DEEPEST:
            raise CcaError(f"preset {self.name}: at most {DEEPEST} blocks, groups and qualities, not {max(depths)}")
        first = group_sizes(self.latent, self.groups, self.k)[0]  # refuses an impossible schedule here, not in a layer
        if self.hyper_klt and first > self.hyper_out:
            raise CcaError(f"preset {self.name}: hyper_out {self.hyper_out} can't hold the means of {first} channels")
        if self.last_kernel % 2 == 0:
            raise CcaError(f"preset {self.name}: last_kernel must be odd, not {self.last_kernel}")
        if self.klt and self.latent > PATCH_VALUES:
            raise CcaError(f"preset {self.name}: klt gives at most {PATCH_VALUES} latent channels, not {self.latent}")
        if any(width < 2 and bottlenecks for width, (bottlenecks, _) in zip(self.widths, self.blocks, strict=True)):
            raise CcaError(f"preset {self.name}: widths with bottlenecks must be at least 2, not {self.widths}")
        if not 0 < self.lambdas[0] <= self.lambdas[1]:
            raise CcaError(f"preset {self.name}: lambdas must be positive and increasing, not {self.lambdas}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels of each group."""
        return group_sizes(self.latent, self.groups, self.k)

    @property
    def exact(self) -> bool:
        """Whether coding runs the entropy path in exact arithmetic (lesson 02, section 8)."""
        return self.exact_path or not self.split_context

    @property
    def reference_lambda(self) -> float:
        """Geometric mean of the range of lambda: where all gains start at 1."""
        return (self.lambdas[0] * self.lambdas[1]) ** 0.5

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Preset:
        """Raises CcaError: not JSON of a preset, a value of another kind, or one that no codec can have."""
        examples = {field.name: field.default for field in dataclasses.fields(cls) if field.name != "name"}
        try:
            found = {key: _freeze(value) for key, value in json.loads(text).items()}
            for key in found.keys() & examples.keys():
                if not _fits(found[key], examples[key], key):
                    raise CcaError(f"preset: {key}: no value that it can have: {json.dumps(found[key])[:80]}")
            return cls(**found | {"name": str(found["name"])})
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise CcaError(f"preset: cannot be read ({error})") from error

    def reshaped(self, changes: Sequence[str]) -> Preset:
        """With other values of some attributes, as `ccalib train --shape` gives them.

        Args:
            changes: KEY=VALUE each, the value as JSON: `latent=192`, `klt=false`, `widths=[32,64,96]`.
        Raises:
            CcaError: no such attribute, or a value that it can't have.
        """
        now, found = dataclasses.asdict(self), {}
        for change in changes:
            key, _, text = change.partition("=")
            if key not in now or key == "name":
                raise CcaError(f"--shape: {change}: KEY=VALUE, KEY one of {', '.join(k for k in now if k != 'name')}")
            try:
                found[key] = _freeze(json.loads(text))
            except ValueError as error:
                raise CcaError(f"--shape: {change}: no value ({error}); {key} is {json.dumps(now[key])}") from error
            if not _fits(found[key], now[key], key):
                raise CcaError(f"--shape: {change}: of another kind than {json.dumps(now[key])}, or too small")
        try:
            return dataclasses.replace(self, **found)
        except (OverflowError, ValueError) as error:  # k of 1000, or infinite
            raise CcaError(f"--shape: {' '.join(changes)}: no such sizes of groups ({error})") from error


def _freeze(value):
    """Lists, as JSON has them, as tuples."""
    return tuple(_freeze(v) for v in value) if isinstance(value, list) else value


def _fits(value, example, key: str) -> bool:
    """Whether a value of attribute `key` has the type of an example, in every part, and is large enough."""
    if isinstance(example, tuple):
        long = isinstance(value, tuple) and (len(value) == len(example) or (key == "head_widths" and value != ()))
        return long and all(_fits(v, example[0], key) for v in value)
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    number = isinstance(value, (int, float) if isinstance(example, float) else int)
    return number and (value > 0 or (value == 0 and key in MAY_BE_ZERO))


PAPER = Preset("paper")

SMALL = Preset(
    "small",
    widths=(32, 64, 128),
    blocks=((0, 0), (1, 1), (1, 2)),
    attention=False,
    latent=320,
    last_kernel=3,
    k=2.0,
    hyper=96,
    hyper_widths=(96, 96),
    hyper_out=128,
    context_width=80,
    context_blocks=2,
    head_widths=(80,),
    split_context=False,
    klt=True,
    hyper_klt=True,
    qualities=6,
    lambdas=(0.0007, 0.08),
)

TINY = dataclasses.replace(
    SMALL,
    name="tiny",
    widths=(16, 32, 64),
    blocks=((0, 0), (0, 0), (1, 1)),
    latent=96,
    last_kernel=5,
    hyper=48,
    hyper_widths=(64, 48),
    hyper_out=64,
    context_width=48,
    context_blocks=1,
    head_widths=(48,),
    k=1.7,
)

PRESETS = {preset.name: preset for preset in (PAPER, SMALL, TINY)}
