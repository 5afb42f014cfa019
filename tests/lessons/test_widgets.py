"""The widgets' Python side: what they carry, what they say of themselves, what selecting does."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ccalib
from ccalib.evaluation.metrics import psnr
from ccalib.lessons.pixels import Picture
from ccalib.lessons.widgets import Diagram, GroupBytes, LessonWidget, Predict, Progressive, Quality, Wipe, module_text

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def data(picture, model) -> bytes:
    return ccalib.encode(picture, quality=3, model=model)


@pytest.fixture(scope="module")
def info(data):
    return ccalib.inspect(data)


@pytest.fixture(scope="module")
def decodes(data, info, model):
    return [ccalib.decode(data, groups=count, model=model) for count in range(len(info.segments))]


@pytest.fixture(scope="module")
def pictures(picture, decodes):
    sizes = range(1000, 1000 * len(decodes) + 1, 1000)
    return [Picture(f"decode {i}", d, s, psnr(picture, d)) for i, (d, s) in enumerate(zip(decodes, sizes, strict=True))]


@pytest.fixture(scope="module")
def make(picture, info, decodes, pictures):
    """Name -> a function that makes the widget anew."""
    return {
        "wipe": lambda: Wipe(Picture("original", picture), *pictures[-2:]),
        "group_bytes": lambda: GroupBytes(info, (2, 8, 16, 27, 43)),
        "progressive": lambda: Progressive(info, decodes, [psnr(picture, d) for d in decodes]),
        "quality": lambda: Quality(range(len(pictures)), pictures, {"JPEG": [(0.5, 25.0), (1.5, 30.0)]}),
        "predict": lambda: Predict("What?", ["this", "that"], 1, "Because.", "An idea."),
    }


NAMES = ["wipe", "group_bytes", "progressive", "quality", "predict"]


@pytest.mark.parametrize("name", NAMES)
def test_looks_the_same_each_time(make, name):
    one, two = make[name](), make[name]()
    assert repr(one) == repr(two) and len(repr(one)) < 200 and " at 0x" not in repr(one)
    assert one.static_png() == two.static_png()
    assert one.as_text() == two.as_text()


@pytest.mark.parametrize("name", NAMES)
def test_shows_a_still_picture_where_there_is_no_kernel(make, name):
    widget = make[name]()
    bundle, metadata = widget._repr_mimebundle_()
    assert bundle[VIEW]["model_id"] == widget.model_id
    assert bundle["text/plain"] == repr(widget)
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert 300 < still.width <= 800 and np.asarray(still.convert("L")).std() > 5
    assert len(bundle["image/png"]) < 200_000  # fine texture; photographs take less
    assert metadata["image/png"]["alt"]


@pytest.mark.parametrize("name", NAMES)
def test_module_stands_alone(make, name):
    widget = make[name]()
    assert widget._esm == module_text(f"{name}.js")
    assert len(re.findall(r"^export default", widget._esm, re.MULTILINE)) == 1
    assert not re.search(r"^\s*import\s|https?://(?!www\.w3\.org)", widget._esm, re.MULTILINE)
    assert "data-lm-suppress-shortcuts" in widget._esm and "aria-live" in widget._esm
    assert ".cca" in widget._css


def test_what_the_browser_shows_first_is_all_there(make):
    """Every image travels with the widget, pixel for pixel: no click waits for the kernel."""
    widget = make["progressive"]()
    state = widget.get_state()
    assert len(state["images"]) == 6
    shown = Image.open(io.BytesIO(state["images"][-1])).convert("RGB")
    assert np.array_equal(np.asarray(shown), np.asarray(widget.decodes[-1]))


def test_group_bytes_add_up(make, info, data):
    widget = make["group_bytes"]()
    assert widget.names == ["header", "z", "g1", "g2", "g3", "g4", "g5"]
    assert sum(widget.sizes) == len(data)
    numbers = [int(row[1].replace(",", "")) for row in widget.rows]
    assert sum(numbers[:-1]) == numbers[-1] == len(data)
    assert widget.sentences[0].startswith(f"Header: {info.header} bytes = {8 * info.header} bits")
    assert "27 channels" in widget.sentences[5]


def test_group_bytes_refuses_a_cut_file(data):
    with pytest.raises(ccalib.CcaError, match="add up to"):
        GroupBytes(ccalib.inspect(data[:-3]))


def test_progressive_agrees_with_real_cuts(make, data, model, decodes):
    """What the widget says a cut file holds is what the decoder finds, one byte before and after each mark."""
    widget = make["progressive"]()
    assert widget.ends[-1] == len(data)
    for end in widget.ends:
        for cut in (end - 1, end, min(end + 1, len(data))):
            widget.cut = cut
            try:
                assert ccalib.inspect(data[:cut]).groups == widget.held
                if cut == end:
                    decoded = ccalib.decode(data[:cut], model=model)
                    assert np.array_equal(np.asarray(decoded), np.asarray(decodes[widget.held]))
            except ccalib.CcaError:
                assert widget.held == -1 and cut < widget.ends[1]


def test_progressive_needs_every_decode(info, decodes):
    with pytest.raises(ccalib.CcaError, match="decodes"):
        Progressive(info, decodes[:-1], [30.0] * 5)


def test_quality_counts_bits_per_pixel(make, picture):
    widget = make["quality"]()
    assert widget.bpps[0] == pytest.approx(8 * 1000 / (picture.width * picture.height))
    widget.selected = 2
    assert widget.sentences[widget.selected].startswith("Quality 2: 3,000 bytes")
    with pytest.raises(ccalib.CcaError, match="size"):
        Quality([0], [Picture("no size", picture)])


def test_wipe_refuses_other_sizes(picture):
    with pytest.raises(ccalib.CcaError, match="pixels"):
        Wipe(Picture("original", picture), Picture("small", picture.resize((8, 8))))
    with pytest.raises(ccalib.CcaError, match="at least one"):
        Wipe(Picture("original", picture))


def test_wipe_labels_say_bytes_and_decibels(make, pictures):
    widget = make["wipe"]()
    assert widget.labels[0] == "original"
    assert widget.labels[2] == f"decode 5 · 6.00 kB · {pictures[5].psnr:.1f} dB"


def test_predict_is_silent_until_committed(make):
    widget = make["predict"]()
    assert widget.right is None
    before = repr(widget)
    widget.choice = 1
    assert widget.right is None
    widget.committed = True
    assert widget.right is True
    widget.choice = 0
    assert widget.right is False
    assert repr(widget) == before
    html = widget._repr_mimebundle_()[0]["text/html"]
    assert html.index("<details>") < html.index("Because.") and html.index("An idea.") < html.index("</details>")
    assert "Because." not in repr(widget)
    with pytest.raises(ccalib.CcaError):
        Predict("What?", ["this", "that"], 2, "", "")


def test_selection_is_synced(make):
    selections = {
        "wipe": ("position", 0.25),
        "group_bytes": ("selected", 1),
        "progressive": ("cut", 100),
        "quality": ("selected", 0),
        "predict": ("choice", 1),
    }
    for name, (trait, value) in selections.items():
        widget, seen = make[name](), []
        widget.observe(lambda change, seen=seen: seen.append(change.new), trait)
        widget.set_state({trait: value})  # as the browser sends it
        assert seen == [value] and trait in widget.keys


def test_diagram_lights_what_it_is_told():
    diagram = Diagram("coder", caption="Here bytes are made.")
    svg = diagram.svg()
    assert svg == Diagram("coder", caption="Here bytes are made.").svg()
    assert svg.count('fill="#0b62a8"') == 1 and Diagram().svg().count('fill="#0b62a8"') == 0
    assert "<title>" in svg and "<desc>" in svg and "Here bytes are made." in svg
    bundle = diagram._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml", "image/png"}
    with pytest.raises(ccalib.CcaError, match="no part"):
        Diagram("nothing like it")


def test_styles_close_what_they_open():
    """The site joins the styles of a page's widgets: what one leaves open would swallow the next."""
    for style in sorted(Path(ccalib.lessons.widgets.__file__).parent.glob("*.css")):
        depth = 0
        for brace in re.findall("[{}]", re.sub(r"/\*.*?\*/", "", style.read_text(), flags=re.DOTALL)):
            depth += 1 if brace == "{" else -1
            assert depth >= 0, style.name
        assert depth == 0, style.name


def test_every_widget_is_tested():
    elsewhere = {"inspector.js", "bought.js"} | {"explorer.js", "step.js"}  # test_inspector.py, test_explorer_step.py
    elsewhere |= {"toy.js", "rate_plot.js", "schedule.js", "dashboard.js"}  # test_…_widget.py, each
    assert {cls.module for cls in LessonWidget.__subclasses__() if cls.__module__.startswith("ccalib")} == {
        f"{name}.js" for name in NAMES
    } | elsewhere
