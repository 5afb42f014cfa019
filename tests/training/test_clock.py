import pytest

from ccalib.training.clock import Clock


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
