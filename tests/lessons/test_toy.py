import math

import numpy as np
import pytest

from ccalib.errors import CcaError
from ccalib.lessons.toy import (
    SOURCE,
    arrows,
    count,
    entropy,
    rotation_gain,
    scissors_angle,
    scissors_cost,
    scissors_gain,
    variances,
)

RIGHT = math.pi / 2


def rotated(degrees: float, step: float):
    phi = math.radians(degrees)
    return count(arrows((phi, phi + RIGHT), (1 / step, 1 / step)))


def test_rates_are_those_of_the_table():
    c = rotated(20, 0.7)
    assert c.p.sum() == pytest.approx(1)
    assert c.rate == pytest.approx(entropy(c.p.ravel()))
    assert c.gain == pytest.approx(c.r1 + c.r2 - entropy(c.p.ravel()))


def test_the_count_agrees_with_drawing_at_random():
    a = arrows((0.3, 1.4), (1.1, 0.6))
    c = count(a)
    x = np.random.default_rng(0).multivariate_normal([0, 0], SOURCE, 400_000)
    y = np.round(x @ a.T).astype(int)
    cells, index = np.unique(y, axis=0, return_inverse=True)
    drawn = {tuple(cell): share for cell, share in zip(cells, np.bincount(index) / len(y), strict=True)}
    table = {(i, j): c.p[m, n] for m, i in enumerate(c.first) for n, j in enumerate(c.second)}
    assert max(abs(table[cell] - share) for cell, share in drawn.items()) < 0.003
    means = np.stack([np.bincount(index, x[:, k]) / np.bincount(index) for k in (0, 1)], axis=1)
    assert c.d == pytest.approx(((x - means[index]) ** 2).mean(), rel=0.01)


def test_rotation_at_a_fine_step_costs_nothing_and_saves_nothing():
    start, end = rotated(0, 0.3), rotated(45, 0.3)
    assert start.gain == pytest.approx(0, abs=1e-9) and end.gain == pytest.approx(1.15, abs=0.005)
    assert end.rate == pytest.approx(start.rate, abs=0.002) and end.d == pytest.approx(start.d, rel=0.01)
    assert rotated(45, 0.05).gain == pytest.approx(rotation_gain(RIGHT / 2), abs=0.003)
    assert rotation_gain(RIGHT / 2) == pytest.approx(1.198, abs=5e-4)


def test_rotation_at_a_coarse_step_loses_bits():
    start, end = rotated(0, 1.5), rotated(45, 1.5)
    assert (round(start.rate, 2), round(end.rate, 2)) == (2.14, 2.53)
    assert end.d == pytest.approx(start.d, rel=0.06)


@pytest.mark.parametrize(
    ("alpha", "degrees", "bits"), [(0, 90, 0), (0.25, 76, 0.04), (0.5, 61, 0.19), (0.75, 42, 0.57), (0.9, 27, 1.16)]
)
def test_scissors(alpha, degrees, bits):
    delta = scissors_angle(alpha)
    assert round(math.degrees(delta)) == degrees and round(scissors_cost(delta), 2) == pytest.approx(bits)
    # counted: at gains that keep the distortion (cells of equal area and errors of equal size) the file costs that much
    step = 0.04
    gain = 1 / step / math.sin(delta)
    wide, narrow = count(arrows((-RIGHT / 2, RIGHT / 2), (1 / step, 1 / step))), count(
        arrows((-delta / 2, delta / 2), (gain, gain))
    )
    assert narrow.d == pytest.approx(wide.d, rel=0.02)
    assert narrow.rate - wide.rate == pytest.approx(scissors_cost(delta), abs=0.01)
    assert narrow.gain == pytest.approx(scissors_gain(delta), abs=0.01)
    if alpha:  # the smallest of rate − α·gain among the angles

        def loss(angle):
            return scissors_cost(angle) - alpha * scissors_gain(angle)

        assert loss(delta) <= min(loss(delta - 0.01), loss(delta + 0.01))


def test_they_close_as_alpha_goes_to_one():
    assert scissors_angle(1.0) == 0
    assert scissors_angle(0.999) < 0.1


def test_a_copy_is_free_and_buys_nothing():
    one = count(arrows((0, RIGHT), (0.4, 1e-3)))  # the second channel is dead
    copy = count(arrows((0, 0), (0.4, 0.4)))
    assert copy.rate == pytest.approx(one.rate, abs=1e-3) and copy.d == pytest.approx(one.d, rel=1e-3)
    assert one.gain == pytest.approx(0, abs=1e-6) and copy.gain == pytest.approx(copy.r1, abs=1e-3)
    assert copy.cca(1.0, 0.5) == pytest.approx(one.cca(1.0, 0.5) - 0.5 * copy.r1, abs=2e-3)


def test_klt_variances():
    assert variances() == pytest.approx((1.9, 0.1))


@pytest.mark.parametrize("a", [np.ones((3, 2)), [[1, 0], [0, 0]], [[np.nan, 0], [0, 1]]])
def test_what_cannot_be_counted_is_refused(a):
    with pytest.raises(CcaError, match="toy"):
        count(np.array(a))
