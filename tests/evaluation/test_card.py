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
    hours = [e | {"seconds": 3600 * e["step"]} for e in entries]
    assert "last 60 minutes of training the curve still moved by -1.0 %" in card.fall(hours, most=5)[-2]
    few = [e | {"points": e["points"][:3]} for e in entries]
    assert card.fall(entries[:1]) == card.fall([]) == card.fall(few) == []


def test_the_losses_are_told_with_their_intervals():
    def one(arm, at, mean, low, high, **more):
        base = {"family": "k1.7", "arm": arm, "against": "k1.7-plain", "at": at, "rate": "files", "n": 4}
        return base | {"mean": mean, "low": low, "high": high, "claimed": low * high > 0} | more

    rows = [one("honest-constant", "equal steps", 0.9, -1.4, 3.2), one("released", "equal steps", 2.2, 0.7, 3.7),
            one("released", "equal time", -5.0, -6.0, -4.0), one("released", "equal steps", 9, 8, 9.5, family="even"),
            one("longer", "equal steps", -8.0, -9.0, -7.0)]  # fmt: skip
    bits = [one("", "", 0.1, -0.3, 0.5), one("", "", -0.6, -1.2, 0.0)]
    moved = {"k1.7-honest-constant": bits, "k1.7-released": bits[:1]}
    summary = {"steps": 3000, "rule": "The rule.", "comparisons": rows, "moved_bits": moved}
    lines = card.helps(summary)
    assert "The rule." in lines[0] and len(lines) == 4 + 3
    assert lines[4].endswith("| +0.9 % | -1.4 to +3.2 % | 4 | no effect claimed |") and lines[6].endswith("better |")
    told = "honest-constant +0.9 % (-1.4 to +3.2 %: no effect claimed); released +2.2 % (+0.7 to +3.7 %: worse)"
    assert told in card.answer(summary)
    assert "`tiny`, 4 pairs of the same seed" in card.answer(summary)
    rows[1]["n"] = 2
    assert "`tiny`, 2 to 4 pairs of the same seed" in card.answer(summary)
    told = "differ in no group, as far as may be claimed; the largest mean difference from plain is -0.60 points (-1.20"
    assert told in card.answer(summary)
    moved["k1.7-released"] = [one("", "", 0.7, 0.2, 1.2)]
    assert "differ in group 1 (released: +0.70 points); the largest" in card.answer(summary)
    summary["moved_bits"] = {"k1.7-released": [one("", "", 0.7, 0.2, 1.2) | {"low": None, "high": None}]}
    assert "between groups" not in card.answer(summary) and "Lesson 05" in card.answer(summary)


def test_search_is_told_with_its_price():
    name, mean = "ccalib small, effort 20", {"mean_curves": {"percent": -13.4}}
    result = {"images": {"a": "", "b": ""}, "set": "validation", "settings": {name: {"effort": 20}},
              "curves": {"ccalib": [{"encode_s": 0.2}, {"encode_s": 0.3}], name: [{"encode_s": 6}, {"encode_s": 9}]},
              "bd_rate_refined": {name: {"ccalib": mean}}}  # fmt: skip
    assert card.efforts(result)[-1] == "| 20 | -13.4 % | 30 times as long |"


def test_results_of_other_weights_make_no_card(model, tmp_path, capsys):
    path = tmp_path / "kodak.json"
    path.write_text(json.dumps({"settings": {"ccalib": {"fingerprint": "0" * 16}}}))
    before = model.read_bytes()
    assert card.main([str(model), str(path)]) == 1 and "kodak.json: of weights 0000" in capsys.readouterr().err
    for text in ("[", "{}", "[]"):
        path.write_text(text)
        assert card.main([str(model), str(path)]) == 1 and "is no such result" in capsys.readouterr().err
    assert card.main([str(model), str(tmp_path / "none.json")]) == 1
    assert not model.with_suffix(".md").exists() and model.read_bytes() == before


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
    for name in ("picture", "results", "answer"):
        assert card.MARKS.format(f"{name}: written") in content


def test_results_of_other_weights_are_refused(model, tmp_path):
    from ccalib import weights

    own = weights.metadata(model)["fingerprint"]
    for result in ({"fingerprint": own}, {"settings": {card.OURS: {"fingerprint": own}}}):
        card.same_weights(model, tmp_path / "a.json", result)
    for result in ({"fingerprint": "0"}, {"settings": {card.OURS: {"fingerprint": "0"}}}):
        with pytest.raises(CcaError, match="a.json: of weights 0"):
            card.same_weights(model, tmp_path / "a.json", result)
