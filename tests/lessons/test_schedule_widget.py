import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from ccalib.errors import CcaError
from ccalib.lessons.filling import group_shares
from ccalib.lessons.schedules import context_kmac, scheduled
from ccalib.lessons.trained import Trained
from ccalib.lessons.widgets import ScheduleDesigner, module_text
from ccalib.lessons.widgets.schedule import NETWORKS
from ccalib.model.groups import group_sizes
from ccalib.model.presets import PRESETS, TINY

SPECTRUM = 3e6 / np.arange(1, 769) ** 2.2
EVEN = Trained("even", scheduled(TINY, 96, 5, 0.0), 3, [0.2, 0.8], [[60, 20, 10, 5, 5], [40, 25, 15, 10, 10]])


def designer(**more):
    return ScheduleDesigner(SPECTRUM, [EVEN], ["k = 2.5"], **more)


def test_the_same_text_every_time_and_a_picture():
    one, other = designer(), designer()
    assert repr(one) == repr(other) == "ScheduleDesigner(G = 5, k = 1.7, M = 96, tiny)"
    assert one.as_text() == other.as_text() and one.static_png() == other.static_png()
    assert Image.open(io.BytesIO(one.static_png())).width > 600


def test_moving_a_slider_changes_what_is_said():
    widget = designer(bpp=0.4)
    assert widget.sizes == (2, 8, 16, 27, 43) and "Not trained." in widget.sentence() and widget.point is None
    widget.k = 0.0
    assert widget.sizes == (19, 19, 19, 19, 20) and widget.point is EVEN
    measured, predicted = EVEN.at(0.4), group_shares(widget.sizes, SPECTRUM[:384], 0.4)
    assert measured == [50, 22.5, 12.5, 7.5, 7.5]
    assert widget.error(EVEN) == pytest.approx(np.abs(predicted - measured).sum() / 2)
    assert f"Trained (3 runs): 50, 22, 12, 8, 8 %, so {widget.error(EVEN):.1f} % were" in widget.sentence()
    assert widget.table_rows()[0][:2] == ["g1", "19"] and widget.table_rows()[0][3] == "50.0"
    widget.bpp = 1.2
    assert "not measured at this rate (0.20 to 0.80)" in widget.sentence() and widget.error(EVEN) is None
    widget.groups = 7
    assert "7 groups" in widget.sentence() and "8 steps" in widget.sentence()


def test_an_impossible_schedule_is_refused_in_the_packages_words():
    widget = designer()
    widget.channels, widget.groups, widget.k = 24, 12, 3.0
    with pytest.raises(CcaError) as refused:
        group_sizes(24, 12, 3.0)
    assert widget.sentence() == str(refused.value) and widget.table_rows()[0][0] == "refused"
    assert Image.open(io.BytesIO(widget.static_png())).width > 600


@pytest.mark.parametrize("wrong", [{"network": "huge"}, {"bpp": 2.0}, {"eigenvalues": SPECTRUM[:100]}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(CcaError, match="schedule"):
        ScheduleDesigner(**{"eigenvalues": SPECTRUM} | wrong)


SCRIPT = """
const [variances, networks, cases] = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(([network, channels, groups, k, bpp]) => {
  const { sizes, error } = groupSizes(channels, groups, k);
  return error ? { error } : { sizes, kmac: contextKmac(networks[network], sizes, 1536), shares: filledShares(sizes, variances, bpp) };
})));
"""  # noqa: E501


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed; the browser test compares the same")
def test_the_browser_counts_as_python_does():
    cases = many_schedules(400)
    source = module_text("schedule_count.js") + SCRIPT
    given = json.dumps([SPECTRUM.tolist(), designer().networks, cases])
    done = subprocess.run(["node", "-e", source], input=given, capture_output=True, text=True, check=True, timeout=60)
    agree(cases, json.loads(done.stdout))


def many_schedules(count):
    """[network, M, G, k, bpp] at random, as the sliders give them."""
    rng = np.random.default_rng(6)
    return [[int(rng.integers(3)), 8 * int(rng.integers(2, 49)), int(rng.integers(1, 13)), int(rng.integers(31)) / 10,
             float(rng.uniform(0.05, 1.5))] for _ in range(count)]  # fmt: skip


def agree(cases, found):
    """Both must say the same of every schedule, the refused ones too."""
    refused = 0
    for (network, channels, groups, k, bpp), one in zip(cases, found, strict=True):
        try:
            preset = scheduled(PRESETS[NETWORKS[network]], channels, groups, float(k))
        except CcaError as error:
            assert one == {"error": str(error)}
            refused += 1
            continue
        assert tuple(one["sizes"]) == preset.sizes
        assert one["kmac"] == pytest.approx(context_kmac(preset), rel=1e-12)
        assert one["shares"] == pytest.approx(group_shares(preset.sizes, SPECTRUM, bpp), abs=1e-9)
    assert 0 < refused < len(cases) / 2
