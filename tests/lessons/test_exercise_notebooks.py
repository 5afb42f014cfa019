"""The exercises' notebooks print what is stored in them.

They print text and nothing else, so one process runs them all: a kernel for each of these 18, as the lessons have,
would take longer to start than they take to run.
"""

import contextlib
import io

import nbformat
import pytest

from ccalib.lessons import build
from ccalib.lessons.exercises import GRADING
from ccalib.lessons.exercises import build as pairs

SCRIPTS = sorted((build.NOTEBOOKS / "source" / "exercises").glob("[0-9]*.py"))
NOTEBOOKS = [f"{kind}/{script.stem}" for kind in pairs.KINDS for script in SCRIPTS]


def run(notebook):
    """Yields (cell number, what the notebook holds as its output, what it prints now)."""
    space = {"__name__": "__main__"}
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(cell.source, f"cell {number}", "exec"), space)
            yield number, cell.outputs, said.getvalue()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_prints_what_is_stored(name, monkeypatch):
    monkeypatch.chdir(build.NOTEBOOKS)  # where the build runs them
    monkeypatch.delenv(GRADING, raising=False)
    cells = list(run(nbformat.read(build.NOTEBOOKS / f"{name}.ipynb", as_version=4)))
    assert any(printed for _, _, printed in cells)
    for number, stored, printed in cells:
        assert all((o.output_type, o.name) == ("stream", "stdout") for o in stored), f"cell {number}: more than text"
        assert "".join(o.text for o in stored) == printed, f"cell {number}"


def test_none_is_left_out():
    assert len(NOTEBOOKS) == sum(len(list((build.NOTEBOOKS / kind).glob("*.ipynb"))) for kind in pairs.KINDS) > 0


def test_a_difference_is_seen():
    cell = nbformat.v4.new_code_cell("a = 1\nprint(a + 1)", outputs=[nbformat.v4.new_output("stream", text="3\n")])
    ((number, stored, printed),) = run(nbformat.v4.new_notebook(cells=[cell]))
    assert (number, printed) == (0, "2\n") and "".join(o.text for o in stored) != printed
