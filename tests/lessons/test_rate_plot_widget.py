"""The RD plot: what it carries, its BD-rates, and the same text each time."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ccalib.errors import CcaError
from ccalib.evaluation.metrics import bd_rate
from ccalib.lessons.widgets import RatePlot, module_text
from ccalib.lessons.widgets.rate_plot import ms_ssim_db, signed

RESULT = json.loads((Path(__file__).parents[2] / "data" / "results" / "kodak.json").read_text())


@pytest.fixture
def plot():
    return RatePlot(RESULT, anchor="jpeg")


def points(name):
    return [(p["bpp"], p["psnr"]) for p in RESULT["curves"][name]]


def test_the_same_each_time_and_no_digits_in_repr(plot):
    other = RatePlot(RESULT, anchor="jpeg")
    assert repr(plot) == repr(other) and not re.search(r"\d\.\d", repr(plot)) and "run here" in repr(plot)
    assert plot.static_png() == other.static_png() and plot.as_text() == other.as_text()
    assert Image.open(io.BytesIO(plot.static_png())).width > 600
    assert plot._esm == module_text("rate_plot_bd.js", "rate_plot.js")
    assert not re.search(r"https?://(?!www\.w3)", plot._esm)


def test_live_and_sourced_are_told_apart(plot):
    for one in plot.curves:
        live = one["name"] in RESULT["curves"]
        assert one["kind"] == ("live" if live else "sourced") and bool(one["marker"]) == live == (not one["dash"])
        assert one["source"] and len(one["settings"]) == len(one["bpp"]) == len(one["psnr"])
        assert len(one["ms_ssim"]) == (len(one["bpp"]) if live else 0)
    assert {"live", "sourced"} == {one["kind"] for one in plot.curves}
    assert [one["name"] for one in plot.curves[: len(RESULT["curves"])]] == list(RESULT["curves"])


def test_bd_rates_are_the_packages(plot):
    names = [one["name"] for one in plot.curves]
    wanted = bd_rate(points("jpeg"), points("webp"))
    assert plot.bd(names.index("webp")) == wanted
    row = plot.rows[names.index("webp")]
    assert row[5:] == [signed(wanted["percent"]), f"{wanted['low']:.1f}–{wanted['high']:.1f}"]
    assert plot.rows[names.index("jpeg")][5] == "anchor" and plot.bd(names.index("jpeg")) is None
    plot.anchor = names.index("avif")
    assert plot.rows[names.index("avif")][5] == "anchor"
    assert plot.rows[names.index("jpeg")][5] == signed(bd_rate(points("avif"), points("jpeg"))["percent"])
    plot.metric = "ms_ssim"
    assert plot.rows[-1][5] == "–" and "over" in plot.sentence()
    plot.anchor = -1
    assert plot.bd(0) is None and "BD-rate" not in plot.sentence()
    assert RatePlot(RESULT).sentence() in RatePlot(RESULT, anchor="jpeg").sentence()


def test_another_set_has_no_curves_of_the_literature():
    other = RESULT | {"images": {"a.png": "0" * 64}, "set": "mine"}
    assert {one["kind"] for one in RatePlot(other).curves} == {"live"}


def test_what_it_cannot_show_is_refused():
    with pytest.raises(CcaError, match="no curve 'gif'"):
        RatePlot(RESULT, anchor="gif")
    with pytest.raises(CcaError, match="not results"):
        RatePlot({"curves": {}})


def test_numbers_in_words():
    assert signed(-12.34) == "−12.3 %" and signed(3) == "+3.0 %"
    assert np.isclose(ms_ssim_db(0.99), 20)


def test_a_little_below_zero_has_no_sign_of_its_own():
    said = [signed(v) for v in (-12.34, -0.06, -0.034, 0.0, 0.05001)]
    assert said == ["−12.3 %", "−0.1 %", "+0.0 %", "+0.0 %", "+0.1 %"]
