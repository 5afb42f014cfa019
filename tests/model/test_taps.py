import pytest
import torch
from torch import nn

from ccalib.model import taps
from ccalib.model.exact import ACTIVATION_STEP, WEIGHT_STEP, snap
from ccalib.model.hyper import BLOCK
from ccalib.model.layers import channels_last, down, up

KNOWN = {
    "3x3": lambda: nn.Conv2d(6, 9, 3, padding=1),
    "1x1": lambda: nn.Conv2d(6, 9, 1),
    "up": lambda: up(6, 9),
    "linear": lambda: nn.ConvTranspose2d(6, 9, BLOCK, stride=BLOCK),
    "transposed 3x3": lambda: nn.ConvTranspose2d(6, 9, 3, padding=1),
}
OTHERS = {
    "depthwise": lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6),
    "down": lambda: down(6, 9),
    "smaller": lambda: nn.Conv2d(6, 9, 3),
    "smaller transposed": lambda: nn.ConvTranspose2d(6, 9, 3, stride=2),
    "dilated": lambda: nn.Conv2d(6, 9, 3, padding=1, dilation=2),
    "oblong": lambda: nn.Conv2d(6, 9, (3, 1), padding=1),
    "mirrored": lambda: nn.Conv2d(6, 9, 3, padding=1, padding_mode="reflect"),
    "without bias": lambda: nn.Conv2d(6, 9, 3, padding=1, bias=False),
}


def exact(layer: nn.Module) -> nn.Module:
    layer.double().requires_grad_(False)
    for p in layer.parameters():
        p.copy_(snap(p, WEIGHT_STEP))
    return layer


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (1, 1, 40), (1, 70, 60), (3, 33, 31)])
def test_bit_equal_to_torchs_own(kind, shape, monkeypatch):
    """Whatever the size, the layout, and how many positions are summed at a time."""
    torch.manual_seed(0)
    layer, (batch, height, width) = exact(KNOWN[kind]()), shape
    x = snap(8 * torch.randn(batch, 6, height, width, dtype=torch.float64), ACTIVATION_STEP)
    wanted = layer(x)
    taps.summed(layer)
    assert type(layer).forward is taps.sum_taps
    for positions in (taps.POSITIONS, 7):
        monkeypatch.setattr(taps, "POSITIONS", positions)
        assert torch.equal(layer(x), wanted) and torch.equal(layer(channels_last(x)), wanted)
    assert wanted.std() > 0


@pytest.mark.parametrize("kind", OTHERS)
def test_other_layers_stay_as_they_are(kind):
    layer = exact(OTHERS[kind]())
    taps.summed(layer)
    assert type(layer) in (nn.Conv2d, nn.ConvTranspose2d)
