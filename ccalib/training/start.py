"""Initial weights: the same seed gives the same values wherever names and shapes match."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from ccalib import weights
from ccalib.errors import CcaError
from ccalib.model.borrowed import EntropyBottleneck
from ccalib.model.codec import Codec
from ccalib.model.entropy import SCALE_MIN
from ccalib.model.hyper import BLOCK
from ccalib.model.presets import Preset
from ccalib.model.transforms import PATCH, high_rate_gain, klt
from ccalib.training.data import Photos, patches

PATCHES, BLOCKS = 50_000, 6_000  # of 16×16 and of 64×64 pixels: what the two KLTs are computed from
HYPER_SHARE = 0.4  # of the second KLT's components start in z
HYPER_STEP = 3.5  # step Δ of z over the deviation σ that z leaves: minimizes −log₂Δ + 8 log₂(1 + Δ²/192σ²) bits a block
SMALL_START = 0.1  # the network's last layers, beside the linear path


def hush(*layers: nn.Module) -> None:
    """Let a network's last layers give little at first: weights times SMALL_START, no biases."""
    for layer in layers:
        layer.weight.mul_(SMALL_START)
        layer.bias.zero_()


def seeded(module: nn.Module, seed: int) -> None:
    """Draw each layer's initial values from the seed and the layer's name."""
    for name, layer in module.named_modules():
        torch.manual_seed((zlib.crc32(name.encode()) + 1_000_003 * seed) % 2**32)  # torch uses 32 bits of a seed
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
        elif isinstance(layer, EntropyBottleneck):  # its only random values
            for bias in layer.biases:
                nn.init.uniform_(bias, -0.5, 0.5)


@torch.no_grad()
def new_codec(preset: Preset, photos: Photos | None, seed: int) -> Codec:
    """A codec to train: seeded, and with the KLT shortcut started on patches of the photographs.

    Raises:
        CcaError: a KLT beside contexts that are split.
    """
    if photos is not None and preset.split_context and preset.klt:
        raise CcaError(f"preset {preset.name}: a KLT has no start beside split_context; train it with klt=false")
    torch.manual_seed(seed)
    codec = Codec(preset)
    seeded(codec, seed)
    if codec.klt is None or photos is None:
        return codec
    gain = high_rate_gain(preset.reference_lambda)
    basis, mean, variances = klt(patches(photos, PATCHES, seed), preset.latent)
    codec.klt.start(basis, mean, gain)
    hush(codec.g_a.down[-1], codec.g_s.up[-1])
    # scales start at the channels' own standard deviations instead of at 1
    deviations = gain * variances[: preset.latent].sqrt()
    if codec.hyper_klt is not None:
        deviations[: preset.sizes[0]] = _start_hyper(codec, patches(photos, BLOCKS, seed, PATCH * BLOCK))
    deviations = deviations.clamp(min=SCALE_MIN)
    for context, group in zip(codec.path.groups.contexts, deviations.split(preset.sizes), strict=True):
        context.head[-1].bias[len(group) :] = torch.tensor([math.log(d) for d in group.tolist()])
    return codec


@torch.no_grad()
def start_auxiliary(codec: Codec, seed: int) -> None:
    """Seed the auxiliary model. Its heads take the main model's constants, or its first gaps would be no gains."""
    seeded(codec.auxiliary, seed)
    for own, main in zip(codec.auxiliary.groups.contexts, codec.path.groups.contexts, strict=True):
        for name in {"head", "mean_head", "scale_head"} & dict(main.named_children()).keys():
            getattr(own, name)[-1].bias.copy_(getattr(main, name)[-1].bias)


def from_weights(path: Path, settings: dict) -> dict:
    """A checkpoint out of finished weights, at their last step: no optimizer's state, an average that begins anew.

    Args:
        settings: of the run that goes on from here; its loss counts as plain, since files hold no auxiliary model.
    Raises:
        CcaError: not found, damaged, or not ccalib weights.
    """
    finished = weights.load(path)
    card = json.loads(weights.metadata(path).get("card", "{}"))
    codec = Codec(finished.preset)
    stored = dict(finished.named_parameters())
    with torch.no_grad():
        for name, parameter in codec.named_parameters():
            parameter.copy_(stored[name])
    return {
        "preset": codec.preset.to_json(), "settings": settings | {"loss": "plain"}, "plan": None, "minutes": None,
        "decay_only": False, "step": card.get("steps", 0), "seconds": 60 * card.get("minutes", 0.0), "optimizers": {},
        "objective": {f"codec.{name}": value for name, value in codec.state_dict().items()},
        "average": AveragedModel(codec).state_dict(),
    }  # fmt: skip


def freeze_analysis(codec: Codec) -> None:
    """From here on training leaves y and z as they are, and rates are those of the rounded latents, as in a file: what
    a decoder has learns the symbols that it will get."""
    codec.frozen = True
    for part in (codec.g_a, codec.klt and codec.klt.analysis, codec.h_a, codec.hyper_klt):
        if part is not None:
            part.requires_grad_(False)
    if codec.gains is not None:
        codec.gains.log_gain.requires_grad_(False)


def start_linear(codec: Codec, rows: Tensor) -> Tensor:
    """The linear path into z and back, as leading principal components.

    Args:
        rows: n×(first·4·4), 4×4 blocks of the first group.
    Returns:
        means of the first group's channels.
    """
    first = codec.hyper_klt.size
    kept = min(round(HYPER_SHARE * rows.shape[1]), codec.preset.hyper)
    basis, mean, variances = klt(rows, kept)
    step = HYPER_STEP * (variances[kept:].sum() / rows.shape[1]).sqrt()
    channel_mean = mean.view(first, -1).mean(dim=1)
    analysis, synthesis = codec.hyper_klt.analysis, codec.path.h_s.linear
    for layer in (analysis, synthesis):
        layer.weight.zero_()
    analysis.weight[:kept] = (basis / step).view(kept, first, BLOCK, BLOCK)
    analysis.bias.zero_()
    analysis.bias[:kept] = -(basis / step) @ channel_mean.repeat_interleave(BLOCK**2)
    synthesis.weight[:kept] = (basis * step).view(kept, first, BLOCK, BLOCK)
    synthesis.bias.copy_(channel_mean)
    return channel_mean


def _start_hyper(codec: Codec, blocks: Tensor) -> Tensor:
    """Start z as leading principal components of the first group's 4×4 blocks, and their inverse as its means.

    Args:
        blocks: n×(3·64·64) pixels.
    Returns:
        standard deviations of the first group's channels around those means.
    """
    first = codec.hyper_klt.size
    weight, bias = codec.klt.analysis.weight[:first], codec.klt.analysis.bias[:first]
    y = F.conv2d(blocks.view(-1, 3, PATCH * BLOCK, PATCH * BLOCK), weight, bias, stride=PATCH)  # n×first×4×4
    start_linear(codec, y.reshape(len(y), -1))
    hush(codec.h_a[-1], codec.path.h_s.mean[-1], codec.path.groups.contexts[0].head[-1])
    left = y - codec.path.h_s.linear(torch.round(codec.hyper_klt.analysis(y)))
    return left.std(dim=(0, 2, 3))
