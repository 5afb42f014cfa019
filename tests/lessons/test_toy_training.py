import numpy as np
import pytest

from ccalib.errors import CcaError
from ccalib.lessons.toy import arrows, count
from ccalib.lessons.toy_training import FLOOR, train

LAM = 50.0


@pytest.fixture(scope="module")
def paths():
    return {alpha: train(alpha, LAM, seeds=3, steps=500) for alpha in (0.0, 0.5)}


def test_the_same_call_gives_the_same_paths(paths):
    again = train(0.0, LAM, seeds=3, steps=500)
    assert all(np.array_equal(a.a, b.a) for a, b in zip(again, paths[0.0], strict=True))


def test_plain_stops_in_a_flat_valley_and_honest_closes_its_arrows(paths):
    plain, honest = ([p.exact() for p in paths[alpha]] for alpha in (0.0, 0.5))
    costs = [c.rate + LAM * c.d for c in plain]
    assert max(costs) - min(costs) < 0.01  # any angle near the KLT is as good
    assert np.ptp([c.gain for c in plain]) > 0.05  # and the gains differ
    assert all(p.opening() > 80 for p in paths[0.0]) and all(p.opening() < 60 for p in paths[0.5])
    assert min(c.gain for c in honest) > max(c.gain for c in plain) + 1
    assert min(c.rate for c in honest) > max(c.rate for c in plain) + 0.05  # the gain was not free


def test_trained_models_agree_with_the_exact_count(paths):
    for path in (*paths[0.0], *paths[0.5]):
        exact = path.exact()
        assert path.gap[-1] == pytest.approx(exact.gain, abs=0.1)
        assert path.r1[-1] + path.r2_given_1[-1] == pytest.approx(exact.rate, abs=0.1)


def test_the_honest_end_is_where_the_exact_loss_is_smallest(paths):
    def best(half):
        a = (arrows((-half, half), (gain, gain)) for gain in np.linspace(1.2, 2.4, 25))
        return min(count(one).cca(LAM, 0.5) for one in a)

    reached = np.mean([p.exact().cca(LAM, 0.5) for p in paths[0.5]])
    assert reached <= min(best(np.radians(half)) for half in (12, 18, 24, 30, 36, 45)) + 0.01


def test_the_released_loss_drives_its_auxiliary_model_to_the_floor_and_leaves_a_plain_codec(paths):
    floor = -np.log2(FLOOR)
    for path in train(0.0, LAM, seeds=2, steps=1500, beta=1.0):
        exact, plain = path.exact(), paths[0.0][0].exact()
        assert path.gap[0] < 1 and 1.5 * floor < path.gap[-1] < 2 * floor
        assert path.opening() > 75
        assert exact.rate + LAM * exact.d == pytest.approx(plain.rate + LAM * plain.d, abs=0.05)


def test_alpha_of_one_is_refused():
    with pytest.raises(CcaError, match="alpha"):
        train(1.0, LAM)
