"""Initial weights: the same seed gives the same values wherever names and shapes match."""

from __future__ import annotations

import math
import zlib

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import nn

from ccalib.model.codec import Codec
from ccalib.model.entropy import SCALE_MIN
from ccalib.model.presets import Preset
from ccalib.model.transforms import high_rate_gain, klt
from ccalib.training.data import Photos, patches

PATCHES = 50_000
SMALL_START = 0.1  # the network's last layers, beside the linear path


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
    """A codec to train: seeded, and with the KLT shortcut started on patches of the photographs (DESIGN 2)."""
    torch.manual_seed(seed)
    codec = Codec(preset)
    seeded(codec, seed)
    if codec.klt is None or photos is None:
        return codec
    gain = high_rate_gain(preset.reference_lambda)
    basis, mean, variances = klt(patches(photos, PATCHES, seed), preset.latent)
    codec.klt.start(basis, mean, gain)
    for convolution in (codec.g_a.down[-1], codec.g_s.up[-1]):
        convolution.weight.mul_(SMALL_START)
        convolution.bias.zero_()
    # scales start at the channels' own standard deviations instead of at 1
    deviations = (gain * variances[: preset.latent].sqrt()).clamp(min=SCALE_MIN)
    for context, group in zip(codec.path.groups.contexts, deviations.split(preset.sizes), strict=True):
        context.head[-1].bias[len(group) :] = torch.tensor([math.log(d) for d in group.tolist()])
    return codec
