"""The students' copy: nothing of the solutions in it, the same bytes each time, and its exercises check themselves."""

import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from ccalib.errors import CcaError
from ccalib.lessons import student
from ccalib.lessons.build import NOTEBOOKS, ROOT
from ccalib.lessons.exercises.build import BEGIN, END

LISTED = re.compile(r"<!-- what the students' copy shows -->\n(.*?)<!-- end -->", re.DOTALL)
TEXTS = {".py", ".ipynb", ".md", ".js", ".json", ".toml", ".txt", ".yml", ".html", ""}
LONG = 25  # characters; shorter lines of a solution say nothing


@pytest.fixture(scope="module")
def files():
    try:
        return student.committed()
    except CcaError:
        pytest.skip("not a clone with git")


@pytest.fixture(scope="module")
def copy(files, tmp_path_factory):
    """The zip's path."""
    out = tmp_path_factory.mktemp("student") / "copy.zip"
    assert student.pack(out) == len(student.handed_out(files))
    return out


def unpacked(copy, folder):
    with zipfile.ZipFile(copy) as archive:
        archive.extractall(folder)
    return folder / student.TOP


def test_holds_the_course_and_nothing_of_the_teacher(copy, files):
    with zipfile.ZipFile(copy) as archive:
        held = {name.removeprefix(f"{student.TOP}/") for name in archive.namelist()}
        readme = archive.read(f"{student.TOP}/README.md").decode()
    lessons = sorted(path.stem for path in (NOTEBOOKS / "source").glob("[0-9]*.py"))
    exercises = sorted(path.stem for path in (NOTEBOOKS / "source" / "exercises").glob("*.py"))
    wanted = {f"notebooks/{n}.ipynb" for n in lessons} | {f"notebooks/exercises/{n}.ipynb" for n in exercises}
    assert wanted | {"Makefile", "LICENSE", "CITATION.cff", "data/weights/small.safetensors"} <= held
    assert held <= set(files)
    for kept in student.KEPT:
        assert not any(name == kept or name.startswith(f"{kept}/") for name in held)
        assert (ROOT / kept).exists(), f"{kept}: kept from students, but there is no such thing"
    assert "solutions" in readme.split("## ")[0] and readme.startswith("# ccalib")


def solution_lines():
    """(exercise, line) of every solution, without indentation and comments."""
    for script in sorted((NOTEBOOKS / "source" / "exercises").glob("*.py")):
        for block in re.findall(rf"{BEGIN}\n(.*?){END}", script.read_text(), re.DOTALL):
            for line in block.splitlines():
                text = line.split("  #")[0].strip()
                if len(text) >= LONG:
                    yield script.stem, text


def test_lines_of_solutions_are_only_where_the_teacher_is_told(copy):
    found = set()
    with zipfile.ZipFile(copy) as archive:
        parts = [name for name in archive.namelist() if os.path.splitext(name)[1] in TEXTS]
        texts = {name.removeprefix(f"{student.TOP}/"): archive.read(name).decode("utf-8") for name in parts}
    assert sum(1 for _ in solution_lines()) > 30
    for exercise, line in solution_lines():
        quoted = json.dumps(line)[1:-1]  # as a notebook holds it
        found |= {(exercise, name) for name, text in texts.items() if line in text or quoted in text}
    told = LISTED.search((NOTEBOOKS / "teaching" / "README.md").read_text())[1]
    rows = [line.split("|")[1:3] for line in told.splitlines()[2:] if line.startswith("|")]
    listed = {(exercise.strip(), name) for exercise, where in rows for name in re.findall(r"`([^`]+)`", where)}
    assert found == listed
    assert not [name for _, name in found if name.startswith("notebooks/exercises")]


def test_the_same_bytes(copy, tmp_path):
    student.pack(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == copy.read_bytes()


def test_without_git_it_says_so(copy, tmp_path, monkeypatch, capsys):
    with pytest.raises(CcaError, match="not a git repository"):
        student.committed(unpacked(copy, tmp_path))
    with pytest.raises(CcaError, match="cannot be written"):
        student.pack(tmp_path / "nowhere" / "copy.zip")
    monkeypatch.setenv("PATH", "")
    assert student.main(["-o", str(tmp_path / "copy.zip")]) == 1
    assert "git is not installed" in capsys.readouterr().err and not (tmp_path / "copy.zip").exists()


@pytest.mark.slow
def test_its_exercises_check_and_its_notebooks_are_fit(copy, tmp_path):
    """In the unpacked copy: an untouched exercise, a right answer, and what its `make test` asks first."""
    root = unpacked(copy, tmp_path)
    code = (
        "import ccalib.lessons.build as build, ccalib.lessons.exercises.build as exercises, numpy as np\n"
        "from ccalib.lessons.exercises import check\n"
        f"assert str(build.ROOT) == {str(root)!r}, build.ROOT\n"
        "def code_length(symbols, p):\n    raise NotImplementedError\n"
        "check('code_length', 'minimal', code_length)\n"
        "check('code_length', 'minimal', lambda s, p: float(-np.log2(p[s]).sum()))\n"
        "assert build.main(['--check']) == exercises.main(['--check']) == 0\n"
    )
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "minimal: not attempted" in done.stdout and "minimal: passed" in done.stdout
