"""The training dashboard from file://, without a kernel: keys, mouse, playing, and what a live training would send.

CCALIB_BROWSER=1 python -m pytest tests/browser/test_dashboard.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "lessons"))
from static_host import open_page, press_all  # noqa: E402
from test_dashboard_widget import WEIGHTS, training  # noqa: E402

from ccalib.lessons.widgets import Dashboard  # noqa: E402


@pytest.mark.parametrize("width, theme", [(480, "dark"), (800, "light"), (1280, "dark")])
def test_scrubbed_without_a_kernel(chromium, theme, width, tmp_path, shots):
    page, errors = open_page(chromium, tmp_path, [training()], (width, 900), theme)
    stage, live = page.locator("[role=slider]").first, page.locator(".cca-live")
    assert page.locator("[role=slider] button").count() == 0  # a screen reader would not find it there
    assert "Step 60 of 60" in live.inner_text() and "picture is of step 60" in live.inner_text()
    keys = ("ArrowLeft", "ArrowRight", "Home", "ArrowRight", "End", ",")
    press_all(page, [(0, "[role=slider]", key, "selected") for key in keys], 220)
    stage.focus()
    page.keyboard.press("t")
    page.wait_for_timeout(220)
    rows = page.locator("table.cca-table tbody tr")
    assert rows.count() == 10 and rows.first.locator("td").first.inner_text() == "5"
    page.keyboard.press("t")
    box = page.locator(".cca-at-rates .cca-chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 46 + (box["width"] - 54) * 0.51, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_timeout(250)
    assert page.evaluate("models[0].get('records')[models[0].get('selected')].step") == 30
    assert "Step 30 of 60" in live.inner_text() and "picture is of step 20: 21.0 dB" in live.inner_text()
    page.screenshot(path=shots / f"dashboard_{width}_{theme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and errors == []


def test_plays_and_follows_what_comes_in(chromium, tmp_path, shots):
    half, whole = training(30, 2), training()
    half.running = True
    page, errors = open_page(chromium, tmp_path, [half], (1280, 900))
    live, knob = page.locator(".cca-live"), page.locator(".cca-rail .cca-knob")
    assert "Training, step 30 of 60" in live.inner_text() and page.get_by_role("button", name="play").is_disabled()
    place = float(knob.get_attribute("cx"))
    page.screenshot(path=shots / "dashboard_running.png", full_page=True)
    page.evaluate("(records) => { models[0].set('records', records); models[0].set('running', false); }", whole.records)
    page.wait_for_timeout(100)
    assert float(knob.get_attribute("cx")) > place and "Step 60 of 60" in live.inner_text()
    page.get_by_role("button", name="play").click()
    page.wait_for_timeout(700)
    assert "Step 60 of 60" not in live.inner_text() and page.evaluate("models[0].get('selected')") >= -1
    page.get_by_role("button", name="to the end").click()
    page.wait_for_timeout(250)
    assert page.evaluate("models[0].get('selected')") == -1 and "Step 60 of 60" in live.inner_text()
    assert errors == []


def test_a_long_log_without_pictures(chromium, tmp_path, shots):
    small = Dashboard.from_log(WEIGHTS / "small.log.jsonl", "small")
    page, errors = open_page(chromium, tmp_path, [small], (1280, 800))
    assert page.locator(".cca-at-picture").count() == 0 and page.locator(".cca-chart path").count() > 6
    page.locator("[role=slider]").first.focus()
    page.keyboard.press("PageDown")
    page.wait_for_timeout(250)
    assert page.evaluate("models[0].get('selected')") >= 0
    page.screenshot(path=shots / "dashboard_small.png", full_page=True)
    assert errors == []
