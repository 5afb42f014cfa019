"""The schedule designer from file://, without a kernel: it counts as Python does, and moves by mouse and keyboard.

    CCALIB_BROWSER=1 python -m pytest tests/browser/test_schedule.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "lessons"))
from static_host import open_page  # noqa: E402
from test_schedule_widget import EVEN, SPECTRUM, agree, designer, many_schedules  # noqa: E402

from ccalib.lessons.widgets import module_text  # noqa: E402

NAMES = ("groups", "k", "channels", "network", "bpp")
COUNT = """([variances, networks, cases]) => cases.map(([network, channels, groups, k, bpp]) => {
  const { sizes, error } = groupSizes(channels, groups, k);
  return error ? { error } : { sizes, kmac: contextKmac(networks[network], sizes, 1536), shares: filledShares(sizes, variances, bpp) };
})"""  # noqa: E501


def test_counts_as_python_does(chromium):
    page, cases = chromium.new_page(), many_schedules(400)
    page.add_script_tag(content=module_text("schedule_count.js"))
    agree(cases, page.evaluate(COUNT, [SPECTRUM.tolist(), designer().networks, cases]))
    page.close()


@pytest.mark.parametrize("width, theme", [(480, "dark"), (800, "light"), (1280, "dark")])
def test_live_without_a_kernel(chromium, theme, width, tmp_path, shots):
    page, errors = open_page(chromium, tmp_path, [designer()], (width, 760), theme)
    stage, live = page.locator("[role=slider]").first, page.locator(".cca-live")
    value = f"JSON.stringify({json.dumps(NAMES)}.map((n) => models[0].get(n)))"
    mirror = designer()

    def said():
        for name in NAMES:
            setattr(mirror, name, page.evaluate(f"models[0].get('{name}')"))
        assert live.inner_text() == mirror.sentence()
        assert page.evaluate("models[0].get('rows')") == mirror.table_rows()

    said()
    stage.focus()
    for key in ("ArrowLeft", "ArrowDown", "]", ".", ",", "2", "3", "1", "n"):
        before = page.evaluate(value)
        page.keyboard.press(key)
        page.wait_for_timeout(220)
        assert page.evaluate(value) != before, key
        said()
    assert mirror.point is EVEN and page.locator(".cca-sd-mark").count() == 5  # N goes to what was trained
    for label, place in (("G", 11), ("k", 30), ("M", 1)):
        slider = page.get_by_label(label, exact=True)
        slider.evaluate("(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }", place)
    page.wait_for_timeout(220)
    said()
    assert "don't fit" in live.inner_text() or "leaves" in live.inner_text()
    assert page.locator(".cca-sd-bar").count() == 0 and page.locator(".cca-sd-refused").count() > 1
    page.screenshot(path=shots / f"schedule_{theme}_{width}_refused.png")
    page.locator(".cca-sd-point").first.click()
    page.wait_for_timeout(220)
    assert mirror.sentence() != live.inner_text() and "Trained (3 runs)" in live.inner_text()
    page.keyboard.press("t")
    page.wait_for_timeout(220)
    assert page.locator(".cca-table tbody tr").count() == 5
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    page.screenshot(path=shots / f"schedule_{theme}_{width}.png")
    assert errors == []
    page.close()
