"""Lessons on a reader's own photograph: one of 4:3 in fog, whose last groups hold nothing, and a panorama."""

import pytest
from PIL import ImageEnhance, ImageFilter

from ccalib.lessons import build
from ccalib.lessons.thread import open_photo, thread_photo

OWN = "my_photo = thread_photo()"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder, photo = tmp_path_factory.mktemp("own"), open_photo(thread_photo())
    fog = ImageEnhance.Contrast(photo.filter(ImageFilter.GaussianBlur(1))).enhance(0.5)
    pictures = {"fog": fog.crop((0, 0, 640, 480)), "panorama": photo.crop((0, 100, 768, 263))}
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lesson", "which"),
    [("01_transforms", "panorama"), ("02_bytes", "fog"), ("03_hyperprior", "fog"), ("04_causal_context", "fog"),
     ("04_causal_context", "panorama"), ("06_grouping", "fog"), ("07_training", "fog")],
)  # fmt: skip
def test_a_lesson_runs_on_it(photographs, lesson, which):
    notebook = build.from_script(build.NOTEBOOKS / "source" / f"{lesson}.py")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and OWN in cell.source]
    assert len(cells) == 1
    cells[0].source = cells[0].source.replace(OWN, f"my_photo = {str(photographs / f'{which}.png')!r}")
    build.execute(notebook, build.NOTEBOOKS, f"{lesson} on {which}")  # raises where a cell fails
