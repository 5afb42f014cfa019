"""What training survives: kills at any moment, a full disk, steps that aren't finite."""

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from ccalib import CcaError
from ccalib.lessons.live import checkpoint_of
from ccalib.training import checkpoint
from ccalib.training.loop import PATIENCE
from ccalib.training.settings import Settings
from tests.faults import largest_file
from tests.training.test_loop import FAST, equal, make

EACH_STEP = Settings(**{**FAST.__dict__, "log_every": 1, "checkpoint_minutes": 0.0})


def entries(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def fresh(codec) -> dict:
    """A state to start from: quicker than computing a KLT for each run."""
    return checkpoint_of(codec)


def child(photos, run: Path, steps: int) -> None:
    """A run in a process of its own, which takes up what is there, or starts from `fresh.pt` beside it."""
    torch.set_num_threads(1)
    last = run / "last.pt"
    state = checkpoint.load(last if last.exists() else run.parent / "fresh.pt")
    make(photos, run, EACH_STEP, steps, state=state, resume=last.exists()).train()


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_one_interval_at_most(photos, fresh, tmp_path):
    """Killed at a random moment and twice while a checkpoint is being written; a checkpoint follows each step."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.test_faults"])  # torch is imported once, each child starts at once
    rng, run, steps, torn = random.Random(0), tmp_path / "killed", 6, 0

    def begin(where: Path) -> multiprocessing.Process:
        process = context.Process(target=child, args=(photos, where, steps))
        process.start()
        return process

    checkpoint.save(tmp_path / "fresh.pt", fresh)
    whole = begin(tmp_path / "whole")
    whole.join()
    for kill in range(3):
        process, writing = begin(run), run / "last.pt.tmp"
        before = (run / "last.pt").stat().st_mtime_ns if kill else 0
        while process.is_alive() and not ((run / "last.pt").exists() and (run / "last.pt").stat().st_mtime_ns > before):
            time.sleep(0.005)  # until its first checkpoint: progress, or this would not end
        until = time.monotonic() + (rng.random() / 4 if kill % 2 else 30)
        while process.is_alive() and time.monotonic() < until and not (kill % 2 == 0 and writing.exists()):
            time.sleep(0.001)
        process.kill()
        process.join()
        torn += writing.exists()
        kept, logged = checkpoint.load(run / "last.pt")["step"], entries(run)[-1]["step"]
        assert logged - 1 <= kept <= steps
    last = begin(run)
    last.join()
    assert whole.exitcode == last.exitcode == 0 and torn and not (run / "last.pt.tmp").exists()
    a, b = (checkpoint.load(where / "last.pt") for where in (tmp_path / "whole", run))
    for key in ("objective", "average", "optimizers", "step", "skipped"):
        assert equal(a[key], b[key]), key
    assert [e["loss"] for e in entries(run)] == [e["loss"] for e in entries(tmp_path / "whole")]


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path):
    path, state = tmp_path / "last.pt", {"step": 1, "weights": torch.arange(50_000.0)}
    checkpoint.save(path, state)
    whole = path.stat().st_size
    for size in (0, 1, 100, 1000, whole // 2, whole - 1000, whole - 1):  # in turn, all the places where writing fails
        with largest_file(size), pytest.raises(CcaError, match="last.pt: can't be written.*room.*--resume"):
            checkpoint.save(path, state | {"step": 2})
        assert checkpoint.load(path)["step"] == 1 and list(tmp_path.iterdir()) == [path]
    with largest_file(whole):
        checkpoint.save(path, state | {"step": 2})
    assert checkpoint.load(path)["step"] == 2


def test_a_run_on_a_full_disk_ends_in_an_error_and_goes_on_later(photos, fresh, tmp_path):
    trainer = make(photos, tmp_path / "run", EACH_STEP, state=fresh)
    step = trainer._step

    def filled():
        if trainer.step == 3:
            fault.__enter__()
        return step()

    fault, trainer._step = largest_file(100_000), filled
    try:
        with pytest.raises(CcaError, match="last.pt: can't be written"):
            trainer.train()
    finally:
        fault.__exit__(None, None, None)
    state = checkpoint.load(tmp_path / "run/last.pt")
    assert state["step"] == 3
    make(photos, tmp_path / "run", EACH_STEP, state=state, resume=True).train()
    assert [e["step"] for e in entries(tmp_path / "run")] == list(range(1, 9))
    with pytest.raises(CcaError, match="file/run: can't be written"):
        (tmp_path / "file").write_bytes(b"")
        make(photos, tmp_path / "file" / "run", state=fresh)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_log_on_a_full_disk_is_named(tmp_path):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    log = checkpoint.Log.__new__(checkpoint.Log)
    log.path, log.file = tmp_path / "log.jsonl", open(tmp_path / "log.jsonl", "a", buffering=1)  # noqa: SIM115
    with pytest.raises(CcaError, match="log.jsonl: can't be written.*No space"):
        log.write(kind="train", step=1)
    log.close()


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(photos, fresh, tmp_path, capsys, fault):
    trainer = make(photos, tmp_path, EACH_STEP, state=fresh)
    codec, step, seen = trainer.objective.codec, trainer._step, []
    if fault == "loss":  # a photograph of NaN
        at = trainer.crops.at
        trainer.crops.at = lambda i, p: (at(i, p)[0] * (float("nan") if i == 3 else 1), at(i, p)[1])
    else:
        codec.g_s.up[-1].bias.register_hook(lambda g: g * float("inf") if trainer.step == 3 else g)

    def watched():
        seen.append([p.detach().clone() for p in (*codec.parameters(), *trainer.averaged().parameters())])
        return step()

    trainer._step = watched
    trainer.train()
    assert equal(seen[3], seen[4]) and not equal(seen[2], seen[3]) and not equal(seen[4], seen[5])
    assert all(torch.isfinite(p).all() for p in trainer.averaged().parameters())
    log = entries(tmp_path)
    assert [e["step"] for e in log if e["kind"] == "skipped"] == [4] and trainer.skipped == 1
    assert [e["step"] for e in log if e["kind"] == "train"] == [1, 2, 3, 5, 6, 7, 8]
    assert "step 4: not finite; skipped (1 so far)" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "last.pt")["skipped"] == 1


def test_a_loss_that_stays_not_finite_stops_and_keeps_the_checkpoint(photos, fresh, tmp_path):
    trainer = make(photos, tmp_path, steps=2 * PATIENCE, state=fresh)
    trainer.save()
    before = (tmp_path / "last.pt").read_bytes()
    with torch.no_grad():
        trainer.objective.codec.g_s.up[-1].bias.fill_(float("nan"))
    with pytest.raises(CcaError, match=f"{PATIENCE} steps in a row.*step {PATIENCE}.*--continue-from.*--lr"):
        trainer.train()
    assert (tmp_path / "last.pt").read_bytes() == before and signal.getsignal(signal.SIGINT) != trainer._remember
