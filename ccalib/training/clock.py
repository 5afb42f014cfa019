"""How long a training has been at work: without the time in which its process was stopped."""

from __future__ import annotations

import math
import time

HELD_UP = 10  # times the step before it, and
SECONDS = 5.0  # more than these: then a step was held up (Ctrl-Z, kill -STOP), and counts like the one before


class Clock:
    """Seconds at work, step by step.

    Attributes:
        seconds: so far, with those of the run that it goes on from.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self._at, self._before = seconds, time.monotonic(), math.inf

    def step(self) -> float:
        """After each step. Gives `seconds`; the first step counts whole, whatever it took."""
        took = self._took()
        if took > max(HELD_UP * self._before, SECONDS):
            took = self._before
        self._before = took
        self.seconds += took
        return self.seconds

    def between(self) -> float:
        """After other work than a step (a validation), which counts whole. Gives `seconds`."""
        self.seconds += self._took()
        return self.seconds

    def _took(self) -> float:
        before, self._at = self._at, time.monotonic()
        return self._at - before
