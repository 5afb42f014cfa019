"""Step times in turns, and equal time in steps."""

import types

import pytest

from ccalib import CcaError
from ccalib.model.presets import TINY
from ccalib.training import export, pace
from tests.conftest import DATA


class Fake:
    """A trainer whose steps take as long as they say."""

    def __init__(self, clock: list[float], seconds: list[float]) -> None:
        self.clock, self.seconds, self.step = clock, seconds, 0
        self.objective = types.SimpleNamespace(train=lambda: None)

    def _step(self) -> None:
        self.clock[0] += self.seconds[self.step]


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    return now


def test_turns_hit_all_alike_and_a_slow_one_does_not_count(clock):
    a = Fake(clock, [9, 9, 1, 1, 1, 1, 7, 7])  # the first turn warms up; the last is disturbed
    b = Fake(clock, [9, 9, 2, 2, 2, 4, 2, 2])
    assert pace.seconds_per_step({"a": a, "b": b}, turns=3, block=2) == {"a": 1.0, "b": 2.0}
    assert a.step == b.step == 8


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`pace` on measurements that are given, for the trainings that are asked for."""
    monkeypatch.setattr(export, "hardware", lambda: "an abacus")

    def call(seconds: dict[str, float], *words: str) -> tuple[int, list[str]]:
        asked = []
        monkeypatch.setattr(pace, "measure", lambda args, options: asked.extend(options) or seconds)
        return pace.main(["photos", "-o", str(tmp_path / "pace.json"), "--minutes", "2", *words]), asked

    return call


def test_minutes_become_steps_and_new_ones_are_measured_beside_the_first(run, tmp_path, capsys, monkeypatch):
    path = tmp_path / "pace.json"
    assert run({"reference": 0.5, "slow": 1.0}, "reference=", "slow=--crop 256") == (0, ["reference", "slow"])
    assert "slow: 1.000 s a step, 120 steps" in capsys.readouterr().out
    assert run({}, "reference=", "slow=--crop 256") == (0, [])
    assert run({"reference": 1.0, "muon": 4.0}, "reference=", "muon=--optimizer muon") == (0, ["reference", "muon"])
    known = pace.load(path)["trainings"]  # the machine had become twice as slow
    assert [(n, one["seconds"], one["steps"]) for n, one in known.items()] == [
        ("reference", 0.5, 240), ("slow", 1.0, 120), ("muon", 2.0, 60)
    ]  # fmt: skip
    capsys.readouterr()
    assert pace.main(["-o", str(path), "--of", "muon"]) == 0 and capsys.readouterr().out == "60\n"
    assert pace.main(["-o", str(path), "--of", "none"]) == 1
    assert "has no none, but reference, slow" in capsys.readouterr().err


def test_other_options_minutes_or_machines_are_refused(run, tmp_path, capsys, monkeypatch):
    path = tmp_path / "pace.json"
    assert run({"slow": 1.0}, "slow=--crop 256") == (0, ["slow"])
    before = path.read_bytes()
    for words, why in (
        (["slow=--crop 192"], "slow had other options"),
        (["slow=--crop 256", "--minutes", "3"], "it has 2 minutes each"),
    ):
        assert run({}, *words) == (1, []) and why in capsys.readouterr().err
    monkeypatch.setattr(export, "hardware", lambda: "a slide rule")
    assert run({}, "slow=--crop 256") == (0, [])  # nothing to measure
    assert run({}, "new=") == (1, []) and "lacks new, and was measured on an abacus" in capsys.readouterr().err
    assert path.read_bytes() == before
    with pytest.raises(SystemExit):
        pace.main(["-o", str(path)])


def test_what_is_no_such_file_is_refused(tmp_path):
    path = tmp_path / "pace.json"
    for text in ("[", "[]", "{}", '{"hardware": "x", "minutes": 1, "trainings": {"a": {"seconds": 1}}}',
                 '{"hardware": "x", "minutes": 1, "trainings": {}}'):  # fmt: skip
        path.write_text(text)
        with pytest.raises(CcaError, match="pace.json: (cannot be read|not written by)"):
            pace.load(path)


@pytest.fixture
def words(tmp_path):
    return [str(DATA / "images"), "-o", str(tmp_path / "pace.json"), "--cache", str(tmp_path / "cache")]


def test_a_training_is_prepared_as_its_options_say_and_equal_work_is_measured_once(words, tmp_path, monkeypatch):
    seen = []

    def times(trainers, *_, **__):
        seen.extend(trainers.values())
        return {work: float(i + 1) for i, work in enumerate(trainers)}

    monkeypatch.setattr(pace, "seconds_per_step", times)
    small = "--preset tiny --crop 64"
    trainings = [f"a={small} --batch 2", f"b={small} --shape latent=32 --bf16 on", f"c={small} --batch 2 --lr 0.5"]
    trainings += [f"d={small} --batch 2 --lambdas 0.01 0.02"]
    assert pace.main([*words, *trainings]) == 0
    a, b = seen
    assert (a.settings.batch, a.preset.latent, b.settings.batch, b.preset.latent) == (2, TINY.latent, 8, 32)
    assert b.settings.bf16
    assert [one["steps"] for one in pace.load(tmp_path / "pace.json")["trainings"].values()] == [900, 450, 900, 900]


def test_options_that_train_has_not_are_named(words, capsys):
    for options, why in (
        ("--hurry", "ccalib train has no --hurry"),
        ("--batch many", "argument --batch"),
        ("--shape latnet=3", "latnet"),
        ("--lr '", "quotation"),
    ):
        assert pace.main([*words, f"a={options}"]) == 1 and why in capsys.readouterr().err
