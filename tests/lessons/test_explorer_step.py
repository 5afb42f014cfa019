"""The widgets of lessons 01 and 02: what they carry, what they say, what selecting does."""

import base64
import io
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from ccalib.errors import CcaError
from ccalib.images import pad, to_tensor
from ccalib.lessons.painting import inside, painted, visible
from ccalib.lessons.widgets.base import module_text
from ccalib.lessons.widgets.explorer import LEAST, Explorer
from ccalib.lessons.widgets.step import StepChooser, quantized

QUALITY = torch.tensor([3.0])
PLACES = {"here": (5, 4), "corner": (0, 0)}


@pytest.fixture(scope="module")
def y_hat(codec, picture):
    with torch.inference_mode():
        return torch.round(codec.analyze(pad(to_tensor(picture), 64), QUALITY))


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).laplace(0, 80, 3000)


@pytest.fixture(scope="module")
def make(codec, picture, y_hat, values):
    return {
        "explorer": lambda: Explorer(codec, picture, y_hat, QUALITY, PLACES, [0, 3, 50]),
        "step": lambda: StepChooser(values, [0.001, 0.01], [8.0, 20.0, 50.0, 120.0, 300.0]),
    }


@pytest.mark.parametrize("name", ["explorer", "step"])
def test_stands_alone_and_looks_the_same_each_time(make, name):
    one, two = make[name](), make[name]()
    assert repr(one) == repr(two) and len(repr(one)) < 200 and one.static_png() == two.static_png()
    bundle, metadata = one._repr_mimebundle_()
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert 300 < still.width <= 800 and np.asarray(still.convert("L")).std() > 5
    assert len(bundle["image/png"]) < 200_000 and metadata["image/png"]["alt"]
    assert one._esm == module_text(f"{name}.js")
    assert not re.search(r"^\s*import\s|https?://(?!www\.w3\.org)", one._esm, re.MULTILINE)
    for trait in ("selected",):
        seen = []
        one.observe(lambda change, seen=seen: seen.append(change.new), trait)
        one.set_state({trait: 1})
        assert seen == [1] and trait in one.keys


def test_explorer_carries_every_stroke(make, codec, y_hat):
    widget = make["explorer"]()
    assert len(widget.images) == 1 + 2 * len(PLACES) and len(widget.sentences) == 2 * len(PLACES) * 3
    for place, cell in enumerate(PLACES.values()):
        for alone in (False, True):
            strokes, corner = painted(codec, y_hat, QUALITY, cell, [0, 3, 50], alone=alone)
            assert tuple(widget.corners[place]) == corner
            for i, (tile, stroke) in enumerate(zip(widget.sheet(place, alone), strokes)):
                assert np.array_equal(tile, visible(stroke, LEAST))
                said = widget.sentences[(2 * place + alone) * 3 + i]
                assert said.startswith(f"Channel {[0, 3, 50][i]} (in g")
                share = f"{100 * inside(stroke, corner, cell):.0f} % of the change is inside"
                assert (share if np.abs(stroke).max() >= 1 else "next to nothing") in said
                assert ("Alone it" if alone else "In the photograph it") in said
    packed = Image.open(io.BytesIO(widget.images[1])).convert("RGB")
    assert np.array_equal(np.asarray(packed), np.concatenate(widget.sheet(0, False)))


def test_step_chooser_measures(make, values):
    widget = make["step"]()
    for step, rate, error in zip(widget.steps, widget.rates, widget.errors):
        symbols = np.round(values / step)
        shares = np.unique(symbols, return_counts=True)[1] / len(values)
        assert rate == pytest.approx(-(shares * np.log2(shares)).sum())
        assert error == pytest.approx(np.mean((values - step * symbols) ** 2))
    sums = [r + 0.01 / 3 * e for r, e in zip(widget.rates, widget.errors)]
    assert widget.best[1] == int(np.argmin(sums)) and widget.theory[1] == pytest.approx(math.sqrt(1800 / math.log(2)))
    assert sum(widget.counts) == len(values) and len(widget.rows) == 5


def test_fine_steps_follow_the_theory():
    values = np.random.default_rng(1).normal(0, 80, 100_000)
    (rate, error), (more, less) = quantized(values, 16), quantized(values, 8)
    assert more - rate == pytest.approx(1, abs=0.02)
    assert error == pytest.approx(256 / 12, rel=0.02) and less == pytest.approx(64 / 12, rel=0.02)


def test_step_chooser_refuses():
    for steps in ([], [2.0, 1.0], [0.0, 1.0]):
        with pytest.raises(CcaError, match="rise"):
            StepChooser([1.0, 2.0], [0.01], steps)
