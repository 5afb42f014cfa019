"""A page that mounts widgets without any kernel: the same module text, and the site's static host.

Used by the browser tests; it shows that the modules need nothing of Jupyter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from ccalib.lessons import site
from ccalib.lessons.widgets import LessonWidget

HOST = (Path(site.__file__).parent / "assets" / "host.js").read_text()
SCRIPT = """
const unpack = (v) => Array.isArray(v) ? v.map(unpack)
  : v && v.__bytes__ !== undefined ? Uint8Array.from(atob(v.__bytes__), (c) => c.charCodeAt(0)) : v;
window.models = [];
window.view = async (i) => { // one more view of a widget
  const el = document.body.appendChild(document.createElement("div"));
  el.className = "host";
  await ccaHost.mount(widgets[i].module, models[i], el);
};
for (const [i, { state }] of widgets.entries()) {
  models.push(ccaHost.model(Object.fromEntries(Object.entries(state).map(([k, v]) => [k, unpack(v)]))));
  await view(i);
}
window.ready = true;
"""


def page(widgets: Sequence[LessonWidget], theme: str = "light") -> str:
    """One HTML text with everything in it."""
    data = [{"module": widget._esm, "state": state_of(widget)} for widget in widgets]
    style = "\n".join(dict.fromkeys(widget._css for widget in widgets))
    background = "#ffffff" if theme == "light" else "#111418"
    script = f"const widgets = {json.dumps(data)};\n{HOST}{SCRIPT}".replace("</", "<\\/")
    return (
        f'<!doctype html><meta charset="utf-8"><title>widgets</title><style>{style}</style>'
        f'<body data-theme="{theme}" style="background: {background}"><script type="module">{script}</script>'
    )


def open_page(browser, folder: Path, widgets: Sequence[LessonWidget], size: tuple[int, int], theme: str = "light", *,
              fragment: str = "", patience: float = 60_000):  # fmt: skip
    """The page of some widgets, mounted, and the list that errors thrown in it go to.

    Args:
        browser: playwright's; folder: the page is written there; size: of the window; patience: ms to wait.
    """
    (folder / "host.html").write_text(page(widgets, theme))
    opened = browser.new_page(viewport={"width": size[0], "height": size[1]})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto((folder / "host.html").as_uri() + fragment)
    opened.wait_for_function("window.ready === true", timeout=patience)
    return opened, errors


def press_all(opened, moves: Sequence[tuple[int, str, str, str]], rest: float) -> None:
    """Each move (which widget, what is focused, which key, a trait) must change the trait and what is said.

    Args:
        rest: ms after a key; the host hears of it when the hand rests.
    """
    for index, where, key, trait in moves:
        host, value = opened.locator(".host").nth(index), f"models[{index}].get('{trait}')"
        before, said = opened.evaluate(value), host.locator(".cca-live").inner_text()
        host.locator(where).focus()
        opened.keyboard.press(key)
        opened.wait_for_timeout(rest)
        assert opened.evaluate(value) != before, (where, key)
        assert host.locator(".cca-live").inner_text() != said


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
