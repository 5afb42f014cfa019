import json

import numpy as np
import pytest

from ccalib.errors import CcaError
from ccalib.lessons.phases import ALPHAS, LAMBDAS, VALLEYS, load_phases, opening_color, point
from ccalib.lessons.toy import arrows, count, scissors_angle


@pytest.fixture(scope="module")
def phases():
    return load_phases()


def test_the_stored_map_covers_its_axes(phases):
    assert (phases["alphas"], phases["lambdas"], tuple(phases["valleys"])) == (ALPHAS, LAMBDAS, VALLEYS)
    for row, lam in zip(phases["points"], LAMBDAS, strict=True):
        for p, alpha in zip(row, ALPHAS, strict=True):
            c = count(arrows(np.radians(p["angles"]), p["gains"]))
            lowest = min(j for j in p["j"] if j is not None)
            assert lowest == p["j"][VALLEYS.index(p["valley"])]
            assert c.cca(lam, alpha) == pytest.approx(lowest, abs=0.02 + 0.002 * lam)
            assert p["plain"] == pytest.approx(p["rate"] + lam * p["d"], abs=0.001 + 1e-5 * lam)


def test_one_point_again(phases):
    lam, alpha = 64.0, 0.25
    stored, again = phases["points"][LAMBDAS.index(lam)][ALPHAS.index(alpha)], point(lam, alpha)
    assert again["valley"] == stored["valley"] == "scissors"
    assert again["opening"] == pytest.approx(stored["opening"], abs=1.5)


def test_no_loss_no_scissors_and_more_of_it_closes_them(phases):
    for row in phases["points"]:
        assert row[0]["valley"] == "upright" or row[0]["opening"] > 89 or row[0]["rate"] < 1e-3 or row[0]["gain"] < 0.01
        lowest = [min(j for j in p["j"] if j is not None) for p in row]
        assert all(b <= a + 2e-3 for a, b in zip(lowest, lowest[1:]))  # the reward is never negative
        plain = [p["plain"] for p in row]
        assert min(plain) >= plain[0] - 2e-3  # and R + λD is never better than without


def test_at_a_fine_step_the_angle_is_that_of_theory(phases):
    row = phases["points"][-1]
    for alpha in (0.25, 0.5):
        assert row[ALPHAS.index(alpha)]["opening"] == pytest.approx(np.degrees(scissors_angle(alpha)), abs=3)


def test_a_missing_or_broken_map_says_what_to_do(tmp_path):
    with pytest.raises(CcaError, match="python -m ccalib.lessons.phases"):
        load_phases(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text(json.dumps({"alphas": [0, 0.5], "lambdas": [1], "points": [[{}]]}))
    with pytest.raises(CcaError, match="points"):
        load_phases(tmp_path / "cut.json")


def test_colors_run_from_blue_to_yellow():
    assert opening_color(0) == "#00224e" and opening_color(90) == "#fee838"
