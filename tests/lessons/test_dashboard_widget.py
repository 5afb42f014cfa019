import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from ccalib.errors import CcaError
from ccalib.lessons.thread import thread_photo
from ccalib.lessons.widgets import Dashboard, module_text

WEIGHTS = thread_photo().parents[1] / "weights"


def training(steps: int = 60, shots: int = 4, total: int = 60) -> Dashboard:
    """A made-up training of five groups, up to a step."""
    made = Dashboard("made up", 5, total)
    for step in range(5, steps + 1, 5):
        fall = np.exp(-step / 30)
        groups = [0.02, 0.08, 0.1 + 0.1 * fall, 0.1 + 0.2 * fall, 0.1 + 0.3 * fall]
        d = 90 + 400 * fall
        terms = {"groups": groups, "rate_z": 0.03, "distortion": d, "plain": sum(groups) + 0.03 + 0.0075 * d}
        made.add(step, terms, 1e-3 * (1 - step / (total + 1)))
    for i in range(shots):
        shade = np.full((64, 96, 3), 60 * i, np.uint8)
        made.show(i * steps // max(shots - 1, 1), Image.fromarray(shade), 20.0 + i, 0.5)
    return made


def test_the_same_text_and_picture_every_time():
    one, other = training(), training()
    assert repr(one) == repr(other) == repr(Dashboard("made up", 5, 60)) == "Dashboard(made up: 5 groups, 60 steps)"
    assert one.as_text() == other.as_text() and one.static_png() == other.static_png()
    still, empty = (Image.open(io.BytesIO(w.static_png())) for w in (one, Dashboard("made up", 5)))
    assert still.width > 600 and still.height > empty.height


def test_it_fills_and_keeps_what_it_is_told():
    made, seen = Dashboard("made up", 2), []
    made.observe(lambda change: seen.append(change["name"]), ["records", "pictures"])
    made.add(1, {"groups": [0.1, 0.2], "rate_z": 0.05, "distortion": 50.0, "plain": 0.85}, 1e-3)
    record = made.records[-1]
    assert record["cost"] == pytest.approx(0.5) and record["sum"] == 0.85 and record["lr"] == 1e-3
    made.show(1, Image.new("RGB", (96, 64)), 30.123, 0.35)
    assert (made.width, made.height) == (96, 64) and made.shots == [{"step": 1, "psnr": 30.12, "bpp": 0.35}]
    assert seen == ["records", "pictures"] and Image.open(io.BytesIO(made.pictures[0])).format == "WEBP"
    assert "picture of step 1: 30.1 dB at 0.35 bpp" in made.as_text()
    assert made.table_rows() == [["1", "0.350", "0.0500", "0.100", "50.0", "0.500", "0.850", "0.00100"]]


@pytest.mark.parametrize(("step", "groups"), [(1, [0.1, 0.2]), (2, [0.1])])
def test_steps_rise_and_groups_stay(step, groups):
    made = Dashboard("made up", 2)
    terms = {"rate_z": 0.0, "distortion": 1.0, "plain": 1.0}
    made.add(1, terms | {"groups": [0.1, 0.2]}, 1e-3)
    with pytest.raises(CcaError, match=f"dashboard: step {step}"):
        made.add(step, terms | {"groups": groups}, 1e-3)
    with pytest.raises(CcaError, match="at least one group"):
        Dashboard("none", 0)


def test_a_log_becomes_a_dashboard(tmp_path):
    log = WEIGHTS / "small.log.jsonl"
    made = Dashboard.from_log(log, "small")
    entries = [e for e in map(json.loads, log.read_text().splitlines()) if e["kind"] == "train"]
    assert made.total == made.records[-1]["step"] == entries[-1]["step"] and len(made.records) <= 160
    if len(entries) > 160:
        mean = np.mean([e["distortion"] for e in entries[: int(np.ceil(len(entries) / 160))]])
        assert made.records[0]["d"] == pytest.approx(mean, rel=1e-4)
    assert made.shots == [] and made.static_png() == Dashboard.from_log(log, "small").static_png()
    (tmp_path / "log.jsonl").write_text('{"kind": "train"}\n')
    with pytest.raises(CcaError, match=r"log\.jsonl: not the log of a training"):
        Dashboard.from_log(tmp_path / "log.jsonl", "none")


def test_the_module_needs_nothing_else():
    widget = Dashboard("made up", 5)
    assert widget._esm == module_text(*Dashboard.parts, "dashboard.js") and widget._esm.count("export default") == 1
    assert "cca-rail-row" in widget._css and not re.search(r"https?://(?!www\.w3\.org)", widget._esm)
