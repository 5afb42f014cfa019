import json

import pytest

from ccalib import CcaError
from ccalib.evaluation import trials
from ccalib.model.presets import TINY
from ccalib.training import checkpoint, export


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


def here(run):
    """A run of this machine."""
    (run / "commands.txt").unlink()
    export.note_command(run, ["train", "a"], 0, False)
    return run


def test_runs_of_another_machine_are_not_added(tmp_path, monkeypatch, capsys):
    a, b = here(run_of(tmp_path / "a", 0.1)), here(run_of(tmp_path / "b", 0.1))
    arguments = ["-o", str(tmp_path / "x.json"), "--add"]
    assert trials.main(arguments) == 0 and not (tmp_path / "x.json").exists()  # nothing there yet, nothing to refuse
    assert trials.main([str(a), *arguments]) == 0
    monkeypatch.setattr(export, "hardware", lambda: "an abacus")
    assert trials.main(arguments) == 1 and "this is an abacus" in capsys.readouterr().err
    assert trials.main([str(b), *arguments]) == 1 and "other steps in equal time" in capsys.readouterr().err
    assert trials.main([str(a), str(b), "-o", str(tmp_path / "y.json")]) == 0  # compared at other than equal time
    with pytest.raises(SystemExit):
        trials.main(arguments[:2])


def test_runs_are_added_to_what_is_there(tmp_path, capsys):
    runs = [here(run_of(tmp_path / name, bpp)) for name, bpp in (("a", 0.1), ("b", 0.09), ("c", 0.11))]
    out = tmp_path / "trials.json"
    for run in (*runs, runs[1]):
        assert trials.main([str(run), "-o", str(out), "--add"]) == 0
    rows = json.loads(out.read_text())
    assert [(row["name"], round(row["bd_rate"])) for row in rows] == [("a", 0), ("b", -10), ("c", 10)]
    assert trials.main([str(runs[2]), "-o", str(out)]) == 0 and len(json.loads(out.read_text())) == 1
    for text, why in (("{}", "not written by"), ('[{"name": "a"}]', "not written by"), ("[", "cannot be read")):
        out.write_text(text)
        assert trials.main([str(runs[0]), "-o", str(out), "--add"]) == 1 and out.read_text() == text
        assert f"trials.json: {why}" in capsys.readouterr().err


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
        trials.compare([trials.read(a), trials.read(b)])
    (b / "log.jsonl").write_text(json.dumps(lines[0]) + "\n")
    with pytest.raises(CcaError, match="hasn't ended"):
        trials.read(b)
    assert trials.main([str(tmp_path / "none"), "-o", str(tmp_path / "x")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err
