"""Notebook 00 in JupyterLab, driven like a reader would: run all, move every slider by mouse and by keyboard.

    CCALIB_BROWSER=1 python -m pytest tests/browser        (needs playwright and a Chromium; CCALIB_CHROMIUM names it)

Screenshots go to $CCALIB_SHOTS (default: pytest's temporary folder).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from playwright.sync_api import Page, TimeoutError, sync_playwright  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = Path(os.environ.get("CCALIB_NOTEBOOK", ROOT / "notebooks" / "00_tour.ipynb"))
CHROMIUM = os.environ.get("CCALIB_CHROMIUM", "/usr/bin/chromium")
RUN_S = 180


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("CCALIB_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A JupyterLab of its own on a free port, with a copy of the notebook."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(NOTEBOOK, folder / "00_tour.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    settings = folder / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=",
               f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True", "--allow-root"]  # fmt: skip
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=subprocess.STDOUT)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    else:
        raise RuntimeError((folder / "lab.log").read_text()[-2000:])
    yield f"http://127.0.0.1:{port}/lab/tree/00_tour.ipynb?reset"
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def page(address, shots):
    """The notebook, opened (seen as committed), then run from top to bottom."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        kernel = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"
        page.wait_for_function(f"{kernel} === 'idle'", timeout=60_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=shots / "as_committed.png")
        command(page, "application:toggle-left-area")
        command(page, "notebook:restart-run-all")
        accept = page.locator(".jp-Dialog .jp-mod-accept")
        accept.wait_for(timeout=10_000)
        accept.click()
        cells = "jupyterapp.shell.currentWidget.content.model.cells"
        done = (
            f"() => {{ const cells = {cells}; for (let i = 0; i < cells.length; i++) {{ const cell = cells.get(i); "
            "if (cell.type === 'code' && cell.executionState !== 'idle') return false; } return true; }"
        )
        page.wait_for_timeout(3000)
        try:
            page.wait_for_function(done, timeout=RUN_S * 1000)
        except TimeoutError:
            page.screenshot(path=shots / "not_done.png")
            raise
        page.wait_for_timeout(1000)
        yield page
        browser.close()


def command(page: Page, name: str, arguments: str = "{}") -> None:
    """Start a JupyterLab command; don't wait for it (it may wait for a dialog)."""
    page.evaluate(f"() => {{ jupyterapp.commands.execute('{name}', {arguments}); }}")


def widget(page: Page, heading: str):
    """The widget with this heading, scrolled into view (JupyterLab may detach cells that are far away)."""
    for _ in range(60):
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
    page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(0)")
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


def active_cell(page: Page) -> int:
    return page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex")


def outputs(page: Page) -> list[dict]:
    return page.evaluate(
        "(() => { const cells = jupyterapp.shell.currentWidget.content.model.cells; const all = []; "
        "for (let i = 0; i < cells.length; i++) if (cells.get(i).type === 'code') "
        "all.push(...cells.get(i).outputs.toJSON()"
        ".map((o) => ({cell: i, type: o.output_type, name: o.name, text: o.text, error: o.evalue}))); "
        "return all; })()"
    )


def test_no_error_in_any_output(page):
    found = outputs(page)
    assert len(found) > 15
    assert [o for o in found if o["type"] == "error" or o.get("name") == "stderr"] == []


def test_predict_reveals_only_after_commit(page, shots):
    top(page)
    found = widget(page, "Predict first")
    assert found.locator(".cca-misconception").count() == 0
    found.locator(".cca-option").nth(0).click()
    assert found.locator(".cca-misconception").count() == 0
    page.keyboard.press("ArrowDown")
    assert "B chosen" in sentence(found)
    page.keyboard.press("Enter")
    assert found.locator(".cca-misconception").count() == 1
    found.screenshot(path=shots / "predict.png")


def test_wipe(page, shots):
    top(page)
    found = widget(page, "Original and decoded: drag the line")
    before = pixels(found)
    drag(page, found.locator(".cca-stage"), 0.5, 0.2)
    assert "20 % of the width" in sentence(found)
    assert pixels(found) != before
    cell = active_cell(page)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "32 % of the width" in sentence(found)
    before = pixels(found)
    page.keyboard.press("z")
    page.wait_for_timeout(200)
    assert "Enlarged 2 times" in sentence(found) and pixels(found) != before
    page.keyboard.press("t")
    assert found.locator("table").is_visible()
    assert active_cell(page) == cell  # JupyterLab took none of the keys
    found.screenshot(path=shots / "wipe.png")


def test_wipe_switches_candidates(page, shots):
    found = widget(page, "Original against two files")
    before = pixels(found)
    found.locator("[role=slider]").focus()
    page.keyboard.press("2")
    page.wait_for_timeout(200)
    assert "Right of it: JPEG" in sentence(found) and pixels(found) != before
    found.screenshot(path=shots / "wipe_jpeg.png")


def test_group_bytes(page, shots):
    top(page)
    found = widget(page, "Where are the bytes")
    found.locator("[role=slider]").focus()
    said = []
    page.keyboard.press("Home")
    for _ in range(7):
        said.append(sentence(found))
        page.keyboard.press("ArrowRight")
    assert len(set(said)) == 7 and said[0].startswith("Header") and "z" in said[1]
    total = sum(int(text.split(": ")[1].split(" bytes")[0].replace(",", "")) for text in said)
    assert f"= {total:,} bytes" in found.locator(".cca-sum").inner_text()
    for part in (1, 2):
        found.locator(".cca-card").nth(part).hover(force=True)
        page.wait_for_timeout(200)
    assert sentence(found) == said[2]
    found.screenshot(path=shots / "group_bytes.png")


def test_progressive(page, shots):
    found = widget(page, "Cut the file where you like")
    strip = found.locator("[role=slider]")
    whole = pixels(found)
    drag(page, strip, 0.98, 0.5, 0.3)
    assert "(50 %)" in sentence(found) and "dropped" in sentence(found)
    half = pixels(found)
    assert half != whole
    found.screenshot(path=shots / "progressive.png")
    page.keyboard.press("PageDown")
    assert "dropped" not in sentence(found)
    page.keyboard.press("Home")
    page.wait_for_timeout(200)
    assert "CcaError" in sentence(found)
    found.screenshot(path=shots / "progressive_refused.png")
    page.keyboard.press("End")
    assert "(100 %)" in sentence(found)


def test_quality(page, shots):
    found = widget(page, "One model, every quality")
    drag(page, found.locator("[role=slider]"), 0.5, 0.02, 0.3)
    assert sentence(found).startswith("Quality 0")
    low = pixels(found)
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    assert sentence(found).startswith("Quality 6") and pixels(found) != low
    found.locator(".cca-dot").nth(2).click()
    assert sentence(found).startswith("Quality 2")
    found.screenshot(path=shots / "quality.png")


def test_selection_reaches_the_kernel(page):
    """The trait in Python follows the view: asked through a new cell."""
    top(page)
    found = widget(page, "Original and decoded: drag the line")
    drag(page, found.locator(".cca-stage"), 0.3, 0.75)
    page.wait_for_timeout(600)
    page.evaluate(
        "(async () => { const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel; window.said = ''; "
        "const future = kernel.requestExecute({code: 'print(round(wipe.position, 2))'}); future.onIOPub = (m) => "
        "{ if (m.header.msg_type === 'stream') window.said += m.content.text; }; await future.done; })()"
    )
    assert page.evaluate("window.said").strip() == "0.75"


def test_dark_theme(page, shots):
    command(page, "apputils:change-theme", "{theme: 'JupyterLab Dark'}")
    page.wait_for_timeout(2500)
    top(page)
    found = widget(page, "Where are the bytes")
    assert found.evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgb(22, 25, 30)"
    for name, heading in {
        "predict": "Predict first",
        "wipe": "Original and decoded",
        "group_bytes": "Where are the bytes",
        "progressive": "Cut the file where",
        "quality": "One model, every",
    }.items():
        top(page)
        widget(page, heading).screenshot(path=shots / f"dark_{name}.png")
    top(page)
    page.screenshot(path=shots / "dark_page.png")
