import torch
from hypothesis import given
from hypothesis import strategies as st

from ccalib.model.layers import ChannelNorm, NAFBlock, ResidualBottleneck, down, ste_round, up


@given(st.floats(-1e6, 1e6))
def test_straight_through_rounding(value):
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    y = ste_round(x)
    y.backward()
    assert y.item() == torch.round(x).item()
    assert x.grad.item() == 1


def test_naf_block_starts_as_the_identity():
    x = torch.randn(2, 8, 5, 7)
    assert torch.equal(NAFBlock(8)(x), x)


def test_attention_is_what_makes_a_block_global():
    for attention in (True, False):
        torch.manual_seed(0)
        block = NAFBlock(8, attention)
        with torch.no_grad():
            block.beta.fill_(1.0)
        x = torch.randn(1, 8, 16, 16)
        moved = x.clone()
        moved[..., 15, 15] = torch.randn(8)  # adding the same to all channels would vanish in the norm
        assert torch.equal(block(x)[..., 0, 0], block(moved)[..., 0, 0]) is not attention


def test_channel_norm_normalizes_each_position():
    y = ChannelNorm(32)(3 + 5 * torch.randn(2, 32, 4, 4))
    assert torch.allclose(y.mean(dim=1), torch.zeros(2, 4, 4), atol=1e-5)
    assert torch.allclose(y.std(dim=1, unbiased=False), torch.ones(2, 4, 4), atol=1e-3)


def test_shapes():
    x = torch.randn(1, 4, 16, 24)
    assert ResidualBottleneck(4)(x).shape == x.shape
    assert down(4, 6)(x).shape == (1, 6, 8, 12)
    assert up(4, 6)(x).shape == (1, 6, 32, 48)
