"""Distortion of 8-bit RGB images, and BD-rate between curves."""

from __future__ import annotations

import math

import numpy as np
from bjontegaard import bd_rate as _bd_rate
from PIL import Image

from ccalib.errors import CcaError


def mse(original: Image.Image, decoded: Image.Image) -> float:
    """Mean squared error over all pixels and colours, on the 0…255 scale."""
    a, b = (np.asarray(i.convert("RGB"), dtype=np.float64) for i in (original, decoded))
    if a.shape != b.shape:
        raise CcaError(f"images of different sizes: {original.size} and {decoded.size}")
    return float(np.square(a - b).mean())


def psnr(original: Image.Image, decoded: Image.Image) -> float:
    """10 log₁₀(255² / MSE), in dB; infinite for equal images."""
    error = mse(original, decoded)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ms_ssim(original: Image.Image, decoded: Image.Image) -> float | None:
    """Multi-scale SSIM of RGB, 0…1 (Wang et al., 2003); None below 161 pixels a side, where it isn't defined."""
    from pytorch_msssim import ms_ssim as measure

    from ccalib.images import to_tensor

    if min(original.size) <= 160:
        return None
    return measure(to_tensor(original.convert("RGB")), to_tensor(decoded.convert("RGB")), data_range=1.0).item()


def bd_rate(anchor: list[tuple[float, float]], test: list[tuple[float, float]]) -> dict:
    """Mean difference in rate at equal quality: Bjøntegaard's measure by PCHIP, in percent; below 0 is better.

    Args:
        anchor, test: (rate, dB) points, at least four each.
    Returns:
        `percent`, and the overlap in dB that it is measured over, `low` and `high`.
    Raises:
        CcaError: too few points, no overlap, equal qualities, or rates or dB that are none (infinite).
    """
    curves = []
    for name, points in (("anchor", anchor), ("test", test)):
        rising = sorted(points, key=lambda p: p[1])
        if len(rising) < 4:
            raise CcaError(f"BD-rate: {name}: {len(rising)} points; at least four are needed")
        if not all(0 < p[0] < math.inf and math.isfinite(p[1]) for p in rising):
            raise CcaError(f"BD-rate: {name}: rates have to be above 0, and dB finite (an image without any error?)")
        if len({p[1] for p in rising}) < len(rising):
            raise CcaError(f"BD-rate: {name}: two points of equal quality")
        curves.append(([p[0] for p in rising], [p[1] for p in rising]))
    (rate_a, db_a), (rate_t, db_t) = curves
    low, high = max(db_a[0], db_t[0]), min(db_a[-1], db_t[-1])
    if low >= high:
        raise CcaError(
            f"BD-rate: the curves share no quality ({db_a[0]:.1f}–{db_a[-1]:.1f}, {db_t[0]:.1f}–{db_t[-1]:.1f} dB)"
        )
    percent = _bd_rate(rate_a, db_a, rate_t, db_t, method="pchip", require_matching_points=False, min_overlap=0)
    return {"percent": float(percent), "low": low, "high": high}
