import json

import pytest

from ccalib import CcaError
from ccalib.evaluation import trials
from ccalib.model.presets import TINY
from ccalib.training import checkpoint


def run_of(folder, bpp: float, **settings):
    """What a finished run leaves, with rates `bpp` times some curve."""
    folder.mkdir()
    points = [
        {"quality": q, "lambda": 0.01, "bpp": bpp * 2**q, "bpp_z": 0.01, "bpp_groups": [0.1, 0.2], "psnr": 30 + 3 * q}
        for q in range(5)
    ]
    lines = [{"kind": "train", "step": s, "seconds": 6.0 * s} for s in (110, 120, 130)]
    lines.append({"kind": "validation", "step": 130, "seconds": 780.0, "images": 3, "points": points})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "commands.txt").write_text("ccalib train a\nccalib train b\nccalib train --resume  # elsewhere\n")
    checkpoint.save(folder / "last.pt", {"preset": TINY.to_json(), "settings": {"lr": 1e-3} | settings})
    return folder


def test_runs_are_compared_with_the_first(tmp_path):
    runs = [run_of(tmp_path / "a", 0.1), run_of(tmp_path / "b", 0.09, lr=5e-4)]
    out = tmp_path / "trials.json"
    assert trials.main([*map(str, runs), "-o", str(out)]) == 0
    first, second = json.loads(out.read_text())
    assert first["bd_rate"] == pytest.approx(0) and second["bd_rate"] == pytest.approx(-10)
    assert (first["steps"], first["minutes"], first["command"]) == (130, 13.0, "ccalib train b")
    assert (first["from_steps"], first["from_minutes"]) == (0, 0)
    assert "| b | lr 0.0005 | 130 | 13 | -10.0 % | 0.110 |" in trials.table([first, second])


def test_where_a_run_began_is_told_apart(tmp_path):
    run = run_of(tmp_path / "a", 0.1)
    (run / "commands.txt").write_text("ccalib train a\nccalib train b  # from step 110 on a machine\n")
    row = trials.read(run)
    assert (row["from_steps"], row["from_minutes"], row["steps"], row["minutes"]) == (110, 11.0, 130, 13.0)
    (run / "commands.txt").write_text("ccalib train b  # from step 10,110 on a machine\n")
    assert trials.read(run)["from_steps"] == 10_110


def test_what_does_not_compare_is_refused(tmp_path, capsys):
    a, b = run_of(tmp_path / "a", 0.1), run_of(tmp_path / "b", 0.1)
    lines = [json.loads(line) for line in (b / "log.jsonl").read_text().splitlines()]
    lines[-1]["images"] = 4
    (b / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(CcaError, match="different numbers"):
        trials.compare([a, b])
    (b / "log.jsonl").write_text(json.dumps(lines[0]) + "\n")
    with pytest.raises(CcaError, match="hasn't ended"):
        trials.compare([a, b])
    assert trials.main([str(tmp_path / "none"), "-o", str(tmp_path / "x")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err
