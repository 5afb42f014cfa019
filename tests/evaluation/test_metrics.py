import math

import numpy as np
import pytest
from PIL import Image

from ccalib import CcaError
from ccalib.evaluation.metrics import bd_rate, ms_ssim, mse, psnr


def test_psnr_by_hand():
    a = Image.new("RGB", (4, 4), (10, 10, 10))
    b = Image.new("RGB", (4, 4), (10, 10, 40))
    assert mse(a, b) == 300 and psnr(a, b) == pytest.approx(10 * math.log10(65025 / 300))
    assert psnr(a, a) == math.inf
    with pytest.raises(CcaError):
        mse(a, Image.new("RGB", (4, 5)))


def test_ms_ssim(photos):
    a = Image.fromarray(np.ascontiguousarray(photos[0]))
    assert ms_ssim(a, a) == pytest.approx(1)
    assert ms_ssim(a, a.resize((96, 64)).resize(a.size)) < 0.95
    assert ms_ssim(a.resize((100, 100)), a.resize((100, 100))) is None


def test_bd_rate_of_a_scaled_curve_is_the_scale():
    anchor = [(0.1, 28), (0.2, 30), (0.4, 32.5), (0.8, 35), (1.2, 37)]
    result = bd_rate(anchor, [(0.8 * r, d) for r, d in anchor])
    assert result["percent"] == pytest.approx(-20) and (result["low"], result["high"]) == (28, 37)
    assert bd_rate(anchor, anchor)["percent"] == pytest.approx(0, abs=1e-9)


def test_bd_rate_refuses_what_it_cannot_compare():
    curve = [(0.1, 28), (0.2, 30), (0.4, 32.5), (0.8, 35)]
    with pytest.raises(CcaError, match="four"):
        bd_rate(curve, curve[:3])
    with pytest.raises(CcaError, match="share no quality"):
        bd_rate(curve, [(r, d + 20) for r, d in curve])
    for worse, why in (((1.2, math.inf), "finite"), ((0.0, 27), "above 0"), ((1.2, 35), "equal quality")):
        with pytest.raises(CcaError, match=why):
            bd_rate([*curve, worse], curve)
