"""Files that earlier versions wrote still decode, to the same picture."""

import json
from pathlib import Path

import pytest

import ccalib
from ccalib.evaluation.metrics import psnr
from tests.conftest import DATA

GOLDEN = Path(__file__).parent / "golden"
ENTRIES = json.loads((GOLDEN / "golden.json").read_text())


def test_there_is_one_for_the_shipped_weights():
    marks = {ccalib.inspect(GOLDEN / name).fingerprint for name in ENTRIES}
    assert ccalib.load("small").fingerprint in marks


@pytest.mark.parametrize("name", ENTRIES)
def test_golden_files_decode(name):
    entry = ENTRIES[name]
    original = ccalib.images.load(DATA / "images" / entry["image"])
    assert (GOLDEN / name).stat().st_size == entry["size"]
    for groups, expected in zip(entry["groups"], entry["psnr"], strict=True):
        # symbols are checked against the file's checksums; pixels may differ by the last bit of a float
        assert psnr(original, ccalib.decode(GOLDEN / name, groups)) == pytest.approx(expected, abs=0.005)
