"""The preset of a state dictionary, read off its names and shapes."""

from __future__ import annotations

import dataclasses
import re

import torch
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model.groups import group_sizes
from ccalib.model.presets import PAPER, SMALL, TINY, Preset

PREFIX = re.compile(r"^((module|codec)\.)+")
TABLE = re.compile(r"(_quantized_cdf|_offset|_cdf_length|scale_table|scale_bound|bound|target)$")


def infer(state: dict[str, Tensor], preset: Preset | None = None) -> tuple[Preset, bool | None, dict[str, Tensor]]:
    """Preset, auxiliary model (None: none; True: the released kind), and the dictionary with its prefixes removed.

    A preset that is given is checked, not inferred.

    Widths, depths and group sizes are read. What leaves no trace in shapes (the range of λ; exact arithmetic in
    split contexts; k where several give the same sizes) is that of the known preset with as many latent channels, else
    of `small`.

    Raises:
        CcaError: a name or shape that no codec has, named.
    """
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CcaError("state dictionary: a dictionary of tensors is wanted")
    state = {PREFIX.sub("", name): value for name, value in state.items()}
    if any(name.startswith("h_mean_s.") for name in state):
        raise CcaError("state dictionary: names of the authors' released model; load it with ccalib.official.load")
    try:
        preset = preset or _read(state)
    except (KeyError, IndexError, ValueError) as error:
        raise CcaError(f"state dictionary: not a codec's; {error} is missing or of an unknown shape") from error
    released = None
    if any(name.startswith("auxiliary.") for name in state):
        released = any(name.startswith("auxiliary.y_prior.") for name in state)
    _check(preset, released, state)
    return preset, released, state


def _read(state: dict[str, Tensor]) -> Preset:
    def shape(name: str) -> torch.Size:
        return state[name].shape

    def count(pattern: str) -> int:
        """How many different first groups of a pattern there are among the names."""
        return len({m[1] for name in state if (m := re.match(pattern, name))})

    latent, split = shape("g_a.down.3.weight")[0], "path.h_s.scale.0.weight" in state
    known = PAPER if split else {p.latent: p for p in (SMALL, TINY)}.get(latent, SMALL)
    context, last = "path.groups.contexts.{}.", "mean_head" if split else "head"
    groups = count(r"path\.groups\.contexts\.(\d+)\.")
    layers = range(0, 2 * count(rf"path\.groups\.contexts\.0\.{last}\.(\d+)\.weight"), 2)
    head = [shape(f"{context.format(0)}{last}.{i}.weight")[0] for i in layers]
    outputs = [shape(f"{context.format(i)}{last}.{layers[-1]}.bias")[0] for i in range(groups)]
    first = context.format(0) + ("mean_trunk.first" if split else "trunk.0")
    blocks = r"path\.groups\.contexts\.0\.mean_trunk\.blocks\.(\d+)\." if split else (
        r"path\.groups\.contexts\.0\.trunk\.([1-9]\d*)\.")  # fmt: skip
    return dataclasses.replace(
        known,
        widths=tuple(shape(f"g_a.down.{i}.weight")[0] for i in range(3)),
        blocks=tuple(
            (count(rf"g_a\.blocks\.{i}\.(\d+)\.reduce\.weight"), count(rf"g_a\.blocks\.{i}\.(\d+)\.widen\.weight"))
            for i in range(3)
        ),
        attention=any(name.startswith("g_a.") and ".attention." in name for name in state),
        latent=latent,
        last_kernel=shape("g_a.down.3.weight")[-1],
        hyper=shape("h_a.4.weight")[0],
        hyper_widths=(shape("h_a.0.weight")[0], shape("h_a.2.weight")[0]),
        hyper_out=shape("path.h_s.mean.4.weight")[1],
        groups=groups,
        k=_exponent(latent, tuple(outputs if split else (n // 2 for n in outputs)), known.k),
        context_width=shape(f"{first}.weight")[0],
        context_blocks=count(blocks),
        head_widths=tuple(head[:-1]),
        split_context=split,
        klt="klt.analysis.weight" in state,
        hyper_klt="hyper_klt.analysis.weight" in state,
        qualities=shape("gains.log_gain")[0] - 1 if "gains.log_gain" in state else 0,
    )


def _exponent(latent: int, sizes: tuple[int, ...], known: float) -> float:
    """k that gives these group sizes: the known one if it does, else the smallest in steps of 0.05 up to 4."""
    for k in (known, *(i / 20 for i in range(81))):
        try:
            if group_sizes(latent, len(sizes), k) == sizes:
                return k
        except CcaError:
            continue
    raise CcaError(f"state dictionary: groups of {sizes} channels follow no exponent k up to 4")


def _check(preset: Preset, released: bool | None, state: dict[str, Tensor]) -> None:
    """Every name and shape must be the preset's. Tables may be there or not: `update()` builds them."""
    from ccalib.model.codec import Auxiliary, Codec

    with torch.device("meta"):
        codec = Codec(preset)
        if released is not None:
            codec.auxiliary = Auxiliary(preset, released)
    wanted = {name: p.shape for name, p in codec.named_parameters()}
    given = {name: t.shape for name, t in state.items() if not TABLE.search(name)}
    missing, unknown = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unknown:
        what = [f"{name} is missing" for name in missing[:3]] + [f"{name} is unknown" for name in unknown[:3]]
        raise CcaError(f"state dictionary: {'; '.join(what)} ({len(missing)} missing, {len(unknown)} unknown)")
    for name, size in wanted.items():
        if given[name] != size:
            raise CcaError(f"state dictionary: {name}: shape {tuple(given[name])}, not {tuple(size)}")
