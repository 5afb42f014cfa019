"""The two-scalar toy from file://, without a kernel: its count is Python's, its arrows move by mouse and keyboard.

CCALIB_BROWSER=1 python -m pytest tests/browser/test_toy.py
"""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from static_host import open_page  # noqa: E402

from ccalib.lessons.phases import load_phases  # noqa: E402
from ccalib.lessons.toy import arrows, count  # noqa: E402
from ccalib.lessons.widgets import TwoScalars  # noqa: E402

POSES = [
    ((0, 90), (1.6, 1.6)),
    ((45, 135), (3.3, 3.3)),
    ((-20, 35), (0.7, 2.0)),
    ((10, 10), (0.4, 0.4)),
    ((103, 193), (0.05, 0.8)),
    ((30, 31), (0.05, 4.0)),
    ((5, 95), (0.5, 0.05)),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_live_without_a_kernel(chromium, theme, tmp_path, shots):
    toy = TwoScalars(alpha=0.5)
    page, errors = open_page(chromium, tmp_path, [toy], (860, 760), theme)
    stage, live = page.locator("[role=slider]").first, page.locator(".cca-live")
    for angles, gains in POSES:  # the module's numbers are Python's
        page.evaluate(f"models[0].set('gains', {list(gains)}); models[0].set('angles', {list(angles)})")
        page.wait_for_timeout(50)
        c = count(arrows(np.radians(angles), gains))
        shown = [float(n) for n in re.findall(r"-?\d+\.\d+", live.inner_text())]
        wanted = [c.r1, c.r2_given_1, c.rate, c.r2, max(c.gain, 0), c.d]
        wanted += [c.rate + 50 * c.d, toy.best, 0.5, c.cca(50.0, 0.5)]
        assert np.allclose(shown, wanted, atol=0.011), (angles, shown, wanted)
    value = "JSON.stringify(['angles', 'gains', 'alpha', 'chosen'].map((n) => models[0].get(n)))"
    stage.focus()
    for key in ("k", "ArrowLeft", "1", "ArrowUp", "]"):
        before = page.evaluate(value)
        page.keyboard.press(key)
        page.wait_for_timeout(250)
        assert page.evaluate(value) != before, key
    page.keyboard.press("k")
    page.wait_for_timeout(250)
    box = stage.bounding_box()
    scale = box["width"] / 760
    center, reach = (box["x"] + 150 * scale, box["y"] + 150 * scale), 100 * scale / 2**0.5
    page.mouse.move(center[0] + reach, center[1] - reach)  # the first arrow's direction
    page.mouse.down()
    page.mouse.move(center[0] + 100 * scale, center[1], steps=5)
    page.mouse.up()
    page.wait_for_timeout(250)
    assert page.evaluate("models[0].get('angles')[0]") == pytest.approx(-45, abs=2)
    loss = float(re.search(r"J = (-?\d+\.\d+)", live.inner_text())[1])
    page.get_by_role("button", name="roll").click()
    page.wait_for_timeout(1500)
    assert float(re.search(r"J = (-?\d+\.\d+)", live.inner_text())[1]) < loss
    page.screenshot(path=shots / f"toy_{theme}.png")
    assert errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dial_follows_the_arrows_and_lambda(chromium, theme, tmp_path, shots):
    toy = TwoScalars((45, 135), alpha=0.5)
    page, errors = open_page(chromium, tmp_path, [toy], (480, 760), theme)
    dial, stage = page.locator("[role=meter]"), page.locator("[role=slider]").first

    def is_right() -> float:
        """The dial's number, best and bar are Python's for where the arrows are; gives the number."""
        for name in ("angles", "gains", "lam"):
            setattr(toy, name, page.evaluate(f"models[0].get('{name}')"))
        shown = [float(n) for n in re.findall(r"\d+\.\d+", dial.inner_text())]
        assert np.allclose(shown, [toy.plain, toy.best], atol=0.011), (shown, toy.plain, toy.best)
        track, bar = (dial.locator(where).bounding_box()["width"] for where in (".cca-toy-track", "i"))
        wanted = min(max(toy.plain - toy.best, 0), toy.reach) / toy.reach
        assert bar / (track - 2) == pytest.approx(wanted, abs=0.01)
        assert ("more than" in dial.inner_text()) == (toy.plain - toy.best > toy.reach)
        assert f"R + λD = {shown[0]:.2f}" in page.locator(".cca-live").inner_text()
        assert dial.get_attribute("aria-valuetext").startswith(f"{shown[0]:.2f};")
        return shown[0]

    turned = is_right()
    box = stage.bounding_box()
    scale = box["width"] / 760
    center, knob = (box["x"] + 150 * scale, box["y"] + 150 * scale), 100 * scale
    page.mouse.move(center[0], center[1] - knob)  # the first arrow, at 45° from its KLT axis
    page.mouse.down()
    page.mouse.move(center[0] + 5 * scale, center[1] - knob, steps=3)
    said = dial.inner_text()
    page.mouse.move(center[0] + knob / 3, center[1] - knob / 3, steps=5)
    assert dial.inner_text() != said  # while the button is down
    page.mouse.up()
    page.wait_for_timeout(250)
    shortened = is_right()
    assert shortened > turned
    page.screenshot(path=shots / f"toy_dial_{theme}.png")
    page.get_by_role("button", name="KLT").click()
    stage.focus()
    for key in ("+", "-", "-", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(250)
        is_right()
    page.evaluate("models[0].set('lam', 1000); models[0].set('gains', [0.3, 0.3])")
    page.wait_for_timeout(50)
    assert is_right() > 100
    page.keyboard.press("t")
    page.wait_for_timeout(250)
    assert "R + λD" in page.locator("table").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    page.screenshot(path=shots / f"toy_dial_table_{theme}.png", full_page=True)
    assert errors == []


def test_the_map_takes_alpha_and_lambda_and_leads_to_the_lowest(chromium, tmp_path, shots):
    phases = load_phases()
    page, errors = open_page(chromium, tmp_path, [TwoScalars(alpha=0.5, phases=phases)], (860, 900))
    stage, live = page.locator("[role=slider]").first, page.locator(".cca-live")
    box = page.locator(".cca-toy-map").bounding_box()
    column, row = 5, len(phases["lambdas"]) - 1
    scale = box["width"] / 760
    page.mouse.click(box["x"] + (52 + 20 * (column + 0.5)) * scale, box["y"] + (26 + 4) * scale)  # the finest step
    page.wait_for_timeout(250)
    wanted = phases["points"][row][column]
    chosen = page.evaluate("[models[0].get('alpha'), models[0].get('lam')]")
    assert chosen == [phases["alphas"][column], phases["lambdas"][row]]
    assert f"Lowest J near here: {wanted['valley']}" in live.inner_text()
    page.mouse.click(box["x"] + 740 * scale, box["y"] + 40 * scale)  # the legend, which is no place in the map
    page.wait_for_timeout(250)
    assert page.evaluate("[models[0].get('alpha'), models[0].get('lam')]") == chosen
    stage.focus()
    page.keyboard.press("g")
    page.wait_for_timeout(250)
    angles = page.evaluate("models[0].get('angles')")
    assert abs(angles[0] - angles[1]) == pytest.approx(wanted["opening"], abs=0.2)
    page.keyboard.press("-")
    page.wait_for_timeout(250)
    assert page.evaluate("models[0].get('lam')") < phases["lambdas"][row]
    page.screenshot(path=shots / "toy_map.png")
    assert errors == []
