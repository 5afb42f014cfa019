import json

import pytest

from ccalib import CcaError
from ccalib.evaluation import trials
from ccalib.model.presets import TINY
from ccalib.training import checkpoint, export, pace


def run_of(folder, bpp: float, options: str = "", **settings):
    """What a finished run leaves, with rates `bpp` times some curve."""
    folder.mkdir()
    points = [
        {"quality": q, "lambda": 0.01, "bpp": bpp * 2**q, "bpp_z": 0.01, "bpp_groups": [0.1, 0.2], "psnr": 30 + 3 * q}
        for q in range(5)
    ]
    lines = [{"kind": "train", "step": s, "seconds": 6.0 * s} for s in (110, 120, 130)]
    lines.append({"kind": "validation", "step": 130, "seconds": 780.0, "images": 3, "points": points})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = f"ccalib train photos --run runs/x --quiet {options}"
    (folder / "commands.txt").write_text(f"ccalib train a\n{command}\nccalib train --resume  # elsewhere\n")
    state = {"preset": TINY.to_json(), "settings": {"lr": 1e-3} | settings, "plan": {"total": 130}}
    checkpoint.save(folder / "last.pt", state)
    return folder


def test_runs_are_compared_with_the_first(tmp_path):
    runs = [run_of(tmp_path / "a", 0.1), run_of(tmp_path / "b", 0.09, lr=5e-4)]
    out = tmp_path / "trials.json"
    assert trials.main([*map(str, runs), "-o", str(out)]) == 0
    first, second = json.loads(out.read_text())
    assert first["bd_rate"] == pytest.approx(0) and second["bd_rate"] == pytest.approx(-10)
    assert (first["steps"], first["minutes"]) == (130, 13.0) and first["command"].startswith("ccalib train photos")
    assert (first["from_steps"], first["from_minutes"]) == (0, 0)
    assert "| b | lr 0.0005 | 130 | 13 | -10.0 % | 0.110 |" in trials.table([first, second])
    forked = [row | {"from_steps": 30, "from_minutes": 3.0} for row in (first, second)]
    assert trials.table(forked).startswith("All go on from step 30, minute 3. On ")
    assert trials.table([forked[0], second]).startswith("On ")


def pace_of(path, seconds: float, machine: str = "an abacus"):
    """Step times of three trainings of 130 steps each."""
    one = {"seconds": seconds, "steps": 130, "options": ""}
    trainings = {"a": one, "b": one | {"options": "--seed 1"}, "c": one}
    path.write_text(json.dumps({"hardware": machine, "minutes": 1.0, "trainings": trainings}))
    return str(path)


def test_minutes_are_those_of_the_step_times(tmp_path, capsys):
    bpps, seed = {"a": 0.1, "b": 0.09, "c": 0.11, "d": 0.1}, {"b": "--seed 1"}
    runs = {name: run_of(tmp_path / name, bpp, seed.get(name, "")) for name, bpp in bpps.items()}
    out, times = tmp_path / "minutes.json", pace_of(tmp_path / "pace.json", 0.5)
    for name in "cbab":  # in any order: the first of the step times is what the others are compared with
        assert trials.main([str(runs[name]), "-o", str(out), "--add", "--pace", times]) == 0
    rows = json.loads(out.read_text())
    assert [(row["name"], round(row["bd_rate"])) for row in rows] == [("a", 0), ("b", -10), ("c", 10)]
    assert {row["minutes"] for row in rows} == {1.1} and {row["paced_on"] for row in rows} == {"an abacus"}
    assert "(minutes by step times on an abacus)" in trials.table(rows)

    before = out.read_bytes()
    other = pace_of(tmp_path / "other.json", 0.5, "a slide rule")
    for run, more, why in (
        ("d", ["--pace", times], "d: not among the step times"),
        ("a", ["--pace", other], "several machines"),
        ("a", [], "several machines"),
        ("b", ["--pace", str(tmp_path / "none.json")], "none.json: cannot be read"),
    ):
        words = [str(runs[run]), "-o", str(out), "--add", *more]
        assert trials.main(words) == 1 and why in capsys.readouterr().err and out.read_bytes() == before


@pytest.mark.parametrize("steps, options", [(131, ""), (130, "--lr 0.5"), (130, "--shape k=1"), (130, "--bf16 off")])
def test_a_run_of_other_steps_or_options_has_no_step_times(tmp_path, capsys, steps, options):
    run, times = run_of(tmp_path / "b", 0.1), tmp_path / "pace.json"
    one = {"seconds": 0.5, "steps": steps, "options": options}
    times.write_text(json.dumps({"hardware": "x", "minutes": 1.0, "trainings": {"b": one}}))
    assert trials.main([str(run), "-o", str(tmp_path / "x.json"), "--pace", str(times)]) == 1
    assert f"in {times} it has {steps}, with: {options or 'no other options'}" in capsys.readouterr().err


def test_a_run_of_more_options_than_those_timed_is_refused(tmp_path, capsys):
    run = run_of(tmp_path / "a", 0.1, "--optimizer muon --batch 16")
    assert trials.main([str(run), "-o", str(tmp_path / "x.json"), "--pace", pace_of(tmp_path / "p.json", 0.5)]) == 1
    assert "it has 130, with: no other options" in capsys.readouterr().err


def test_old_rows_are_held_against_the_step_times_too(tmp_path, capsys):
    """Times that were measured anew: 15 minutes are other steps now, and the old rows' are no equal time."""
    a, c = run_of(tmp_path / "a", 0.1), run_of(tmp_path / "c", 0.11)
    out, times = tmp_path / "x.json", tmp_path / "pace.json"
    add = [*("-o", str(out)), "--add", "--pace", pace_of(times, 0.5)]
    assert trials.main([str(a), *add]) == 0
    before = out.read_bytes()
    found = json.loads(times.read_text())
    found["trainings"]["a"]["steps"] = 131
    times.write_text(json.dumps(found))
    assert trials.main([str(c), *add]) == 1 and "a: 130 steps" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_steps_of_what_a_run_went_on_from_have_the_clock_s_minutes(tmp_path):
    run, times = run_of(tmp_path / "b", 0.1), tmp_path / "pace.json"
    (run / "commands.txt").write_text("ccalib train b --run b  # from step 110 on a machine\n")
    times.write_text(json.dumps({"hardware": "x", "minutes": 1.0, "trainings": {
        "b": {"seconds": 6.0, "steps": 20, "options": ""}}}))  # fmt: skip
    assert trials.paced(trials.read(run), pace.load(times), times)["minutes"] == 11.0 + 2.0


def test_runs_are_added_to_what_is_there(tmp_path, capsys):
    runs = [run_of(tmp_path / name, bpp) for name, bpp in (("a", 0.1), ("b", 0.09), ("c", 0.11))]
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
    assert export.first_step("ccalib train b  # from step 10,110 on a machine") == 10_110


def test_what_does_not_compare_is_refused(tmp_path, capsys):
    a, b = run_of(tmp_path / "a", 0.1), run_of(tmp_path / "b", 0.1)
    lines = [json.loads(line) for line in (b / "log.jsonl").read_text().splitlines()]
    lines[-1]["images"] = 4
    (b / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(CcaError, match="different numbers"):
        trials.compare([trials.read(a), trials.read(b)])
    rows = [trials.read(a), trials.read(a)]
    assert rows[0]["photographs"] is None and trials.compare([rows[0], rows[1] | {"photographs": "a"}])
    with pytest.raises(CcaError, match="on different photographs: a, a"):
        trials.compare([row | {"photographs": which} for row, which in zip(rows, "ab")])
    for change in ({"step": 120}, {"step": 140}):  # of what it went on from; of another plan
        lines[-1] |= change
        (b / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(CcaError, match="hasn't ended: its last validation is of step 1.0"):
            trials.read(b)
    (b / "log.jsonl").write_text(json.dumps(lines[0]) + "\n")
    with pytest.raises(CcaError, match="hasn't ended"):
        trials.read(b)
    assert trials.main([str(tmp_path / "none"), "-o", str(tmp_path / "x")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err
