import io
import math

import numpy as np
import pytest
from PIL import Image

from ccalib.errors import CcaError
from ccalib.lessons.phases import load_phases
from ccalib.lessons.toy import arrows, count
from ccalib.lessons.widgets import TwoScalars
from ccalib.lessons.widgets.toy import GAINS


def test_the_same_text_every_time_and_a_picture():
    one, other = TwoScalars((-25, 25), alpha=0.5), TwoScalars((-25, 25), alpha=0.5)
    assert repr(one) == repr(other) == "TwoScalars(ρ = 0.9, α = 0.5, λ = 50)"
    assert one.as_text() == other.as_text()
    assert Image.open(io.BytesIO(one.static_png())).width > 600


def test_the_sentence_and_the_table_are_those_of_the_count():
    toy = TwoScalars((-25, 25), (1.6, 1.6), alpha=0.5, lam=50.0)
    c = toy.counted
    assert f"= {c.rate:.2f} bits" in toy.sentence() and f"a gain of {c.gain:.2f}" in toy.sentence()
    row = next(row for row in toy.rows if row[0] == "scissors")
    assert row[4] == f"{c.gain:.2f}" and row[8] == f"{c.cca(50.0, 0.5):.2f}"
    assert next(row for row in toy.rows if row[0] == "copy")[2] == "0.00"


@pytest.mark.parametrize(("angles", "gains"), [((0, 90), (1.6, 1.6)), ((-25, 25), (1.6, 1.6)), ((0, 0), (0.4, 0.4))])
def test_the_dial_tells_the_rate_and_the_weighted_error(angles, gains):
    toy = TwoScalars(angles, gains, alpha=0.5, lam=20.0)
    c = toy.counted
    assert toy.plain == c.rate + 20.0 * c.d == pytest.approx(c.cca(20.0, 0.0))
    assert f"R + λD = {toy.plain:.2f} (the KLT's best: {toy.best:.2f})" in toy.sentence()
    row = next(row for row in TwoScalars(angles, gains, lam=20.0).rows if row[0] == "KLT")
    straight = count(arrows((0, math.pi / 2), gains))
    assert row[toy.columns.index("R + λD, λ = 20")] == f"{straight.rate + 20.0 * straight.d:.2f}"


@pytest.mark.parametrize("lam", [0.5, 2.0, 19.0, 50.0, 300.0, 1000.0])
def test_the_dial_starts_at_the_best_of_the_arrows_on_the_klt_axes(lam):
    toy = TwoScalars()
    toy.lam = lam
    tried = np.geomspace(*GAINS, 24)
    counts = [count(arrows((0, math.pi / 2), (first, second))) for first in tried for second in tried]
    assert 0 <= min(c.rate + lam * c.d for c in counts) - toy.best + 2e-3 < 0.06


def test_the_map_has_the_lowest_place_of_each_alpha_and_lambda():
    phases = load_phases()
    toy = TwoScalars(phases=phases)
    assert len(toy.map) == len(toy.alphas) * len(toy.lambdas)
    place, point = toy.map[2 * len(toy.alphas) + 3], phases["points"][2][3]
    assert place["j"] == min(j for j in point["j"] if j is not None) and place["valley"] == point["valley"]
    assert Image.open(io.BytesIO(toy.static_png())).height > Image.open(io.BytesIO(TwoScalars().static_png())).height
    assert TwoScalars().map == []


def test_moving_an_arrow_changes_what_is_counted():
    toy = TwoScalars()
    before = toy.counted.gain
    toy.angles = [45.0, 135.0]
    assert before == pytest.approx(0, abs=1e-6) and toy.counted.gain > 0.9


@pytest.mark.parametrize("wrong", [{"gains": (0.01, 1)}, {"alpha": 1.0}, {"lam": 0.0}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(CcaError, match="toy"):
        TwoScalars(**wrong)
