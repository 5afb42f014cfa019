import json

import pytest

from ccalib import CcaError
from ccalib.evaluation import card
from ccalib.evaluation.complexity import OFFICIAL


def test_card_says_what_the_weights_say(photos, tmp_path):
    from ccalib import weights
    from ccalib.model.presets import TINY
    from ccalib.training.start import new_codec

    facts = {"data": "9 photographs", "steps": 12, "minutes": 3.5, "hardware": "an abacus", "torch": "0",
             "commands": ["ccalib train x"], "settings": {"lr": 1}}  # fmt: skip
    path = tmp_path / "tiny.safetensors"
    mark = weights.save(new_codec(TINY, photos, 0), path, facts)
    point = {"quality": 0.0, "lambda": 0.01, "bpp": 0.5, "psnr": 30.0, "loss": 1.0}
    log = {"kind": "validation", "images": 2, "objective": 0.1, "points": [point]}
    path.with_suffix(".log.jsonl").write_text(json.dumps(log) + "\n")
    kmac = {"g_a": 3.0, "path": 2.0}
    entry = {"weights": "random", "parameters": 1234, "kmac_per_pixel": kmac, "gflop": 7.0, "encode_ms": 60.0,
             "decode_ms": 70.0, "runs": 5}  # fmt: skip
    costs = {"hardware": "an abacus", "load": 0.0, "torch": "0", "presets": {"tiny": entry}, "official": OFFICIAL}
    text = card.card(path, None, "", costs)
    for word in (mark, "9 photographs", "3.5 minutes", "an abacus", "ccalib train x", "| 0 | 0.0100 | 0.500 | 30.00 |",
                 "| tiny | 1,234 | 3.0 | – |", "| 60 ms | 70 ms |"):  # fmt: skip
        assert word in text


def test_how_the_curve_fell_is_told_against_its_end():
    def entry(step, bits):
        points = [{"bpp": bits * 2**i, "psnr": 26.0 + 3 * i} for i in range(5)]
        return {"step": step, "seconds": 60 * step, "objective": 0.1 * bits, "points": points}

    entries = [entry(step, 0.1 * (1 + (40 - step) / 100)) for step in range(41)]
    lines = card.fall(entries, most=5)[5:-1]
    assert [line.split(" | ")[:2] for line in lines] == [[f"| {n}", f"{n}"] for n in (0, 10, 20, 30, 40)]
    assert [line.split(" | ")[3] for line in lines] == [f"+{n}.0 % |" for n in (40, 30, 20, 10, 0)]
    assert len(card.fall(entries[:3])) == 5 + 3 + 1
    few = [e | {"points": e["points"][:3]} for e in entries]
    assert card.fall(entries[:1]) == card.fall([]) == card.fall(few) == []


def test_marks_are_filled_and_can_be_filled_again(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- x: written by `make card` -->\nold\n<!-- x: end; written by `make card` -->\nb\n")
    for text in ("one", "two \\1"):
        card.fill(page, "x", text)
        assert page.read_text().split("\n")[2] == text and page.read_text().endswith("b\n")
    with pytest.raises(CcaError, match="marks"):
        card.fill(page, "y", "three")


def test_readme_has_the_marks():
    content = (card.ROOT / "README.md").read_text()
    for name in ("picture", "results"):
        assert card.MARKS.format(f"{name}: written") in content
