"""Lessons 01 to 05 in JupyterLab: each run from the top, and its widgets moved by mouse and keyboard."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from driving import open_and_run, sentence, top, troubles, widget  # noqa: E402

# lesson -> widgets: heading, what is focused, keys that must change what is said
LESSONS = {
    "01_transforms": [("Predict first", ".cca-option", ["ArrowDown", "Enter"]),
                      ("What does one latent paint", "[role=listbox]", ["ArrowRight", "ArrowDown"])],
    "02_bytes": [("Predict first", ".cca-option", ["ArrowDown", "Enter"]),
                 ("Choose the step", "[role=slider]", ["ArrowRight", "b"]),
                 ("One bit, no checksum", "[role=slider]", ["ArrowRight"])],
    "03_hyperprior": [("Predict first", ".cca-option", ["ArrowDown", "Enter"]),
                      ("The shrunk photograph", "[role=slider]", ["ArrowRight"])],
    "04_causal_context": [("Predict first", ".cca-option", ["ArrowDown", "Enter"]),
                          ("The inspector", ".cca-focus", ["ArrowRight", "PageDown", "]"]),
                          ("What did the previous group buy", ".cca-focus", ["ArrowRight"])],
    "05_cca_loss": [("Predict first", ".cca-option", ["ArrowDown", "Enter"]),
                    ("Two scalars", "[role=slider]", ["ArrowLeft", "ArrowUp", "]", "k"])],
}  # fmt: skip


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, chromium, lab, shots):
    page = open_and_run(chromium, lab, shots, request.param)
    yield request.param, page
    page.close()


def test_no_error_in_any_output(lesson):
    assert troubles(lesson[1]) == []


def test_widgets_follow_the_keys(lesson, shots):
    name, page = lesson
    for number, (heading, where, keys) in enumerate(LESSONS[name]):
        top(page)
        found = widget(page, heading)
        found.locator(where).first.focus()
        for key in keys:
            said = sentence(found)
            page.keyboard.press(key)
            page.wait_for_timeout(400)
            assert sentence(found) != said, (heading, key)
        found.screenshot(path=shots / f"{name}_{number}.png")
