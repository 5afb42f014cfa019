"""The learning rate and α as functions of the step: warm-up, constant, then linear to zero."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    """Steps [0, decay_start) warm up and stay constant; [decay_start, total) fall linearly to zero.

    Checkpoints before `decay_start` belong to the constant phase: any of them can be continued, or decayed from.
    """

    warmup: int
    decay_start: int
    total: int

    def rate(self, step: int) -> float:
        """Factor of the learning rate, in (0, 1] before the end and 0 at it."""
        if step >= self.decay_start:
            return max(self.total - step, 0) / max(self.total - self.decay_start, 1)
        return min((step + 1) / self.warmup, 1.0) if self.warmup else 1.0

    def polishes(self, step: int, share: float) -> bool:
        """Whether a step belongs to the last `share` of the decay."""
        return step >= self.total - share * (self.total - self.decay_start)

    def alpha(self, step: int, start: float, fall: float) -> float:
        """α of the honest loss: constant for fall = 0, else linear from `start` to 0 over that share of all steps."""
        return start if fall == 0 else start * max(1 - step / (fall * self.total), 0.0)


def plan_for(steps: int, warmup: int, decay: float, start: int = 0, constant: bool = True) -> Plan:
    """A plan for `steps` more steps after `start`, the last share `decay` of them (all if not `constant`) decaying."""
    total = start + steps
    warmup = min(warmup, max(steps // 10, 1)) if start == 0 else 0
    return Plan(warmup, total - round(decay * steps) if constant else start, total)
