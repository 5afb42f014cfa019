"""Convolutions as sums over their taps, a product of matrices for each: for 64-bit floats.

There torch writes out every patch that a convolution reads: nine times the input for 3×3. For large images that is
fresh memory each time, whose page faults took half the time of the entropy path. Here the positions of the padded
input lie in memory one after the other, so that what a tap reads is the same rows of one matrix, some further on.
The sums come in another order than torch's, which in exact arithmetic is the same.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

POSITIONS = 2048  # summed at a time, over all taps, so that they stay in the cache


def sum_taps(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """What a layer that `summed` takes gives. B×Ci×h×w → B×Co×sh×sw, s the stride of a transposed convolution, else 1.

    In memory the channels come last.
    """
    (batch, _, height, width), stride = x.shape, layer.stride[0]
    matrices = layer.weight.permute((2, 3, 0, 1) if layer.transposed else (2, 3, 1, 0)).contiguous()
    taps = [_taps(layer, phase) for phase in range(stride)]
    reach = max(abs(shift) for phase in taps for _, shift in phase)
    rows = F.pad(x.permute(0, 2, 3, 1), (0, 0, *4 * (reach,))).contiguous().view(-1, x.shape[1])
    wide = width + 2 * reach
    origin = reach * (wide + 1)
    image = (batch, height, width, len(layer.bias)), (len(rows) // batch * len(layer.bias), wide * len(layer.bias))
    out = None if stride == 1 else x.new_empty(batch, stride * height, stride * width, len(layer.bias))
    for top, left in itertools.product(range(stride), repeat=2):
        sums = layer.bias.repeat(len(rows) - 2 * origin, 1)  # what lies between the lines, too
        for start in range(0, len(sums), POSITIONS):
            part = sums[start : start + POSITIONS]
            for (i, down), (j, right) in itertools.product(taps[top], taps[left]):
                first = origin + start + down * wide + right
                part.addmm_(rows[first : first + len(part)], matrices[i, j])
        phase = sums.as_strided(image[0], (*image[1], sums.shape[1], 1))
        if out is None:
            return phase.permute(0, 3, 1, 2)
        out[:, top::stride, left::stride] = phase
    return out.permute(0, 3, 1, 2)


def _taps(layer: nn.Conv2d | nn.ConvTranspose2d, phase: int) -> list[tuple[int, int]]:
    """Of one dimension: the kernel's places that reach outputs s·i + phase, and where, from i, each reads."""
    size, padding, stride = layer.kernel_size[0], layer.padding[0], layer.stride[0]
    if not layer.transposed:
        return [(i, i - padding) for i in range(size)]
    return [(i, (phase + padding - i) // stride) for i in range(size) if (phase + padding - i) % stride == 0]


class _Conv(nn.Conv2d):
    forward = sum_taps


class _ConvTranspose(nn.ConvTranspose2d):
    forward = sum_taps


def summed(layer: nn.Module) -> None:
    """Let a convolution run as `sum_taps`, if it is one that it knows: square, with a bias, neither depthwise nor
    dilated, with as many outputs as inputs or, transposed, s² times as many. Others stay as they are."""
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) or layer.bias is None or layer.padding_mode != "zeros":
        return
    square = all(len(set(pair)) == 1 for pair in (layer.kernel_size, layer.stride, layer.padding))
    more = layer.kernel_size[0] + layer.output_padding[0] - 2 * layer.padding[0] if layer.transposed else 1
    same = layer.transposed or layer.kernel_size[0] == 2 * layer.padding[0] + 1
    if square and same and layer.groups == 1 and layer.dilation == (1, 1) and layer.stride == (more, more):
        layer.__class__ = _ConvTranspose if layer.transposed else _Conv
