"""What a reader's hands do in JupyterLab: open a notebook, run all, find a widget, drag."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, TimeoutError

RUN_S = 240
REST = 400  # ms after a move; the host hears of it when the hand rests
NOTEBOOK = "jupyterapp.shell.currentWidget"
CELLS = f"{NOTEBOOK}.content.model.cells"


def open_and_run(browser: Browser, address: str, shots: Path, name: str) -> Page:
    """A notebook of the lab, seen as committed, then run from top to bottom."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{address}{name}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    kernel = f"{NOTEBOOK}?.sessionContext?.session?.kernel?.status"
    page.wait_for_function(f"{kernel} === 'idle'", timeout=60_000)
    page.wait_for_timeout(1000)
    page.screenshot(path=shots / f"{name}_as_committed.png")
    command(page, "application:toggle-left-area")
    command(page, "notebook:restart-run-all")
    accept = page.locator(".jp-Dialog .jp-mod-accept")
    accept.wait_for(timeout=10_000)
    accept.click()
    done = (
        f"() => {{ const cells = {CELLS}; for (let i = 0; i < cells.length; i++) {{ const cell = cells.get(i); "
        "if (cell.type === 'code' && cell.executionState !== 'idle') return false; } return true; }"
    )
    page.wait_for_timeout(3000)
    try:
        page.wait_for_function(done, timeout=RUN_S * 1000)
    except TimeoutError:
        page.screenshot(path=shots / f"{name}_not_done.png")
        leave(page)
        raise
    page.wait_for_timeout(1000)
    return page


def leave(page: Page) -> None:
    """Shut the kernel down, so that it takes no time from the next notebook, and close the page."""
    page.evaluate(f"async () => {{ await {NOTEBOOK}.sessionContext.shutdown(); }}")
    page.close()


def command(page: Page, name: str, arguments: str = "{}") -> None:
    """Start a JupyterLab command; don't wait for it (it may wait for a dialog)."""
    page.evaluate(f"() => {{ jupyterapp.commands.execute('{name}', {arguments}); }}")


def widget(page: Page, heading: str):
    """The widget with this heading, scrolled into view (JupyterLab may detach cells that are far away)."""
    for _ in range(90):
        found = page.locator(".cca", has=page.locator(".cca-heading", has_text=heading)).first
        if found.count():
            found.scroll_into_view_if_needed()
            page.wait_for_timeout(300)
            return found
        page.mouse.move(640, 500)
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(120)
    raise AssertionError(f"no widget {heading!r}")


def top(page: Page) -> None:
    page.evaluate(f"{NOTEBOOK}.content.scrollToItem(0)")
    page.wait_for_timeout(300)


def sentence(found) -> str:
    return found.locator(".cca-live").inner_text()


def pixels(found) -> bytes:
    return found.locator(".cca-stage").screenshot()


def drag(page: Page, target, start: float, end: float, height: float = 0.5) -> None:
    box = target.bounding_box()
    y = box["y"] + height * box["height"]
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=8)
    page.mouse.up()
    page.wait_for_timeout(200)


def every_move_is_told(page: Page, found, heading: str, where: str, keys: list[str], mouse: str | None) -> None:
    """Each key, and then the mouse (a click, or "drag …"), changes what the widget says."""
    found.locator(where).first.focus()
    for key in keys:
        said = sentence(found)
        page.keyboard.press(key)
        page.wait_for_timeout(REST)
        assert sentence(found) != said, (heading, key)
    if mouse:
        said = sentence(found)
        if mouse.startswith("drag "):
            drag(page, found.locator(mouse.removeprefix("drag ")).first, 0.8, 0.7)
        else:
            found.locator(mouse).first.click()
        page.wait_for_timeout(REST)
        assert sentence(found) != said, (heading, mouse)


def active_cell(page: Page) -> int:
    return page.evaluate(f"{NOTEBOOK}.content.activeCellIndex")


def outputs(page: Page) -> list[dict]:
    return page.evaluate(
        f"(() => {{ const cells = {CELLS}; const all = []; "
        "for (let i = 0; i < cells.length; i++) if (cells.get(i).type === 'code') "
        "all.push(...cells.get(i).outputs.toJSON()"
        ".map((o) => ({cell: i, type: o.output_type, name: o.name, text: o.text, error: o.evalue}))); "
        "return all; })()"
    )


def troubles(page: Page) -> list[dict]:
    """Errors, and whatever was printed to stderr."""
    return [o for o in outputs(page) if o["type"] == "error" or o.get("name") == "stderr"]


def ask_kernel(page: Page, code: str) -> str:
    """What the notebook's kernel prints for a line of Python."""
    page.evaluate(
        f"async (code) => {{ const kernel = {NOTEBOOK}.sessionContext.session.kernel; window.said = ''; "
        "const future = kernel.requestExecute({code}); future.onIOPub = (m) => "
        "{ if (m.header.msg_type === 'stream') window.said += m.content.text; }; await future.done; }",
        code,
    )
    return page.evaluate("window.said").strip()
