"""Notebook 00 in JupyterLab, driven like a reader would: run all, move every slider by mouse and by keyboard."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from driving import (  # noqa: E402, E501
    active_cell,
    ask_kernel,
    command,
    drag,
    open_and_run,
    outputs,
    pixels,
    sentence,
    top,
    troubles,
    widget,
)


@pytest.fixture(scope="module")
def page(chromium, lab, shots):
    page = open_and_run(chromium, lab, shots, "00_tour")
    yield page
    page.close()


def test_no_error_in_any_output(page):
    assert len(outputs(page)) > 15
    assert troubles(page) == []


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
    assert ask_kernel(page, "print(round(wipe.position, 2))") == "0.75"


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
