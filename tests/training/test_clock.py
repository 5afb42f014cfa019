import json

import pytest

from ccalib.model.presets import TINY
from ccalib.training.clock import Clock
from ccalib.training.loop import Trainer
from ccalib.training.schedule import plan_for
from ccalib.training.settings import Settings


@pytest.fixture
def wait(monkeypatch):
    """Lets time pass."""
    now = [100.0]
    monkeypatch.setattr("ccalib.training.clock.time.monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_steps_add_up(wait):
    clock = Clock(7.0)
    for took in (30.0, 0.5, 4.0, 1.0):  # a slow start; and up to five seconds are never taken for a stop
        wait(took)
        clock.step()
    assert clock.seconds == pytest.approx(7 + 30 + 0.5 + 4 + 1)


def test_a_step_that_was_held_up_counts_like_the_one_before(wait):
    clock = Clock()
    for took, counted in ((1.0, 1.0), (600.0, 1.0), (1.2, 1.2), (11.9, 11.9), (600.0, 11.9)):
        before = clock.seconds
        wait(took)
        assert clock.step() - before == pytest.approx(counted)


def test_other_work_counts_whole(wait):
    clock = Clock()
    wait(1.0)
    clock.step()
    wait(60.0)
    assert clock.between() == pytest.approx(61)
    wait(600.0)
    assert clock.step() == pytest.approx(62)


def test_the_logged_speed_is_that_of_the_steps_with_validations_between(wait, photos, tmp_path):
    settings = Settings(batch=1, crop=64, warmup=1, log_every=4, validate_minutes=0.05)
    trainer = Trainer(tmp_path, TINY, photos, settings, plan=plan_for(8, 1, 0), progress=False)
    step, trainer._validate = trainer._step, lambda log: wait(100.0)  # after steps 2, 4, 6, 8

    def slow():
        wait(2.0)
        return step()

    trainer._step = slow
    trainer.train()
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(e["step"], e["steps_per_second"], e["seconds"]) for e in entries] == [(4, 0.5, 108.0), (8, 0.5, 316.0)]
