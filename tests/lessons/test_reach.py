"""What lesson 04 says about predictions: how far they read, and from which group."""

import numpy as np
import pytest
import torch

from ccalib.lessons.reach import extent, possible, side_of, sources


@pytest.fixture(scope="module")
def latent(codec):
    """ẑ and ŷ of a picture of 192×128 pixels, from noise."""
    torch.manual_seed(0)
    z_hat = torch.randn(1, codec.preset.hyper, 2, 3)
    return z_hat, [torch.randn(1, size, 8, 12) for size in codec.preset.sizes]


def test_extent():
    values = np.zeros((7, 9))
    assert extent(values) == (0, 0)
    values[2, 3] = 1
    assert extent(values) == (1, 1)
    values[4, 8] = -1
    assert extent(values) == (3, 6)


def test_side_holds_the_share():
    values = np.zeros((9, 9))
    values[4, 4], values[3, 5] = 3, 1
    assert [side_of(values, (4, 4), share) for share in (0.9, 0.91, 1.0)] == [1, 3, 3]
    assert side_of(values, (4, 3), 1.0) == 5 and side_of(np.ones((3, 4)), (0, 0), 1.0) == 7


def test_no_mean_reads_further_than_is_possible(codec, latent):
    """A change of everything outside the square moves nothing in its middle; inside, it does."""
    z_hat, decoded = latent
    context, hyper = codec.path.groups.contexts[1], codec.path.h_s(z_hat)
    reach = possible(context) // 2
    assert possible(context) == 7  # tiny: one block and a head of two convolutions
    outside = decoded[0] + 1
    outside[..., max(4 - reach, 0) : 5 + reach, 6 - reach : 7 + reach] -= 1
    edge = decoded[0].clone()
    edge[..., 4, 6 + reach] += 1
    before, far, near = (context(hyper, [d])[0][..., 4, 6] for d in (decoded[0], outside, edge))
    assert torch.allclose(before, far, atol=1e-5) and not torch.allclose(before, near, atol=1e-5)


def test_sources_are_the_jacobian_s(codec, latent):
    """Against the whole Jacobian of one group, on few positions; the first group has z alone."""
    z_hat, decoded = (latent[0][..., :1], [d[..., :4] for d in latent[1]])
    found = sources(codec.path, z_hat, decoded)
    assert [len(shares) for shares in found] == [1, 2, 3, 4, 5] and found[0] == [1]
    assert all(shares.sum() == pytest.approx(1) and (shares >= 0).all() for shares in found)
    path, context = codec.path, codec.path.groups.contexts[2]
    means = lambda first, second: context(path.h_s(z_hat), [first, second])[0].flatten()
    jacobians = torch.autograd.functional.jacobian(means, tuple(decoded[:2]))
    exact = []
    for jacobian, values in zip(jacobians, decoded):
        exact.append((jacobian.square().sum(0) * values.var(dim=(2, 3), keepdim=True)).sum().item())
    tries = np.mean([sources(path, z_hat, decoded, seed)[2] for seed in range(40)], axis=0)
    assert tries[1] / tries[2] == pytest.approx(exact[0] / exact[1], rel=0.2)
