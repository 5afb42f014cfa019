"""The authors' released checkpoints (Han et al., 2024), read into the `paper` preset.

codec = ccalib.official.load("lambda_0.85.pth.tar", beta=0.85)

A released checkpoint is a dictionary with `state_dict`; its names differ from ours, its arithmetic doesn't. Some names
say twice what is meant, or end in a number; `NAMES` below is the whole translation, theirs on the left.
"""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import torch
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model.auxiliary import Auxiliary
from ccalib.model.borrowed import remap_old_keys
from ccalib.model.codec import Codec
from ccalib.model.exact import WEIGHT_LIMIT
from ccalib.model.presets import PAPER
from ccalib.training.losses import RELEASED_LAMBDA

NAF = {"dwconv.0": "widen", "dwconv.1": "depthwise", "sca.1": "attention", "conv1": "project", "FFN.0": "ffn_in",
       "FFN.2": "ffn_out"}  # fmt: skip
BOTTLENECK = {"conv1": "reduce", "conv2": "spatial", "conv3": "expand"}
NAMES = (  # the first that matches; {naf} and {bottleneck} stand for a name inside such a block
    (r"(mean|scale)_NAF_transforms\.(\d)\.in_conv\.", r"contexts.\2.\1_trunk.first."),
    (r"(mean|scale)_NAF_transforms\.(\d)\.out_conv\.", r"contexts.\2.\1_trunk.last."),
    (r"(mean|scale)_NAF_transforms\.(\d)\.blocks\.(\d)\.{naf}", r"contexts.\2.\1_trunk.blocks.\3."),
    (r"(mean|scale)_cc_transforms\.(\d)\.", r"contexts.\2.\1_head."),
    (r"lrp_transforms\.(\d)\.", r"contexts.\1.residual_head."),
    (r"g_a\.blocks\.(\d)\.([3-6])\.{naf}", r"g_a.blocks.\1.\2."),
    (r"g_s\.blocks\.(\d)\.([0-3])\.{naf}", r"g_s.blocks.\1.\2."),
    (r"(g_[as]\.blocks\.\d\.\d)\.{bottleneck}", r"\1."),
    (r"h_(mean|scale)_s\.", r"path.h_s.\1."),
    (r"z_entropy_bottleneck\.", r"z_prior."),
    (r"y_entropy_bottleneck\.", r"y_prior."),
    (r"(g_a\.down|g_s\.up|h_a)\.", r"\1."),
)
# buffers of CompressAI's modules: constants, and tables that are built anew from the weights
BUFFERS = re.compile(r"(gaussian_conditional|entropy_bottleneck)\.(.*\.)?"
                     r"(_offset|_quantized_cdf|_cdf_length|scale_table|scale_bound|bound|target)$")  # fmt: skip


def load(source: str | Path | dict, exact: bool = False, beta: float | None = None) -> Codec:
    """A `paper` codec in evaluation mode, its tables built, from a checkpoint file or its dictionary.

    The dictionary may hold the weights under `state_dict` or be them; names may begin with `module.`. If the auxiliary
    entropy model is among them, it is the codec's `auxiliary`; a checkpoint without one gives a codec without.

    Args:
        exact: run the entropy path in exact arithmetic (lesson 02): the same symbols on every machine, for more time.
            Once stored, its weights have another fingerprint, so that neither kind of decoder reads the other's files.
        beta: the weight of the rate that the checkpoint was trained with, 0.3 … 15 (tensors don't tell). The codec's λ
            is then 0.05 / (1 + β), else the preset's. Coding has no use for it; the search of `effort` has.
    Raises:
        CcaError: a β that is no number of at least 0; no such file, not a checkpoint, a name that is missing or
            unknown, a wrong shape, a value that isn't finite, one too large for `exact`; each is named.
    """
    if beta is not None and not 0 <= beta < math.inf:  # also refuses NaN
        raise CcaError(f"beta: {beta} is no number of at least 0")
    lambdas = PAPER.lambdas if beta is None else (RELEASED_LAMBDA / (1 + beta),) * 2
    title, state = ("checkpoint", source) if isinstance(source, dict) else (str(source), _read(Path(source)))
    state = state.get("state_dict", state)
    tensors = isinstance(state, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    if not tensors or not state:
        raise CcaError(f"{title}: state_dict: a dictionary of tensors by name is wanted")
    given = _known_names({name.removeprefix("module."): value for name, value in state.items()})
    codec = Codec(dataclasses.replace(PAPER, exact_path=exact, lambdas=lambdas))
    if any(name.startswith("aux_entropymodel.") for name in given):
        codec.auxiliary = Auxiliary(PAPER, released=True)
    parameters = dict(codec.named_parameters())
    theirs = {ours(name): name for name in given}
    unknown = sorted(name for mine, name in theirs.items() if mine not in parameters)
    missing = sorted(parameters.keys() - theirs.keys())
    if unknown or missing or len(theirs) < len(given):
        raise CcaError(
            f"{title}: not the released model's names: {_some('unknown', unknown)}; {_some('missing', missing)}"
            + ("; two names for the same weight" if len(theirs) < len(given) else "")
        )
    with torch.no_grad():
        for mine, name in theirs.items():
            value, parameter = given[name], parameters[mine]
            if value.shape != parameter.shape:
                raise CcaError(f"{title}: {name}: shape {tuple(value.shape)}, not {tuple(parameter.shape)}")
            if not value.is_floating_point() or not value.isfinite().all():
                raise CcaError(f"{title}: {name}: values that are not finite numbers")
            if exact and mine.startswith("path.") and value.abs().max() >= WEIGHT_LIMIT:
                raise CcaError(f"{title}: {name}: values of {WEIGHT_LIMIT:g} or more, too large for exact arithmetic")
            parameter.copy_(value)
    codec.eval()
    codec.update(force=True)  # with the checkpoint's own quantiles
    return codec


def ours(name: str) -> str:
    """Our name of a parameter of the released model (its own name back where there is none)."""
    auxiliary = name.startswith("aux_entropymodel.")
    name = name.removeprefix("aux_entropymodel.")
    for pattern, replacement in NAMES:
        inside = {"{naf}": NAF, "{bottleneck}": BOTTLENECK}
        block = next((b for key, b in inside.items() if key in pattern), None)
        found = re.match(re.sub(r"\{\w+\}", "", pattern), name)
        if not found:
            continue
        rest = name[found.end() :]
        if block is not None:
            part = next((p for p in block if rest.startswith(p + ".")), None)
            rest = block[part] + rest[len(part) :] if part else rest
        name = found.expand(replacement) + rest
        break
    if name.startswith("contexts."):
        return ("auxiliary.groups." if auxiliary else "path.groups.") + name
    return f"auxiliary.{name}" if auxiliary else name


def _known_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without buffers, and with the entropy bottlenecks' parameters under CompressAI's present names."""
    for name in ("z_entropy_bottleneck", "aux_entropymodel.y_entropy_bottleneck"):
        state = remap_old_keys(name, state)
    return {name: value for name, value in state.items() if not BUFFERS.search(name)}


def _some(word: str, names: list[str]) -> str:
    listed = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return f"{len(names)} {word}" + (f" ({listed})" if names else "")


def _read(path: Path) -> dict:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CcaError(f"{path}: no such checkpoint") from error
    except Exception as error:  # torch raises many kinds for a damaged file, and for one that would run code
        raise CcaError(f"{path}: not a checkpoint of tensors, or damaged ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise CcaError(f"{path}: a dictionary is wanted, not {type(state).__name__}")
    return state
