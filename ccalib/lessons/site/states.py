"""What a page's widgets hold, as scripts that load from file://: their modules, and their traits in one packed text.

A page may not fetch from file://, so everything is a script. Modules and styles are files of their own, shared by all
pages. The traits of a page's widgets are one container (length of the JSON, JSON, then all bytes traits), gzipped, in
base64; `host.js` unpacks it. Pictures among the traits are files, and their traits hold addresses.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from ccalib.errors import CcaError
from ccalib.lessons.site.pictures import Pictures

STATE = "application/vnd.jupyter.widget-state+json"
NOT_NEEDED = {"layout", "tabbable", "tooltip", "comm"}
CONTAINER = "ccaPage"
MODULE = "ccaModule"


@dataclass
class Widgets:
    """The widgets of one notebook.

    Attributes:
        models: id -> synced traits, as anywidget sent them, bytes included. Only widgets with a module of their own.
        asks: id -> traits that Python answers to. links: pairs of [id, trait] that are kept equal.
    """

    models: dict[str, dict] = field(default_factory=dict)
    asks: dict[str, list[str]] = field(default_factory=dict)
    links: list[list[list[str]]] = field(default_factory=list)

    def module(self, name: str) -> str:
        """The file, without its suffix, that holds a widget's module and style."""
        state = self.models[name]
        kind = str(state.get("_anywidget_id", "widget")).rpartition(".")[2].lower()
        digest = hashlib.sha256(f"{state['_esm']}\0{state.get('_css', '')}".encode()).hexdigest()
        return f"{kind}-{digest[:10]}"


def widgets_of(notebook: NotebookNode) -> Widgets:
    """The widgets of an executed notebook that kept their state."""
    stored = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    models = {}
    for name, model in stored.items():
        state = dict(model["state"])
        if "_esm" not in state:
            continue
        for buffer in model.get("buffers", []):
            _put(state, buffer["path"], base64.b64decode(buffer["data"]))
        models[name] = state
    about = notebook.metadata.get("ccalib", {})
    return Widgets(models, dict(about.get("asks", {})), [[list(e) for e in pair] for pair in about.get("links", [])])


def _put(state: dict, path: list, value: bytes) -> None:
    *way, last = path
    target = state
    for step in way:
        if isinstance(target[step], tuple):
            target[step] = list(target[step])
        target = target[step]
    target[last] = value


def packed(widgets: Widgets, names: Iterable[str], pictures: Pictures) -> str:
    """The container of some widgets: gzipped, in base64."""
    blobs: list[bytes] = []
    offset = 0

    def plain(value: object) -> object:
        nonlocal offset
        if isinstance(value, bytes):
            address = pictures.address(value)
            if address is not None:
                return address
            blobs.append(bytes(value))
            offset += len(blobs[-1])
            return {"__bytes__": [offset - len(blobs[-1]), len(blobs[-1])]}
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        return value

    names = list(names)
    models = {
        name: {
            "module": widgets.module(name),
            "asks": widgets.asks.get(name, []),
            "state": {k: plain(v) for k, v in widgets.models[name].items() if k[0] != "_" and k not in NOT_NEEDED},
        }
        for name in names
    }
    links = [pair for pair in widgets.links if all(end[0] in models for end in pair)]
    head = json.dumps({"models": models, "links": links}, separators=(",", ":")).encode()
    whole = len(head).to_bytes(4, "little") + head + b"".join(blobs)
    return base64.b64encode(gzip.compress(whole, 9, mtime=0)).decode("ascii")


def write(widgets: Widgets, names: Iterable[str], pictures: Pictures, assets: Path, data: Path) -> list[Path]:
    """Write the scripts that a page with these widgets needs, and return them in the order to load.

    Raises:
        CcaError: a widget that is shown has no state.
    """
    names = list(dict.fromkeys(names))
    missing = [name for name in names if name not in widgets.models]
    if missing:
        raise CcaError(f"{data.stem}: {len(missing)} widgets are shown without state")
    scripts = {}
    for name in names:
        module = widgets.module(name)
        path = scripts[module] = assets / f"{module}.js"
        if not path.exists():
            state = widgets.models[name]
            texts = ", ".join(map(json.dumps, (module, state["_esm"], state.get("_css", ""))))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{MODULE}({texts});\n", encoding="utf-8")
    if not names:
        return []
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(f'{CONTAINER}("{packed(widgets, names, pictures)}");\n')
    return [*scripts.values(), data]
