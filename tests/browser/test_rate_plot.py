"""The RD plot from file://, without a kernel: its BD-rates are the package's, points answer to mouse and keyboard.

    CCALIB_BROWSER=1 python -m pytest tests/browser/test_rate_plot.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from static_host import open_page, press_all  # noqa: E402

from ccalib.lessons.widgets import RatePlot  # noqa: E402
from ccalib.lessons.widgets.rate_plot import signed  # noqa: E402

RESULT = json.loads((Path(__file__).parents[2] / "data" / "results" / "kodak.json").read_text())
MOVES = [(0, "[role=slider]", key, trait) for key, trait in
         [("ArrowRight", "point"), ("ArrowDown", "curve"), ("a", "anchor"), ("ArrowUp", "curve"), ("m", "metric"),
          ("l", "log"), ("l", "log"), (" ", "hidden")]]  # fmt: skip


def test_counts_what_python_counts(chromium, tmp_path):
    """BD-rates, sentence and table, in both metrics and against every anchor."""
    plot = RatePlot(RESULT, anchor="jpeg")
    page, errors = open_page(chromium, tmp_path, [plot], (860, 900))
    live, names = page.locator("p.cca-live"), [c["name"] for c in plot.curves]
    for metric in ("psnr", "ms_ssim"):
        for anchor in range(-1, len(names)):
            plot.anchor, plot.metric = anchor, metric
            page.evaluate(f"models[0].set('anchor', {anchor}); models[0].set('metric', '{metric}')")
            shown = page.locator(".cca-rate-bd").all_inner_texts()
            for i, text in enumerate(shown):
                found = plot.bd(i)
                assert (text.startswith(signed(found["percent"])) and f"{found['low']:.1f}–{found['high']:.1f}" in text
                        if found else "%" not in text), (names[anchor], names[i])  # fmt: skip
            assert live.inner_text() == plot.sentence()
            page.wait_for_timeout(250)
            assert page.evaluate("models[0].get('rows')") == plot.rows
    assert errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_live_without_a_kernel(chromium, theme, tmp_path, shots):
    plot = RatePlot(RESULT, anchor="jpeg")
    page, errors = open_page(chromium, tmp_path, [plot], (860, 900), theme)
    stage, names = page.locator("[role=slider]"), [c["name"] for c in plot.curves]
    page.evaluate(f"models[0].set('metric', 'psnr'); models[0].set('anchor', {names.index('avif')})")

    press_all(page, MOVES, 250)
    page.evaluate("models[0].set('metric', 'psnr'); models[0].set('hidden', [])")
    drawn = stage.locator("svg").inner_html()
    stage.focus()
    page.keyboard.press("l")
    page.wait_for_timeout(250)
    assert stage.locator("svg").inner_html() != drawn
    ring, box = stage.locator("circle.cca-rate-ring"), stage.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.wait_for_timeout(250)
    dot = stage.locator(".cca-rate-dot").nth(3).bounding_box()
    page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    page.wait_for_timeout(250)
    circle = ring.bounding_box()
    assert abs(circle["x"] + circle["width"] / 2 - dot["x"] - dot["width"] / 2) < 3
    tip = page.locator(".cca-rate-tip").inner_text()
    now = plot.curves[page.evaluate("models[0].get('curve')")]
    rate = now["bpp"][page.evaluate("models[0].get('point')")]
    assert tip.startswith(now["name"]) and f"{rate:.3f} bpp" in tip and now["source"] in tip
    tip_box = page.locator(".cca-rate-tip").bounding_box()
    assert tip_box["x"] >= box["x"] and tip_box["x"] + tip_box["width"] <= box["x"] + box["width"] + 1

    lines = stage.locator(".cca-rate-line").count()
    page.locator(".cca-rate-entry button", has_text="webp").click()
    page.wait_for_timeout(250)
    assert stage.locator(".cca-rate-line").count() == lines - 1
    assert page.evaluate("models[0].get('hidden')") == [names.index("webp")]
    page.screenshot(path=shots / f"rate_plot_{theme}.png", full_page=True)
    assert errors == []


@pytest.mark.parametrize("width", [480, 1280])
def test_fits_its_place(chromium, width, tmp_path, shots):
    page, errors = open_page(chromium, tmp_path, [RatePlot(RESULT, anchor="avif")], (width, 900))
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    letters = page.locator(".cca-rate svg text").first
    assert letters.bounding_box()["height"] > 10  # letters keep their size on narrow pages
    page.screenshot(path=shots / f"rate_plot_{width}.png", full_page=True)
    assert errors == []
