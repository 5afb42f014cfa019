"""A page that mounts widgets without any kernel: the same module text, and a model of fifteen lines.

Used by the browser test; it shows that the modules need nothing of Jupyter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from ccalib.lessons.widgets import LessonWidget

HOST = """
const unpack = (v) => Array.isArray(v) ? v.map(unpack)
  : v && v.__bytes__ !== undefined ? Uint8Array.from(atob(v.__bytes__), (c) => c.charCodeAt(0)) : v;
window.models = [];
function makeModel(state) {
  const listeners = {};
  const model = {
    get: (name) => state[name],
    set: (name, value) => { if (state[name] !== value) { state[name] = value; (listeners[`change:${name}`] || []).forEach((f) => f()); } },
    on: (name, f) => { (listeners[name] ||= []).push(f); },
    off: (name, f) => { listeners[name] = (listeners[name] || []).filter((g) => g !== f); },
    save_changes: () => { model.saves += 1; }, saves: 0,
  };
  window.models.push(model);
  return model;
}
for (const { module, state } of widgets) {
  const loaded = await import(URL.createObjectURL(new Blob([module], { type: "text/javascript" })));
  const el = document.body.appendChild(document.createElement("div"));
  el.className = "host";
  await loaded.default.render({ model: makeModel(Object.fromEntries(Object.entries(state).map(([k, v]) => [k, unpack(v)]))), el });
}
window.ready = true;
"""  # noqa: E501


def page(widgets: Sequence[LessonWidget], theme: str = "light") -> str:
    """One HTML text with everything in it."""
    data = [{"module": widget._esm, "state": state_of(widget)} for widget in widgets]
    style = "\n".join(dict.fromkeys(widget._css for widget in widgets))
    background = "#ffffff" if theme == "light" else "#111418"
    script = f"const widgets = {json.dumps(data)};\n{HOST}".replace("</", "<\\/")
    return (
        f'<!doctype html><meta charset="utf-8"><title>widgets</title><style>{style}</style>'
        f'<body data-theme="{theme}" style="background: {background}"><script type="module">{script}</script>'
    )


def state_of(widget: LessonWidget) -> dict:
    """The synced traits of a widget as JSON; bytes in base64."""
    hidden = {"layout", "tabbable", "tooltip", "comm"}
    return {name: _packed(getattr(widget, name)) for name in widget.keys if name[0] != "_" and name not in hidden}


def _packed(value):
    if isinstance(value, bytes):
        return {"__bytes__": base64.b64encode(value).decode("ascii")}
    if isinstance(value, list | tuple):
        return [_packed(one) for one in value]
    return value
