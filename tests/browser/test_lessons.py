"""The lessons from 01 on in JupyterLab: each run from the top, and its widgets moved by mouse and keyboard."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from driving import every_move_is_told, leave, open_and_run, top, troubles, widget  # noqa: E402

PREDICT = ("Predict first", ".cca-option", ["ArrowDown", "Enter"], None)
# lesson -> widgets: heading, what is focused, keys, and what is clicked ("drag …": drawn along); each must be told
LESSONS = {
    "01_transforms": [PREDICT, ("What does one latent paint", "[role=listbox]", ["ArrowRight", "2"], "[role=option]")],
    "02_bytes": [
        PREDICT,
        ("Choose the step", "[role=slider]", ["ArrowRight", "b"], "drag [role=slider]"),
        ("One bit, no checksum", "[role=slider]", ["ArrowRight"], "drag .cca-stage"),
    ],
    "03_hyperprior": [PREDICT, ("The shrunk photograph", "[role=slider]", ["ArrowRight"], "drag .cca-stage")],
    "04_causal_context": [
        PREDICT,
        ("The inspector", ".cca-focus", ["ArrowRight", "PageDown", "]"], ".cca-photo"),
        ("What did the previous group buy", ".cca-focus", ["ArrowRight"], "button:has-text('masked')"),
    ],
    "05_cca_loss": [
        PREDICT,
        ("Two scalars", "[role=slider]", ["ArrowLeft", "ArrowUp", "]", "k"], "button:has-text('copy')"),
        ("Where does the loss lead", "[role=slider]", ["]", "-", "g"], ".cca-toy-map"),
    ],
    "06_grouping": [
        PREDICT,
        ("Design a schedule", "[role=slider]", ["ArrowLeft", "ArrowUp", ".", "n"], "button:has-text('paper')"),
        ("After the first step", "[role=slider]", ["ArrowRight"], "drag .cca-stage"),
    ],
    "07_training": [PREDICT, ("The training of the shipped weights", "[role=slider]", ["Home", "ArrowRight"], None)],
    "08_judging": [
        PREDICT,
        ("Kodak: bits and decibels", "[role=slider]", ["ArrowRight", "ArrowDown", "l"], ".cca-rate-entry button"),
    ],
    "09_real_size": [PREDICT],
}


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, chromium, lab, shots):
    page = open_and_run(chromium, lab, shots, request.param)
    yield request.param, page
    leave(page)


def test_no_error_in_any_output(lesson):
    assert troubles(lesson[1]) == []


def test_widgets_follow_keys_and_mouse(lesson, shots):
    name, page = lesson
    for number, (heading, where, keys, mouse) in enumerate(LESSONS[name]):
        top(page)
        found = widget(page, heading)
        every_move_is_told(page, found, heading, where, keys, mouse)
        found.screenshot(path=shots / f"{name}_{number}.png")
