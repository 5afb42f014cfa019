"""Building notebooks: what comes out is the same each time, and the check finds what may not be committed."""

import nbformat
import pytest

from ccalib.errors import CcaError
from ccalib.lessons import build

SCRIPT = """# %% [markdown]
# # A lesson
#
# Run time: {run_time}.

# %%
import ipywidgets
print("one")
print("two")

# %% tags=["remember"]
ipywidgets.IntSlider(3)

# %%
6 * 7
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with one built notebook."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "source").mkdir()
    (folder / "source" / "00_small.py").write_text(SCRIPT)
    assert build.main(["--folder", str(folder)]) == 0
    return folder


@pytest.fixture
def folder(built, tmp_path):
    """A copy to spoil."""
    (tmp_path / "source").mkdir()
    for name in ("00_small.ipynb", "source/00_small.py"):
        (tmp_path / name).write_bytes((built / name).read_bytes())
    return tmp_path


def found(folder) -> list[str]:
    return build.problems(folder / "00_small.ipynb", folder / "source" / "00_small.py")


def change(folder, edit) -> None:
    notebook = nbformat.read(folder / "00_small.ipynb", as_version=4)
    edit(notebook)
    nbformat.write(notebook, folder / "00_small.ipynb")


def test_built_notebook_is_fit(folder, capsys):
    assert found(folder) == []
    assert build.main(["00_small", "--check", "--folder", str(folder)]) == 0
    assert "00_small: fit" in capsys.readouterr().out


def test_nothing_volatile_is_kept(built):
    text = (built / "00_small.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    assert "widget" not in str(notebook.metadata) and build.WIDGET_VIEW not in text
    assert [cell.id for cell in notebook.cells] == [f"cell-{i:03d}" for i in range(4)]
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert notebook.cells[2].metadata.tags == ["remember"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert [output.text for output in code[0].outputs] == ["one\ntwo\n"]
    assert code[2].outputs[0].data["text/plain"] == "42"


def test_run_time_is_measured_not_typed(built):
    notebook = nbformat.read(built / "00_small.ipynb", as_version=4)
    assert build.RUN_TIME not in notebook.cells[0].source
    assert notebook.metadata.ccalib.run_time in notebook.cells[0].source
    assert notebook.metadata.ccalib.run_time.endswith("0 s")


def test_building_twice_gives_the_same_cells(folder):
    first = nbformat.read(folder / "00_small.ipynb", as_version=4)
    build.build("00_small", folder)
    assert nbformat.read(folder / "00_small.ipynb", as_version=4).cells == first.cells


def test_check_finds_a_changed_source(folder, capsys):
    script = folder / "source" / "00_small.py"
    script.write_text(script.read_text().replace("6 * 7", "6 * 8"))
    assert found(folder) == ["cell 3: differs from the script (6 * 8)"]
    assert build.main(["00_small", "--check", "--folder", str(folder)]) == 1
    assert "NOT fit" in capsys.readouterr().out
    script.write_text(script.read_text() + "\n# %%\n1\n")
    assert "cells: the notebook has 4, the script 5" in found(folder)


def test_check_finds_changed_tags(folder):
    script = folder / "source" / "00_small.py"
    script.write_text(script.read_text().replace("remember", "forget"))
    assert found(folder) == ["cell 2: differs from the script (ipywidgets.IntSlider(3))"]


def test_check_finds_widget_state(folder):
    change(folder, lambda n: n.metadata.update(widgets={"application/vnd.jupyter.widget-state+json": {}}))
    assert found(folder) == ["metadata: widget state is stored"]


def test_check_finds_a_widget_view(folder):
    change(folder, lambda n: n.cells[2].outputs[0].data.update({build.WIDGET_VIEW: {"model_id": "1"}}))
    assert len(found(folder)) == 1 and found(folder)[0].startswith("cell 2: a widget view")


def test_check_finds_an_error_output(folder):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    change(folder, lambda n: n.cells[3].outputs.append(error))
    assert found(folder) == ["cell 3: an error in its output (6 * 7)"]


def test_check_finds_a_cell_that_never_ran(folder):
    change(folder, lambda n: n.cells[3].update(execution_count=None))
    assert found(folder) == ["cell 3: never executed (6 * 7)"]


def test_check_finds_a_large_notebook(folder):
    change(folder, lambda n: n.cells[3].outputs[0].data.update({"text/plain": "x" * build.MAX_BYTES}))
    assert len(found(folder)) == 1 and found(folder)[0].startswith("size: ")


def test_check_finds_too_much_ignored(folder):
    script = folder / "source" / "00_small.py"
    script.write_text(script.read_text().replace("6 * 7", "# NBVAL_IGNORE_OUTPUT\n6 * 7"))
    build_only = build.strip(build.execute(build.from_script(script), folder, "00_small"))
    nbformat.write(build_only, folder / "00_small.ipynb")
    assert found(folder) == ["nbval ignores 1 of 3 code cells (3), more than 15%"]


def test_check_wants_the_notebook(folder):
    (folder / "00_small.ipynb").unlink()
    assert "not built yet" in found(folder)[0]
    (folder / "00_small.ipynb").write_text("{")
    assert "not a notebook" in found(folder)[0]


def test_a_failing_cell_leaves_the_old_notebook(folder, capsys):
    before = (folder / "00_small.ipynb").read_bytes()
    script = folder / "source" / "00_small.py"
    script.write_text(script.read_text().replace("6 * 7", "6 / 0"))
    assert build.main(["00_small", "--folder", str(folder)]) == 1
    assert (folder / "00_small.ipynb").read_bytes() == before
    assert "cell 3 failed" in (message := capsys.readouterr().err) and "ZeroDivisionError" in message
    assert not list(folder.glob("*.part"))


def test_unknown_name_is_an_error(folder):
    with pytest.raises(CcaError, match="no such script"):
        build.build("99_nothing", folder)
