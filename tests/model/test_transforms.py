import math

import torch

from ccalib.model.presets import TINY
from ccalib.model.transforms import KLTShortcut, high_rate_gain, klt
from ccalib.training.data import patches


def test_klt_properties(photos):
    p = patches(photos, 3000, seed=0)
    basis, mean, values = klt(p, 40)
    assert torch.allclose(basis @ basis.T, torch.eye(40), atol=1e-4)
    coefficients = (p - mean) @ basis.T
    covariance = coefficients.T @ coefficients / len(p)
    assert torch.allclose(covariance, torch.diag(values[:40]), atol=1e-3 * values[0].item())
    assert (values[1:] <= values[:-1] + 1e-9).all()
    error = ((coefficients @ basis + mean - p) ** 2).sum(dim=1).mean()
    assert math.isclose(error.item(), values[40:].sum().item(), rel_tol=1e-3)


def test_shortcut_inverts_what_it_keeps(photos):
    basis, mean, _ = klt(patches(photos, 3000, seed=0), 768)
    shortcut = KLTShortcut(768)
    shortcut.start(basis, mean, gain=3.0)
    x = torch.from_numpy(photos[0][:64, :96].copy()).permute(2, 0, 1)[None].float() / 255
    assert torch.allclose(shortcut.inverse(shortcut(x)), x, atol=1e-3)


def test_decoding_is_linear_in_the_shortcut():
    torch.manual_seed(0)
    shortcut = KLTShortcut(TINY.latent)
    a, b = torch.randn(2, 1, TINY.latent, 2, 3)
    zero = shortcut.inverse(torch.zeros_like(a))
    both = shortcut.inverse(a + b) - zero
    assert torch.allclose(both, shortcut.inverse(a) + shortcut.inverse(b) - 2 * zero, atol=1e-5)


def test_high_rate_gain_minimizes_rate_plus_distortion():
    lam = 0.013

    def cost(gain: float) -> float:  # bits per coefficient up to a constant, and λ times uniform error on 0…255
        return math.log2(gain) + lam * 255**2 / 3 / (12 * gain**2)

    best = high_rate_gain(lam)
    assert cost(best) < min(cost(best * 1.01), cost(best / 1.01))
