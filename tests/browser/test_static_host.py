"""The widgets on a page from file://, without Jupyter and without a kernel: mounted, moved, in both themes."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from static_host import open_page, press_all  # noqa: E402

import ccalib  # noqa: E402
from ccalib.evaluation.metrics import psnr  # noqa: E402
from ccalib.lessons.pixels import Picture  # noqa: E402
from ccalib.lessons.widgets import GroupBytes, Predict, Progressive, Quality, Wipe  # noqa: E402

# what is focused, which key, and the trait that must change
MOVES = [
    (0, ".cca-divider", "ArrowRight", "position"),
    (0, ".cca-divider", "2", "candidate"),
    (0, ".cca-divider", "z", "zoom"),
    (1, ".cca-bytes", "ArrowLeft", "selected"),
    (2, ".cca-cut", "PageDown", "cut"),
    (3, ".cca-rail", "ArrowRight", "selected"),
    (4, "[role=radio] >> nth=0", "b", "choice"),
    (4, "[role=radio] >> nth=1", "Enter", "committed"),
]


@pytest.fixture(scope="module")
def widgets(picture, model):
    data = ccalib.encode(picture, quality=3, model=model)
    info = ccalib.inspect(data)
    decodes = [ccalib.decode(data, groups=count, model=model) for count in range(len(info.segments))]
    pictures = [Picture(f"{i} groups", d, 1000 + 500 * i, psnr(picture, d)) for i, d in enumerate(decodes)]
    return [
        Wipe(Picture("original", picture), *pictures[-2:]),
        GroupBytes(info),
        Progressive(info, decodes, [one.psnr for one in pictures]),
        Quality(range(len(pictures)), pictures, {"JPEG": [(0.4, 22.0), (1.1, 27.0)]}),
        Predict("What?", ["this", "that"], 1, "Because.", "An idea."),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_widgets_live_without_a_kernel(chromium, widgets, theme, tmp_path, shots):
    page, errors = open_page(chromium, tmp_path, widgets, (840, 900), theme, patience=20_000)
    hosts = page.locator(".host")
    assert hosts.count() == len(widgets)
    press_all(page, MOVES, 250)
    hosts.nth(1).locator(".cca-bytes").focus()  # a late echo from the host must not undo what the hand does
    page.keyboard.press("Home")
    page.evaluate("models[1].set('selected', 3)")
    assert hosts.nth(1).locator(".cca-live").inner_text().startswith("Header")
    page.wait_for_timeout(300)
    assert page.evaluate("models[1].get('selected')") == 0
    assert all(page.evaluate("models.map((m) => m.saves)"))  # the host was told
    for index in range(len(widgets)):  # one tab stop each
        stops = hosts.nth(index).locator("[tabindex='0'], button:not([tabindex]), input, a[href]")
        assert stops.count() == 1
    page.screenshot(path=shots / f"static_{theme}.png", full_page=True)
    assert errors == []
    page.close()
