import math

import numpy as np
import pytest
from scipy.special import ndtr

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


def slowly(a: np.ndarray) -> tuple[float, float, float]:
    """Rate, gain and d, with nodes so close to each other everywhere that nothing depends on where they are."""
    s = a @ SOURCE @ a.T
    s1, slope = math.sqrt(s[0, 0]), s[0, 1] / s[0, 0]
    spread = math.sqrt(np.linalg.det(s)) / s1
    reach, n1, n2 = 6.5 * s1, math.ceil(6.5 * s1), math.ceil(6.5 * math.sqrt(s[1, 1]))
    edges, step = np.arange(-n2, n2 + 2) - 0.5, min(s1, spread / abs(slope)) / 3
    nodes, weights = np.polynomial.legendre.leggauss(6)
    p, m1, m2 = np.zeros((3, 2 * n1 + 1, 2 * n2 + 1))
    for k in range(-n1, n1 + 1):
        low, high = max(k - 0.5, -reach), min(k + 0.5, reach)
        if low >= high:
            continue
        bounds = np.linspace(low, high, math.ceil((high - low) / step) + 1)
        half = np.diff(bounds)[:, None] / 2
        y1 = (bounds[:-1, None] + half * (1 + nodes)).ravel()
        mass = (half * weights).ravel() * np.exp(-0.5 * (y1 / s1) ** 2) / (s1 * math.sqrt(2 * math.pi))
        z = (edges - slope * y1[:, None]) / spread
        inside, bell = np.diff(ndtr(z)), np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        p[k + n1], m1[k + n1] = mass @ inside, mass * y1 @ inside
        m2[k + n1] = mass * slope * y1 @ inside - spread * np.diff(mass @ bell)
    x_hat = np.einsum("xy,yij->xij", np.linalg.inv(a), [m1, m2])[:, p > 1e-12] / p[p > 1e-12]
    rate = entropy(p.ravel())
    return rate, entropy(p.sum(axis=0)) + entropy(p.sum(axis=1)) - rate, 1 - (x_hat**2 * p[p > 1e-12]).sum() / 2


@pytest.mark.parametrize(
    ("apart", "first", "second"),
    [
        ((0.1, 3.0), (0.3, 3), (0.3, 3)),
        ((0.1, 3.0), (0.02, 0.2), (0.3, 3)),
        ((0.1, 3.0), (0.3, 3), (0.02, 0.2)),
        ((0.1, 3.0), (0.02, 0.2), (0.02, 0.2)),
        ((0.005, 0.1), (0.3, 3), (0.3, 3)),
        ((0.005, 0.1), (0.02, 0.2), (0.3, 3)),
        ((0.005, 0.1), (0.3, 3), (0.02, 0.2)),
        ((0.2, 0.5), (8, 12), (2, 12)),
    ],
)
def test_the_count_is_exact(apart, first, second):
    draw = np.random.default_rng(0)
    for _ in range(8):
        turn, opening = draw.uniform(0, math.pi), np.exp(draw.uniform(*np.log(apart)))
        gains = [np.exp(draw.uniform(*np.log(between))) for between in (first, second)]
        a = arrows((turn, turn + opening), gains)
        c = count(a)
        assert (c.rate, c.gain, c.d) == pytest.approx(slowly(a), rel=0, abs=1e-5), (turn, opening, gains)


def test_the_worst_that_was_found():
    c = count(np.array([[0.0245, 0.0307], [1.313, 1.648]]))  # 12 nodes in each cell of the first: 1.48 bits
    assert (c.rate, c.gain, c.d) == pytest.approx((3.58384, 0, 0.060004), rel=0, abs=1e-5)  # `slowly`, in 10 s


@pytest.mark.parametrize(("first", "second"), [(0.4, 0.4), (5, 5), (0.7, 1.1), (1.6, 0.05), (0.05, 4), (0.02, 20)])
def test_the_rates_of_copies_are_those_of_intervals(first, second):
    c = count(arrows((0.3, 0.3), (first, second)))
    sigma = math.sqrt(1.9 * math.cos(0.3) ** 2 + 0.1 * math.sin(0.3) ** 2)
    one, other = ((np.arange(-400, 400) + 0.5) / gain / sigma for gain in (first, second))
    both = np.unique(np.concatenate([one, other]).round(12))
    for counted, bounds in ((c.r1, one), (c.r2, other), (c.rate, both)):
        assert counted == pytest.approx(entropy(np.diff(ndtr(bounds))), abs=1e-5)


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
