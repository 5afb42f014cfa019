"""A notebook, run with the state of its widgets kept. Runs are remembered, so a second build takes seconds."""

from __future__ import annotations

import hashlib
import json
import math
import time
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ccalib.lessons import build

PACKAGE = build.ROOT / "ccalib"
DATA = build.ROOT / "data"
REMEMBERED = build.ROOT / "build" / "site-runs"
SUFFIXES = {".py", ".js", ".css", ".json", ".tsv"}
NO_MATTER = {"site", "exercises", "teaching"}  # rooms of the lessons that no run depends on

# Run last, in the notebook's kernel: which traits Python listens to, and which are linked. The page does the links
# itself; a trait that Python answers to needs a kernel, and the page says so when a reader gets there. What a widget's
# browser works out by itself, too, stands in its `in_browser`.
PROBE = """
import json as _json, traitlets as _traitlets
from ipywidgets.widgets.widget import _instances
def _probe():
    asks, links = {}, []
    for name, widget in _instances.items():
        own = getattr(widget, "in_browser", ())
        for trait in (key for key in widget.keys if key[0] != "_" and key not in own):
            for handler in widget._trait_notifiers.get(trait, {}).get("change", []):
                owner = getattr(handler, "__self__", None)
                if isinstance(owner, (_traitlets.link, _traitlets.directional_link)):
                    ends = [[end.model_id, of] for end, of in (owner.source, owner.target) if hasattr(end, "model_id")]
                    if len(ends) == 2 and ends not in links:
                        links.append(ends)
                elif callable(handler):
                    asks.setdefault(name, []).append(trait)
    return {"asks": asks, "links": links}
print(_json.dumps(_probe()))
"""


def captured(
    name: str, folder: Path = build.NOTEBOOKS, script: Path | None = None, stale: bool = False
) -> NotebookNode:
    """An executed notebook with `metadata.widgets` and, in `metadata.ccalib`, its run time, `asks` and `links`.

    Args:
        name: of the notebook; script: its percent script (default: the one in `folder`/source).
        folder: where it runs; stale: take a remembered run of the same script even if the package has changed since.

    Raises:
        CcaError: no such script, or a cell failed.
    """
    script = script or folder / "source" / f"{name}.py"
    notebook = build.from_script(script)
    text, rest = hashlib.sha256(script.read_bytes()).hexdigest()[:16], surroundings()
    path = REMEMBERED / f"{hashlib.sha256(str(script.resolve()).encode()).hexdigest()[:8]}-{name}.ipynb"
    if path.is_file():
        known = nbformat.read(path, as_version=4)
        if known.metadata.ccalib.script == text and (stale or known.metadata.ccalib.rest == rest):
            return known
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE, id="probe"))
    started = time.perf_counter()
    build.execute(notebook, folder, name, widget_state=True)
    run_time = f"{10 * math.ceil((time.perf_counter() - started) / 10)} s"
    said = notebook.cells.pop().outputs
    found = json.loads("".join(output.text for output in said if output.output_type == "stream"))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = build._joined(cell.outputs)
    notebook.metadata["ccalib"] = {**found, "script": text, "rest": rest, "run_time": run_time}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return nbformat.read(path, as_version=4)


@cache
def surroundings() -> str:
    """A hash of what a notebook's outputs depend on beside its own script: the package, the weights, the results."""
    found = hashlib.sha256()
    files = [path for path in PACKAGE.rglob("*") if path.suffix in SUFFIXES and not NO_MATTER & set(path.parts)]
    files += [path for folder in ("weights", "results") for path in (DATA / folder).glob("*") if path.is_file()]
    for path in sorted(files):
        found.update(f"{path.relative_to(build.ROOT)}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
