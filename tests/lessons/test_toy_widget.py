import io

import pytest
from PIL import Image

from ccalib.errors import CcaError
from ccalib.lessons.phases import load_phases
from ccalib.lessons.widgets import TwoScalars


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
    assert row[4] == f"{c.gain:.2f}" and row[7] == f"{c.cca(50.0, 0.5):.2f}"
    assert next(row for row in toy.rows if row[0] == "copy")[2] == "0.00"


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
