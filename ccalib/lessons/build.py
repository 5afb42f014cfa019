"""Build the notebooks from their scripts: `python -m ccalib.lessons.build [NAMES] [--check]`.

The reviewed source of a notebook is `notebooks/source/NAME.py` (jupytext percent format). Building executes it and
writes `notebooks/NAME.ipynb` without anything that changes from run to run: no widget state, no times, fixed cell ids.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ccalib.errors import CcaError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
MAX_BYTES = 600_000
MAX_IGNORED = 0.15
TIMEOUT_S = 300
IGNORE_TAGS = {"nbval-ignore-output", "nbval-skip", "skip"}
IGNORE_MARKS = ("# NBVAL_IGNORE_OUTPUT", "# NBVAL_SKIP")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
RUN_TIME = "{run_time}"  # in a script's prose; the build puts the measured time there
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def from_script(script: Path) -> NotebookNode:
    """The notebook of a percent script, not executed, with ids made from the position of each cell.

    Raises:
        CcaError: no such script.
    """
    import jupytext

    if not script.is_file():
        raise CcaError(f"{script}: no such script; a notebook's source is notebooks/source/NAME.py")
    notebook = jupytext.read(script, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:03d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if "tags" in cell.metadata else {})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook: NotebookNode, folder: Path, label: str, widget_state: bool = False) -> NotebookNode:
    """Run every code cell in order, with `folder` as the working directory and a progress bar on stderr.

    Args:
        widget_state: keep what the widgets hold, in the notebook's metadata (the site wants it).
    Raises:
        CcaError: a cell failed; the message holds its number, its source and the end of the error.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from tqdm import tqdm

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    running = {"index": -1}
    with tqdm(total=len(code), desc=label, unit="cell", file=sys.stderr) as bar:

        def started(cell, cell_index: int) -> None:
            running["index"] = cell_index

        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            store_widget_state=widget_state,
            on_cell_start=started,
            on_cell_executed=lambda cell, cell_index, execute_reply: bar.update(),
        )
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            message = str(error).strip()[-3000:]
            raise CcaError(f"{label}: cell {running['index']} failed\n{message}") from error
    return notebook


def strip(notebook: NotebookNode) -> NotebookNode:
    """Take out what changes from run to run or belongs to one kernel; join outputs of one stream."""
    notebook.metadata = nbformat.from_dict(METADATA)
    count = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if "tags" in cell.metadata else {})
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            if "data" in output:
                output.data.pop(WIDGET_VIEW, None)  # names a model of a kernel that is gone
    return notebook


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighboring pieces of the same stream joined: how they were cut depends on timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def build(name: str, folder: Path = NOTEBOOKS) -> Path:
    """Build and write one notebook; on failure the old one stays.

    Returns:
        The path written.

    Raises:
        CcaError: a cell failed, or the result would not pass `problems`.
    """
    notebook = from_script(folder / "source" / f"{name}.py")
    started = time.perf_counter()
    execute(notebook, folder, name)
    run_time = f"{10 * math.ceil((time.perf_counter() - started) / 10)} s"
    strip(notebook)
    notebook.metadata["ccalib"] = {"run_time": run_time}
    _fill_in(notebook, run_time)
    nbformat.validate(notebook)
    target = folder / f"{name}.ipynb"
    temporary = target.with_suffix(".ipynb.part")
    nbformat.write(notebook, temporary)
    found = problems(temporary, folder / "source" / f"{name}.py")
    if found:
        temporary.unlink()
        raise CcaError(f"{name}: built, but not fit to commit:\n  " + "\n  ".join(found))
    os.replace(temporary, target)
    return target


def _fill_in(notebook: NotebookNode, run_time: str) -> None:
    """Put the measured run time where the prose asks for it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(RUN_TIME, run_time)


def problems(path: Path, script: Path) -> list[str]:
    """What is wrong with a committed notebook; empty when it may stay.

    Checked: its cells against the script, widget state, error outputs, cells never executed, its size, and the share of
    code cells whose output nbval is told to ignore.
    """
    if not path.is_file():
        return [f"{path.name}: not built yet; run `python -m ccalib.lessons.build {script.stem}`"]
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, nbformat.reader.NotJSONError) as error:
        return [f"{path.name}: not a notebook ({error})"]
    wanted = from_script(script)
    _fill_in(wanted, notebook.metadata.get("ccalib", {}).get("run_time", RUN_TIME))
    found = _against_script(notebook, wanted)
    if "widgets" in notebook.metadata:
        found.append("metadata: widget state is stored")
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for i, cell in code:
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"cell {i}: an error in its output ({_first_line(cell)})")
        if cell.source.strip() and cell.execution_count is None:
            found.append(f"cell {i}: never executed ({_first_line(cell)})")
        if any(WIDGET_VIEW in output.get("data", {}) for output in cell.outputs):
            found.append(f"cell {i}: a widget view of a kernel that is gone ({_first_line(cell)})")
    size = path.stat().st_size
    if size > MAX_BYTES:
        found.append(f"size: {size:,} bytes, more than {MAX_BYTES:,}")
    ignored = [i for i, cell in code if _ignored(cell)]
    if code and len(ignored) > MAX_IGNORED * len(code):
        cells = ", ".join(map(str, ignored))
        found.append(f"nbval ignores {len(ignored)} of {len(code)} code cells ({cells}), more than {MAX_IGNORED:.0%}")
    return found


def _against_script(notebook: NotebookNode, wanted: NotebookNode) -> list[str]:
    """Differences between a notebook's cells and those of its script."""
    found = []
    for i, (have, want) in enumerate(zip(notebook.cells, wanted.cells, strict=False)):
        tags = [list(cell.metadata.get("tags", [])) for cell in (have, want)]
        if have.cell_type != want.cell_type or have.source.strip() != want.source.strip() or tags[0] != tags[1]:
            found.append(f"cell {i}: differs from the script ({_first_line(want)})")
    if len(notebook.cells) != len(wanted.cells):
        found.append(f"cells: the notebook has {len(notebook.cells)}, the script {len(wanted.cells)}")
    return found


def _ignored(cell: NotebookNode) -> bool:
    marked = any(line.strip().startswith(IGNORE_MARKS) for line in cell.source.splitlines())
    return marked or bool(IGNORE_TAGS & set(cell.metadata.get("tags", [])))


def _first_line(cell: NotebookNode) -> str:
    return next(iter(cell.source.strip().splitlines()), "empty")[:70]


def names_in(folder: Path) -> list[str]:
    """Every notebook that has a script, in order."""
    return sorted(script.stem for script in (folder / "source").glob("[0-9]*.py"))


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns 0, or 1 when a notebook fails to build or to pass the check."""
    parser = argparse.ArgumentParser(prog="python -m ccalib.lessons.build", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to build, such as 00_tour (default: all)")
    parser.add_argument("--check", action="store_true", help="build nothing; say whether the notebooks are fit")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="where the notebooks are (default: %(default)s)")
    options = parser.parse_args(arguments)
    names = [Path(name).stem for name in options.names] or names_in(options.folder)

    def look(name: str) -> list[str]:
        return problems(options.folder / f"{name}.ipynb", options.folder / "source" / f"{name}.py")

    def make(name: str) -> str:
        return f"{name}: {build(name, options.folder).stat().st_size:,} bytes"

    return each(names, look if options.check else None, make)


def each(names: list[str], look: Callable[[str], list[str]] | None, make: Callable[[str], str], kind: str = "") -> int:
    """Check every name with `look`, or make it where that is None, and print what came out.

    Args:
        look: gives what is wrong, nothing if all is well. make: gives the line to print. Both may raise CcaError.
        kind: printed before a name that was checked.
    Returns:
        1 if anything failed, else 0.
    """
    failed = False
    for name in names:
        try:
            if look is not None:
                found = look(name)
                print(f"{kind}{name}: {'fit' if not found else 'NOT fit'}", *found, sep="\n  ")
                failed |= bool(found)
            else:
                print(make(name))
        except CcaError as error:
            print(error, file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
