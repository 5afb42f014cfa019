import csv
import json
from pathlib import Path

import pytest

from ccalib import CcaError
from ccalib.evaluation import kodak, reference


@pytest.fixture
def hashes():
    with open(Path(kodak.__file__).with_name("kodak.tsv")) as file:
        return {row["file"]: row["sha256_rgb_pixels"] for row in csv.DictReader(file, delimiter="\t")}


def test_curves_are_for_kodak_by_its_pixels(hashes):
    assert set(reference.curves(hashes)) == set(reference.KEPT)
    assert reference.curves({f"{i}.png": mark for i, mark in enumerate(hashes.values())})  # names say nothing
    first, *rest = hashes
    for other in (
        {},
        {name: "0" * 64 for name in hashes},  # names alone
        {name: hashes[name] for name in rest},  # one is missing
        hashes | {"more.png": "0" * 64},
        hashes | {"copy.png": hashes[first]},  # one counts twice
    ):
        with pytest.raises(CcaError, match="not Kodak"):
            reference.curves(other)


def test_curves_can_be_compared_and_have_their_sources(hashes):
    curves = reference.curves(hashes)
    assert len({c["label"] for c in curves.values()}) == len(curves)
    for curve in curves.values():
        rates, levels = zip(*curve["points"])
        assert len(rates) >= 4 and list(rates) == sorted(rates) and list(levels) == sorted(levels)
        assert 0.02 < rates[0] < 0.2 and 25 < levels[0] < 31  # bits per pixel and dB, not other units
        assert curve["source"].startswith("github.com/") and "@" in curve["source"] and curve["paper"]
    assert [0.169, 30.43] in curves["cca"]["points"]  # as in the authors' RD_data.json


def test_what_does_not_fit_is_refused():
    points = {"bpp": [0.4, 0.1, 0.2, 0.3], "psnr": [33, 28, 30, 32], "source": "here"}
    whole = {key: points for key, _, _ in reference.KEPT.values()}
    curves = reference.cut(json.dumps({"kodak": whole}).encode())["curves"]
    assert curves["vtm"]["points"] == [(0.1, 28), (0.2, 30), (0.3, 32), (0.4, 33)]
    for bad in ({"kodak": {}}, {"tecnick": whole}, [], {"kodak": whole | {"vtm": points | {"psnr": [28, 33, 30, 32]}}}):
        with pytest.raises(CcaError):
            reference.cut(json.dumps(bad).encode())
    with pytest.raises(CcaError):
        reference.cut(b"not JSON")


def test_the_command_names_a_collection_that_it_can_not_read(tmp_path, capsys):
    before = reference.PATH.read_bytes()
    (tmp_path / "bad.json").write_text("[]")
    for name in ("bad.json", "none.json"):
        assert reference.main([str(tmp_path / name)]) == 1 and name in capsys.readouterr().err
    assert reference.PATH.read_bytes() == before
