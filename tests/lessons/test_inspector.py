"""The inspector and the bought view, their Python side: what they carry, what they say, what a selection changes."""

import base64
import io
import re
import zlib

import numpy as np
import pytest
from inspected import fresh_rulers
from PIL import Image

import ccalib
from ccalib.lessons import packing
from ccalib.lessons.bought import EDGES, MASKED, REFITTED, TRAINING, from_bits, from_rates, purchases
from ccalib.lessons.inspection import inspect_photo
from ccalib.lessons.widgets import Bought, Inspector, module_text
from ccalib.model.auxiliary import Auxiliary

VIEW = "application/vnd.jupyter.widget-view+json"
PLACES = {"sky": (0, 0), "edge": (6, 4)}


@pytest.fixture(scope="module")
def rulers(codec):
    return fresh_rulers(codec)


@pytest.fixture(scope="module")
def inspection(picture, codec, rulers):
    return inspect_photo(picture, 3, rulers, codec, "picture")


@pytest.fixture(scope="module")
def bought(inspection, rulers):
    return purchases(inspection, rulers)


@pytest.fixture(scope="module")
def make(inspection, bought):
    return {
        "inspector": lambda: Inspector(inspection, PLACES),
        "bought": lambda: Bought(bought, {"picture": inspection.photo}),
    }


@pytest.mark.parametrize("name", ["inspector", "bought"])
def test_looks_the_same_each_time(make, name):
    one, two = make[name](), make[name]()
    assert repr(one) == repr(two) and len(repr(one)) < 200 and " at 0x" not in repr(one)
    assert one.static_png() == two.static_png() and one.as_text() == two.as_text()
    bundle, metadata = one._repr_mimebundle_()
    assert bundle[VIEW]["model_id"] == one.model_id and bundle["text/plain"] == repr(one)
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert 600 < still.width <= 800 and np.asarray(still.convert("L")).std() > 5
    assert len(bundle["image/png"]) < 200_000 and metadata["image/png"]["alt"].startswith(type(one).__name__)


@pytest.mark.parametrize("name", ["inspector", "bought"])
def test_module_stands_alone(make, name):
    widget = make[name]()
    assert widget._esm == module_text(*widget.parts, f"{name}.js")
    assert len(re.findall(r"^export default", widget._esm, re.MULTILINE)) == 1
    assert not re.search(r"^\s*import\s|https?://(?!www\.w3\.org)", widget._esm, re.MULTILINE)
    assert "data-lm-suppress-shortcuts" in widget._esm and "aria-live" in widget._esm
    names = re.findall(r"^(?:async )?(?:function|const|let) \*?(\w+)", widget._esm, re.MULTILINE)
    assert len(names) == len(set(names))  # the files share one scope
    assert ".cca-photo" in widget._css and widget._css.count("{") == widget._css.count("}")


def test_everything_travels_and_fits(make, inspection):
    """The planes unpack to the accounts, means to a hundredth of a symbol; deflated."""
    widget = make["inspector"]()
    raw, count, at = zlib.decompress(widget.planes), inspection.file.symbol.size, 0
    for account in (inspection.file, inspection.with_, inspection.without):
        symbols = np.frombuffer(raw, "<i2", count, at)
        means = np.frombuffer(raw, "<i2", count, at + 2 * count) * widget.mean_step
        levels = np.frombuffer(raw, np.uint8, count, at + 4 * count)
        assert np.array_equal(symbols, account.symbol.ravel()) and np.array_equal(levels, account.level.ravel())
        assert np.abs(means - account.mean.ravel()).max() <= widget.mean_step / 2
        at += 5 * count
    assert at == len(raw) and len(widget.planes) < 0.7 * len(raw)  # trained weights: about three bytes a latent
    counts = np.frombuffer(zlib.decompress(widget.tables), "<u2")
    assert sum(widget.table_lengths) == len(counts) and counts[: widget.table_lengths[0]].sum() == 2**16
    assert sum(widget.segments) + widget.header == len(inspection.data)
    assert sum(widget.z_bits) == pytest.approx(inspection.z_bits.sum())


def test_means_that_are_too_large_are_sent_in_coarser_steps(inspection):
    import dataclasses

    large = dataclasses.replace(inspection.file, mean=inspection.file.mean + 1000)
    data, step = packing.planes(dataclasses.replace(inspection, file=large))
    count = large.mean.size
    means = np.frombuffer(zlib.decompress(data), "<i2", count, 2 * count) * step
    assert np.abs(large.mean).max() / step < 2**15 <= 2 * np.abs(large.mean).max() / step
    assert np.abs(means - large.mean.ravel()).max() <= step / 2


def test_gradients_come_when_they_are_wanted(make, inspection):
    widget = make["inspector"]()
    assert len(widget.supports) == len(widget.stops) == 6 and widget.answer == b"" and widget.answered() == ()
    widget.set_state({"wanted": [5, 3, 30]})  # as the browser asks
    assert widget.answered() == (5, 3, 30)
    support = inspection.support(5, 3, 30)
    codes = np.frombuffer(widget.answer, np.uint8, offset=6)
    maps = np.concatenate([m.ravel() for m in (support.z, *support.groups)])
    assert len(codes) == len(maps) and np.array_equal(codes == 0, maps == 0)
    values = 2.0 ** ((codes[codes > 1] - 1.0) / packing.OCTAVE + packing.FAINTEST)
    assert np.allclose(values, maps[codes > 1], rtol=2 ** (0.6 / packing.OCTAVE) - 1)
    widget.wanted = [0, 0, 95]
    assert widget.answered() == (0, 0, 95)
    with pytest.raises(ccalib.CcaError, match="channel"):
        widget.wanted = [0, 0, 96]


def test_selection_is_kept_inside(make):
    widget, seen = make["inspector"](), []
    widget.observe(lambda change: seen.append(change.new), "cell")
    widget.set_state({"cell": [3, 2], "channel": 40, "previous": False, "heat": "bought"})
    assert seen == [[3, 2]] and (widget.channel, widget.group) == (40, 3) and widget.link == "#latent=picture,3,2,40"
    widget.cell, widget.channel = [99, -1], 1000
    assert widget.cell == [11, 0] and widget.channel == 95


def test_sentences_and_tables_are_the_accounts(make, inspection):
    widget = make["inspector"]()
    widget.cell, widget.channel = [3, 2], 30
    at = (30, 2, 3)
    assert f"symbol {inspection.file.symbol[at]}," in widget.sentence
    assert f"{inspection.file.bits[at]:.2f} bits in the file" in widget.sentence
    gain = inspection.gain[at]
    assert widget.sentence.endswith(f"g3 {'bought' if gain >= 0 else 'cost'} {abs(gain):.2f}.")
    rows = widget.channel_rows()
    assert len(rows) == inspection.sizes[3] and sorted(int(row[0]) for row in rows) == list(range(1, 28))
    paid = [float(row[4]) for row in rows]
    assert paid == sorted(paid, reverse=True)
    assert float(dict((row[0], row[4]) for row in rows)["5"]) == pytest.approx(inspection.file.bits[at], abs=0.005)
    widget.channel = 1
    assert "the ruler's two fits differ by" in widget.sentence
    text = widget.as_text()
    assert f"file             {len(inspection.data):,} bytes" in text


def test_tour_starts_unanswered(make):
    widget = make["inspector"]()
    assert widget.guesses == [-1] * 6 and [stop["name"] for stop in widget.stops][:2] == ["sky", "edge"]
    edge = widget.stops[1]
    assert widget.cell == [edge["column"], edge["row"]] and widget.channel == edge["channel"]
    assert len(Inspector(widget.inspection).stops) == 4  # no places named: what the data show


def test_purchases_count_every_latent(bought, inspection):
    refitted, masked = bought
    assert (refitted.ruler, masked.ruler) == (REFITTED, MASKED)
    assert refitted.with_.sum() == pytest.approx(inspection.with_.bits.sum())
    assert np.allclose(refitted.gain, inspection.per_group(inspection.gain).sum(axis=(1, 2)))
    assert np.allclose(refitted.gains.sum(axis=(1, 2)), refitted.gain)
    assert refitted.z_only.sum() == pytest.approx(inspection.hyper_only.bits.sum())
    assert masked.z_only is None  # the codec's own model was not fitted like it
    latents = inspection.grid[0] * inspection.grid[1]
    assert refitted.counts.sum(axis=1).tolist() == [size * latents for size in inspection.sizes]
    assert len(EDGES) == refitted.counts.shape[1] + 1 and EDGES[len(EDGES) // 2 - 1 : len(EDGES) // 2 + 1].sum() == 0
    for i in range(5):
        gain = inspection.gain[inspection.span(i)]
        assert refitted.negative[i] == (gain < 0).mean()
        assert refitted.counts[i][: len(EDGES) // 2 - 1].sum() == (gain < EDGES[len(EDGES) // 2 - 1]).sum()
    assert masked.gain[0] == 0 and masked.gain[1] != 0  # the first group has nothing to mask
    assert refitted.share.sum() == pytest.approx(refitted.gain.sum() / refitted.with_.sum())


def test_training_time_ruler_where_the_codec_has_an_auxiliary_model(inspection, rulers, codec):
    codec.auxiliary = Auxiliary(codec.preset, False).eval().requires_grad_(False)
    try:
        found = {p.ruler: p for p in purchases(inspection, rulers, arm="honest", seed=2, step=100)}
    finally:
        codec.auxiliary = None
    assert set(found) == {REFITTED, TRAINING, MASKED}
    assert np.array_equal(found[TRAINING].with_, found[MASKED].with_)
    assert {(p.arm, p.seed, p.step) for p in found.values()} == {("honest", 2, 100)}


def test_bought_view_says_what_it_draws(make, bought):
    widget = make["bought"]()
    p = bought[0]
    assert widget.group == int(p.gain[1:].argmax()) + 1
    for i, row in enumerate(widget.table_rows()):
        assert row[0] == f"g{i + 1}" and row[1] == f"{p.with_[i] / 8:,.0f}"
        assert float(row[4]) == pytest.approx(p.gain[i] / p.pixels, abs=5e-5)
        assert float(row[6].replace(",", "")) == pytest.approx(p.gain[i] / 8, abs=0.5)
    widget.ruler = MASKED
    assert widget.selected is bought[1] and widget.table_rows()[0][6] == "+0"
    record = widget.records[0]
    gains = np.frombuffer(widget.maps[record["map"]], "<f4").reshape(p.gains.shape)
    assert np.allclose(gains, p.gains, rtol=1e-6) and record["with"] == p.with_.tolist()


def test_bought_view_works_with_rates_alone():
    rates = {"main": [0.1, 0.2], "auxiliary": [0.11, 0.3], "codec_plain": [0.1, 0.2], "masked": [0.1, 0.5]}
    several = [from_rates(rates, 1000, "set", seed=seed) for seed in range(2)]
    several.append(from_rates(rates, 1000, "set", MASKED))
    widget = Bought(several)
    assert widget.pictures == [b""] and widget.maps == [] and widget.records[0]["counts"] == []
    assert widget.table_rows()[1][1:] == ["25", "38", "", "+0.1000", "+33.3", "+12", ""]
    assert len(widget.static_png()) > 1000
    with pytest.raises(ccalib.CcaError, match="set: training-time ruler: no rates of training"):
        from_rates(rates, 1000, "set", TRAINING)


def test_bought_view_refuses(bought, inspection):
    with pytest.raises(ccalib.CcaError, match="no purchases"):
        Bought([])
    with pytest.raises(ccalib.CcaError, match="twice"):
        Bought([bought[0], bought[0]])
    with pytest.raises(ccalib.CcaError, match="pad it"):
        Bought(bought, {"picture": inspection.photo.resize((100, 100))})
    other = from_bits(np.ones((4, 1, 1)), np.ones((4, 1, 1)), None, (2, 2), 256, "other")
    with pytest.raises(ccalib.CcaError, match="numbers of groups"):
        Bought([bought[0], other])
