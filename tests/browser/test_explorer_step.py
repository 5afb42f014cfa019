"""The widgets of lessons 01 and 02 from file://, without a kernel: moved by mouse and keyboard, in both themes.

    CCALIB_BROWSER=1 python -m pytest tests/browser/test_explorer_step.py
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from static_host import open_page, press_all  # noqa: E402

from ccalib.images import pad, to_tensor  # noqa: E402
from ccalib.lessons.widgets.explorer import Explorer  # noqa: E402
from ccalib.lessons.widgets.step import StepChooser  # noqa: E402

MOVES = [  # which widget, what is focused, which key, the trait that must change
    (0, "[role=listbox]", "ArrowRight", "selected"),
    (0, "[role=listbox]", "ArrowDown", "selected"),
    (0, "[role=listbox]", "2", "place"),
    (0, "[role=listbox]", "a", "alone"),
    (1, "[role=slider]", "ArrowRight", "selected"),
    (1, "[role=slider]", "1", "which"),
    (1, "[role=slider]", "b", "selected"),
]


@pytest.fixture(scope="module")
def widgets(picture, codec):
    quality = torch.tensor([3.0])
    with torch.inference_mode():
        y_hat = torch.round(codec.analyze(pad(to_tensor(picture), 64), quality))
    places = {"sky": (2, 1), "edge": (5, 4), "texture": (9, 6)}
    values = np.random.default_rng(0).laplace(0, 120, 1536)
    steps = [float(f"{step:.3g}") for step in np.geomspace(8, 512, 49)]
    explorer = Explorer(codec, picture, y_hat, quality, places, range(16))
    return [explorer, StepChooser(values, [0.003, 0.01, 0.03], steps)]


@pytest.mark.parametrize("width, theme", [(840, "light"), (420, "dark")])
def test_live_without_a_kernel(chromium, widgets, theme, width, tmp_path, shots):
    page, errors = open_page(chromium, tmp_path, widgets, (width, 1100), theme)
    hosts = page.locator(".host")
    press_all(page, MOVES, 300)
    hosts.nth(0).locator("[role=option]").nth(9).click()
    hosts.nth(0).locator(".cca-ex-place").nth(0).click()
    page.wait_for_timeout(300)
    assert page.evaluate("[models[0].get('selected'), models[0].get('place')]") == [9, 0]
    assert hosts.nth(0).locator("[aria-selected=true]").count() == 1
    hosts.nth(1).scroll_into_view_if_needed()
    box = hosts.nth(1).locator("[role=slider]").bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(300)
    assert page.evaluate("models[1].get('selected')") > 35
    for index in range(2):
        stops = hosts.nth(index).locator("[tabindex='0'], button:not([tabindex]), input, a[href]")
        assert stops.count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=shots / f"explorer_step_{theme}_{width}.png", full_page=True)
    assert errors == []
    page.close()
