"""Make exercises and solutions from their scripts: `python -m ccalib.lessons.exercises.build [NAMES] [--check]`.

The reviewed source is the solution, `notebooks/source/exercises/NAME.py`. What stands between nbgrader's marks
`### BEGIN SOLUTION` and `### END SOLUTION` is taken out of the student's version. Both are run: the solution must
pass every check, and the student's version must run to its end and say "not attempted" everywhere.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ccalib.errors import CcaError
from ccalib.lessons import build
from ccalib.lessons.exercises.checker import GRADING

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "# your code here\nraise NotImplementedError"
KINDS = {"solutions": "passed", "exercises": "not attempted"}  # folder -> what every check says there


def cleared(source: str) -> str:
    """A cell without its solution: each marked part is a stub at the same indentation.

    Raises:
        CcaError: marks that don't pair.
    """
    lines, inside = [], False
    for line in source.splitlines():
        text = line.strip()
        if text in (BEGIN, END):
            if inside == (text == BEGIN):
                raise CcaError(f"exercise: {text} without its partner")
            inside = text == BEGIN
            if inside:
                indent = line[: len(line) - len(line.lstrip())]
                lines += [indent + stub for stub in STUB.splitlines()]
        elif not inside:
            lines.append(line)
    if inside:
        raise CcaError(f"exercise: {BEGIN} without its partner")
    return "\n".join(lines)


def versions(script: Path) -> dict[str, NotebookNode]:
    """Folder -> notebook, not executed: the solution, and what the student gets."""
    solution = build.from_script(script)
    student = copy.deepcopy(solution)
    for cell in student.cells:
        if cell.cell_type == "code":
            cell.source = cleared(cell.source)
    return dict(zip(KINDS, (solution, student)))


def verdicts(notebook: NotebookNode) -> list[str]:
    """What each check of an executed notebook said, after "exercise, property: "."""
    texts = [o.text for c in notebook.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "stream"]
    return re.findall(r"^\w+, [^:\n]+: (passed|FAILED|not attempted)", "".join(texts), re.MULTILINE)


def problems(name: str, folder: Path) -> list[str]:
    """What is wrong with a stored pair; empty when it may stay."""
    found = []
    for kind, wanted in versions(folder / "source" / "exercises" / f"{name}.py").items():
        path = folder / kind / f"{name}.ipynb"
        if not path.is_file():
            found.append(f"{kind}: not built yet")
            continue
        have = nbformat.read(path, as_version=4)
        found += [f"{kind}: {problem}" for problem in build._against_script(have, wanted)]
        if set(verdicts(have)) != {KINDS[kind]}:
            found.append(f"{kind}: not every check says {KINDS[kind]!r}")
    return found


def make(name: str, folder: Path = build.NOTEBOOKS) -> list[Path]:
    """Build and write the pair of one lesson. Raises CcaError; then the old pair stays.

    Returns:
        Copies of what a student had written into a notebook that was replaced.
    """
    ready = {}
    for kind, notebook in versions(folder / "source" / "exercises" / f"{name}.py").items():
        build.strip(build.execute(notebook, folder, f"{kind}/{name}"))
        said = verdicts(notebook)
        if set(said) != {KINDS[kind]}:
            raise CcaError(f"{kind}/{name}: every check should say {KINDS[kind]!r}, not {said}")
        nbformat.validate(notebook)
        ready[kind] = notebook
    copies = []
    for kind, notebook in ready.items():
        target = folder / kind / f"{name}.ipynb"
        target.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, target.with_suffix(".part"))
        if kind == "exercises" and _attempted(target):
            copies.append(shutil.copyfile(target, target.with_suffix(".ipynb.bak")))
        os.replace(target.with_suffix(".part"), target)
    return copies


def _attempted(path: Path) -> bool:
    """Whether somebody has worked in a notebook of exercises: a check in it says more than "not attempted"."""
    try:
        return path.is_file() and set(verdicts(nbformat.read(path, as_version=4))) - {KINDS["exercises"]} != set()
    except (ValueError, AttributeError, nbformat.reader.NotJSONError):
        return True  # whatever it is, we didn't write it


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns 0, or 1 when a pair fails to build or to pass the check."""
    parser = argparse.ArgumentParser("python -m ccalib.lessons.exercises.build", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 01_transforms (default: all)")
    parser.add_argument("--check", action="store_true", help="build nothing; say whether the stored ones are fit")
    parser.add_argument("--folder", type=Path, default=build.NOTEBOOKS, help="of the notebooks (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.pop(GRADING, None)  # grading raises where these must run on
    names = options.names or sorted(p.stem for p in (options.folder / "source" / "exercises").glob("[0-9]*.py"))

    def look(name: str) -> list[str]:
        return problems(name, options.folder)

    def pair(name: str) -> str:
        copies = make(name, options.folder)
        return f"exercises {name}: built" + "".join(f"; what was written there is in {copy}" for copy in copies)

    return build.each(names, look if options.check else None, pair, "exercises ")


if __name__ == "__main__":
    sys.exit(main())
