"""Points for handed-in exercises: the students' cells, then our checks, in one fresh kernel for each notebook."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.lessons import build
from ccalib.lessons.exercises.build import versions
from ccalib.lessons.exercises.checker import GRADING

SCRIPTS = build.NOTEBOOKS / "source" / "exercises"
CHECK = re.compile(r'^check\("(\w+)", "([^"]+)"', re.MULTILINE)
OURS = "from ccalib.lessons.exercises import check"
LIMIT_S = 60  # of a cell; a check stops by itself after 5 s


class Point(NamedTuple):
    """One check of one notebook: `point` is 1 if the property holds, else 0, and `said` what the check said."""

    notebook: str
    exercise: str
    property: str
    point: int
    said: str


def composed(handed_in: NotebookNode, script: Path) -> NotebookNode:
    """What is run: the student's code cells without checks, then the check cells of the exercise as we have them."""
    written = [c.source for c in handed_in.cells if c.cell_type == "code" and not CHECK.search(c.source)]
    checks = [c.source for c in versions(script)["exercises"].cells if c.cell_type == "code" and CHECK.search(c.source)]
    cells = [nbformat.v4.new_code_cell(source) for source in (*written, OURS, *checks)]
    return nbformat.v4.new_notebook(cells=cells, metadata=build.METADATA)


def points(path: Path, name: str) -> list[Point]:
    """The points of one notebook; `name` is what the table calls it.

    Raises:
        CcaError: not named like an exercise, or not a notebook.
    """
    script = SCRIPTS / f"{path.stem}.py"
    if not script.is_file():
        names = ", ".join(sorted(one.stem for one in SCRIPTS.glob("[0-9]*.py")))
        raise CcaError(f"{path}: no exercise of that name; there are {names}")
    try:
        handed_in = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError, nbformat.reader.NotJSONError) as error:
        raise CcaError(f"{path}: not a notebook ({error})") from error
    notebook = _run(composed(handed_in, script), path.parent)
    found = []
    for cell in notebook.cells:
        for exercise, what in CHECK.findall(cell.source):
            errors = [o for o in cell.outputs if o.output_type == "error"]
            told = errors[0].evalue if errors else "".join(o.get("text", "") for o in cell.outputs)
            passed = not errors and f"{exercise}, {what}: passed" in told
            found.append(Point(name, exercise, what, int(passed), told.strip().splitlines()[0] if told.strip() else ""))
    return found


def _run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    from nbclient import NotebookClient

    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=LIMIT_S, interrupt_on_timeout=True, allow_errors=True, kernel_name="python3", resources=where
    )
    before = os.environ.get(GRADING)
    os.environ[GRADING] = "1"  # the kernel inherits it
    try:
        return client.execute()
    finally:
        os.environ.pop(GRADING) if before is None else os.environ.update({GRADING: before})


def grade(folder: Path, out: Path) -> dict[str, tuple[int, int]]:
    """Write a CSV with a row for each check; notebook -> (points, of how many).

    Raises:
        CcaError: no notebooks, one that is no exercise, or the table can't be written.
    """
    paths = sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if not paths:
        raise CcaError(f"{folder}: no notebooks below it")
    rows = [one for path in tqdm(paths, unit="notebook") for one in points(path, path.relative_to(folder).as_posix())]
    try:
        with open(out, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([Point._fields, *rows])
    except OSError as error:
        raise CcaError(f"{out}: cannot be written ({error.strerror})") from error
    of = {name: [row.point for row in rows if row.notebook == name] for name in {row.notebook for row in rows}}
    return {name: (sum(got), len(got)) for name, got in sorted(of.items())}
