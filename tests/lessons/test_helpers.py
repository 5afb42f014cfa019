"""Small helpers of the lessons: numbers in words, the thread, plots."""

import numpy as np
import pytest
from PIL import Image

import ccalib
from ccalib.lessons import plots
from ccalib.lessons.pixels import crop_cells, pack
from ccalib.lessons.text import about, aligned, size_text
from ccalib.lessons.thread import latents_of, open_photo, thread_photo


@pytest.mark.parametrize(("value", "digits", "text"), [
    (23456, 2, "23,000"), (0.04567, 2, "0.046"), (17.4, 1, "20"), (1.94, 1, "2"), (0, 2, "0"), (-23456, 2, "-23,000"),
])  # fmt: skip
def test_about(value, digits, text):
    assert about(value, digits) == text


def test_sizes_and_tables():
    assert [size_text(n) for n in (999, 1000, 12345)] == ["999 B", "1.00 kB", "12.3 kB"]
    assert aligned([["a", "b"], ["ccc", "10"]]) == "a     b\nccc  10"


def test_thread_has_three_latents_inside():
    photo = open_photo(thread_photo())
    cells = latents_of(thread_photo(), photo)
    assert set(cells) == {"sky", "edge", "texture"}
    for column, row in cells.values():
        assert 0 <= 16 * column < photo.width - 15 and 0 <= 16 * row < photo.height - 15


def test_own_photo_is_shrunk_and_gets_its_own_latents(tmp_path):
    values = np.zeros((600, 1600, 3), np.uint8)
    values[:, 800:] = 255  # an edge in the middle
    values[:, 1200:] = np.random.default_rng(0).integers(100, 156, (600, 400, 3))
    Image.fromarray(values).save(tmp_path / "mine.png")
    photo = open_photo(tmp_path / "mine.png")
    assert max(photo.size) == 768
    cells = latents_of(tmp_path / "mine.png", photo)
    spread = {name: np.asarray(crop_cells(photo.convert("L"), *cell)).std() for name, cell in cells.items()}
    assert spread["sky"] == 0 and spread["edge"] >= spread["texture"] >= spread["sky"]
    with pytest.raises(ccalib.CcaError, match="too few"):
        latents_of("tiny.png", Image.new("RGB", (20, 20)))


def test_pictures_for_the_browser_are_exact(picture):
    import io

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pack(picture))).convert("RGB")), np.asarray(picture))


def test_plot_prints_what_it_shows(picture):
    plot = plots.cells_plot(picture, {"sky": (0, 0), "edge": (3, 2)})
    assert repr(plot) == plot.words and "edge         3    2" in plot.words
    assert plot._repr_mimebundle_()[0]["text/plain"] == plot.words
    assert plots.cells_plot(picture, {"sky": (0, 0), "edge": (3, 2)}).png == plot.png


def test_group_colors_differ_and_can_be_read():
    colors = plots.segment_colors(["header", "z", "g1", "g2", "g3", "g4", "g5"])
    assert len(set(colors)) == 7
    assert [plots.ink_on(color) for color in (colors[2], colors[-1])] == ["#ffffff", "#000000"]
