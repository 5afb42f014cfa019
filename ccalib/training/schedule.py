"""The learning rate and α as functions of the step: warm-up, constant, then linear to zero."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    """Steps [start, decay_start) warm up and stay constant; [decay_start, total) fall linearly to zero.

    Checkpoints before `decay_start` belong to the constant phase: any of them can be continued, or decayed from.
    """

    warmup: int
    decay_start: int
    total: int
    start: int = 0

    def rate(self, step: int) -> float:
        """Factor of the learning rate, in (0, 1] before the end and 0 at it."""
        warm = min((step - self.start + 1) / self.warmup, 1.0) if self.warmup else 1.0
        if step < self.decay_start:
            return warm
        return min(warm, max(self.total - step, 0) / max(self.total - self.decay_start, 1))

    def polishes(self, step: int, share: float) -> bool:
        """Whether a step belongs to the last `share` of the decay."""
        return step >= self.total - share * (self.total - self.decay_start)

    def alpha(self, step: int, start: float, fall: float) -> float:
        """α of the honest loss: constant for fall = 0, else linear from `start` to 0 over that share of the steps."""
        return start if fall == 0 else start * max(1 - (step - self.start) / (fall * (self.total - self.start)), 0.0)


def plan_for(
    steps: int, warmup: int, decay: float, start: int = 0, constant: bool = True, cold: bool | None = None
) -> Plan:
    """A plan for `steps` more steps after `start`, the last share `decay` of them (all if not `constant`) decaying.

    Args:
        cold: whether the optimizer begins anew, which is what a warm-up is for; None: at step 0 only.
    """
    total = start + steps
    cold = start == 0 if cold is None else cold
    warmup = min(warmup, max(steps // 10, 1)) if cold else 0
    return Plan(warmup, total - round(decay * steps) if constant else start, total, start)
