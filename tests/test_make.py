"""Targets of the Makefile that decide something, with a Python that only notes what it is asked."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STUB = """#!/bin/sh
case "$*" in *" --of "*) echo 7; exit;; esac
echo "$*" >> "$NOTES"
case "$*" in *"$FAIL"*) exit 1;; esac
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """`make TARGET` in folders of its own: its exit status, what was called, and all that it said."""
    python = tmp_path / "python"
    python.write_text(STUB)
    python.chmod(0o755)
    (tmp_path / "start.safetensors").write_text("")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))

    def run(target: str, fail: str = "nothing at all", **more: str) -> tuple[int, list[str], str]:
        monkeypatch.setenv("FAIL", fail)
        (tmp_path / "notes").write_text("")
        given = {"PYTHON": python, "PHOTOS": tmp_path} | more
        words = ["make", "-f", str(ROOT / "Makefile"), target, *(f"{k}={v}" for k, v in given.items())]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, (tmp_path / "notes").read_text().splitlines(), done.stdout + done.stderr

    return run


@pytest.fixture
def arms(make):
    """`make arms` of one arm."""
    own = {"IMAGES": "a b", "ARMS": "plain", "FROM": "start.safetensors", "ARM_RESULTS": "results", "ARM_RUNS": "runs"}
    return lambda **more: make("arms", **(own | more))


def commands(calls: list[str]) -> list[str]:
    return [line.split()[2] if line.startswith("-m ccalib ") else line.split()[1].rpartition(".")[2] for line in calls]


def test_an_arm_is_trained_measured_and_compared(arms):
    status, calls, _ = arms()
    assert status == 0 and commands(calls) == ["pace", "train", "rulers", "evaluate", "trials"]
    assert "--continue-from start.safetensors --loss plain" in calls[1] and calls[1].endswith("--steps 7")


def test_an_arm_goes_on_where_it_stopped(arms, tmp_path):
    (tmp_path / "runs/plain").mkdir(parents=True)
    (tmp_path / "runs/plain/last.pt").write_text("")
    assert arms()[1][1].endswith("--resume")
    (tmp_path / "runs/plain/small.safetensors").write_text("")
    assert commands(arms()[1]) == ["pace", "rulers", "evaluate", "trials"]


def test_results_that_are_there_are_left_alone(arms, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/small-plain.json").write_text("")
    status, calls, said = arms()
    assert (status, calls) == (0, []) and "plain: its results are in results" in said
    assert commands(arms(ARMS="plain honest")[1]) == ["pace", "train", "rulers", "evaluate", "trials"]
    assert "honest=" in arms(ARMS="plain honest")[1][0] and "plain=" not in arms(ARMS="plain honest")[1][0]


@pytest.mark.parametrize("part", ["pace", "ccalib train", "ccalib rulers", "ccalib evaluate", "trials"])
def test_a_part_that_fails_ends_it(arms, part):
    status, calls, _ = arms(fail=part)
    assert status != 0 and part in calls[-1]


@pytest.mark.parametrize("more", [{"PHOTOS": "none"}, {"FROM": "none.safetensors"}])
def test_what_is_missing_is_said_before_anything_runs(arms, more):
    status, calls, said = arms(**more)
    assert status != 0 and calls == [] and "name a folder of photographs" in said


def test_endings_go_on_from_the_fork_point_and_have_results_of_their_own(make, tmp_path):
    assert make("endings")[:2] == (2, []) and "constant.safetensors" in make("endings")[2]
    (tmp_path / ".training").mkdir()
    (tmp_path / ".training/constant.safetensors").write_text("")
    status, calls, _ = make("endings", ENDINGS="as-it-was end-256")
    assert status == 0 and commands(calls) == ["pace", "train", "trials", "train", "trials"]
    assert "--decay-from .training/constant.safetensors --batch 2 --crop 256" in calls[3]
    assert all("data/results/endings" in call for call in calls if "ccalib train" not in call)
    (tmp_path / "data/results").mkdir(parents=True)
    (tmp_path / "data/results/endings.json").write_text('  "name": "as-it-was"')
    assert commands(make("endings", ENDINGS="as-it-was end-256")[1]) == ["pace", "train", "trials"]
    assert commands(make("trials", TRIALS="muon")[1]) == ["pace", "train", "trials"]
