"""Checks of lesson 07: the plan of the learning rate, and what a latent is in training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong
from ccalib.training.schedule import Plan

# ---- learning_rate(step, steps, warmup, decay) -> a factor in (0, 1] ------------------------------------------------


def draw_plan(rng: np.random.Generator) -> tuple[int, int, int, float]:
    """A step of a training of `steps` steps, `warmup` of them warming up, the last share `decay` falling."""
    steps = int(rng.integers(20, 400))
    warmup, decay = int(rng.integers(2, steps // 4)), float(rng.choice([0.1, 0.2, 0.3, 0.5]))
    return int(rng.integers(steps)), steps, warmup, decay


def draw_warm(rng: np.random.Generator) -> tuple[int, int, int, float]:
    _, steps, warmup, decay = draw_plan(rng)
    return int(rng.integers(warmup)), steps, warmup, decay


def draw_falling(rng: np.random.Generator) -> tuple[int, int, int, float]:
    _, steps, warmup, decay = draw_plan(rng)
    return int(rng.integers(steps - round(decay * steps), steps)), steps, warmup, decay


def draw_any(rng: np.random.Generator) -> tuple[int, int, int, float]:
    """Warm-up and decay as often as the rest: uniform steps missed the short warm-up in one of thirteen checks."""
    return (draw_warm, draw_falling, draw_plan)[rng.integers(3)](rng)


def planned(step: int, steps: int, warmup: int, decay: float) -> float:
    """What the course's trainer takes."""
    return Plan(warmup, steps - round(decay * steps), steps).rate(step)


def _plan(step: int, steps: int, warmup: int, decay: float) -> str:
    return f"step = {step}, steps = {steps}, warmup = {warmup}, decay = {decay:g}"


def as_planned(answer: Answer, *plan) -> None:
    found, wanted = answer[0](*plan), planned(*plan)
    try:
        found = float(found)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{found!r}, not a number") from error
    if not np.isclose(found, wanted, rtol=0, atol=1e-9):
        raise Wrong(f"{found:.4f}, not {wanted:.4f}")


def _factor(wrong: Callable[..., float]) -> Callable:
    """Whether the factor is the wrong one and not the right one."""

    def made(answer: Answer, *plan) -> bool:
        found = float(answer[0](*plan))
        return bool(np.isclose(found, wrong(*plan)) and not np.isclose(found, planned(*plan)))

    return made


def _from_zero(step: int, steps: int, warmup: int, decay: float) -> float:
    return min(step / warmup, planned(step, steps, 0, decay))


def _to_zero_at_last(step: int, steps: int, warmup: int, decay: float) -> float:
    start = steps - round(decay * steps)
    return (steps - 1 - step) / (steps - 1 - start) if step >= start else planned(step, steps, warmup, decay)


def _share_kept(step: int, steps: int, warmup: int, decay: float) -> float:
    return planned(step, steps, warmup, 1 - decay)


LEARNING_RATE = Exercise(
    "learning_rate",
    _plan,
    {
        "warm-up": Property("the first warmup steps rise evenly: 1/warmup, 2/warmup, …, 1", draw_warm, as_planned),
        "decay": Property("from 1 at the decay's first step evenly to 0 at step = steps", draw_falling, as_planned),
        "any step": Property("warm-up, then 1, then the decay over the last share of all steps", draw_any, as_planned),
    },
    (
        Mistake(
            "Your first step has a factor of 0: it learns nothing. Steps count from 0, so warm up by step + 1.",
            _factor(_from_zero),
        ),
        Mistake(
            "Your last step has a factor of 0: it learns nothing. 0 is reached at step = steps, which is never taken.",
            _factor(_to_zero_at_last),
        ),
        Mistake(
            "`decay` is the share at the end that falls. You let it fall from `decay * steps` on.",
            _factor(_share_kept),
        ),
    ),
)  # fmt: skip

# ---- training_latent(y, mean, noise) -> scored, decoded -------------------------------------------------------------


def draw_latent(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (no difference near a half), predicted means, and uniform noise in [−0.5, 0.5)."""
    shape = tuple(int(n) for n in rng.integers(2, 5, 2))
    mean = rng.normal(0, 2, shape)
    away = rng.integers(-3, 4, shape) + rng.uniform(-0.45, 0.45, shape)
    return tuple(torch.from_numpy(v) for v in (mean + away, mean, rng.uniform(-0.5, 0.5, shape)))


def _given(y: Tensor, mean: Tensor, noise: Tensor) -> str:
    parts = zip(("y", "mean", "noise"), (y, mean, noise), strict=True)
    return f"{tuple(y.shape)}, " + ", ".join(f"{name}[0, 0] = {v[0, 0]:.2f}" for name, v in parts)


def _two(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    result = answer[0](y, mean, noise)
    if not isinstance(result, (tuple, list)) or len(result) != 2 or not all(isinstance(v, Tensor) for v in result):
        raise Wrong(f"{type(result).__name__}, not two tensors: scored, decoded")
    for name, value in zip(("scored", "decoded"), result, strict=True):
        if value.shape != y.shape:
            raise Wrong(f"{name} of shape {tuple(value.shape)}, not {tuple(y.shape)}")
    return tuple(result)


def values(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> None:
    scored, decoded = _two(answer, y.clone(), mean.clone(), noise.clone())
    for name, found, wanted in (("scored", scored, y + noise), ("decoded", decoded, torch.round(y - mean) + mean)):
        if not torch.allclose(found, wanted, rtol=0, atol=1e-9):
            at = divmod(int((found - wanted).abs().argmax()), wanted.shape[1])
            raise Wrong(f"{name}[{at[0]}, {at[1]}] = {found[at]:.4f}, not {wanted[at]:.4f}")


def slopes(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> list[Tensor]:
    """Of scored and decoded, with respect to y and to the mean: four tensors (zero where nothing depends)."""
    y, mean = (v.clone().requires_grad_() for v in (y, mean))
    found = []
    for out in _two(answer, y, mean, noise):
        parts = [None, None]
        if out.requires_grad:
            parts = torch.autograd.grad(out.sum(), (y, mean), retain_graph=True, allow_unused=True)
        found += [torch.zeros_like(y) if part is None else part for part in parts]
    return found


def slope_to_y(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> None:
    found = slopes(answer, y, mean, noise)
    for name, slope in (("scored", found[0]), ("decoded", found[2])):
        if not torch.allclose(slope, torch.ones_like(y)):
            worst = slope.flatten()[(slope - 1).abs().argmax()]
            raise Wrong(f"the derivative of {name} with respect to y is {worst:g} somewhere, not 1")


def slope_to_mean(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> None:
    found = slopes(answer, y, mean, noise)
    for name, slope in (("scored", found[1]), ("decoded", found[3])):
        if not torch.allclose(slope, torch.zeros_like(y), atol=1e-9):
            worst = slope.flatten()[slope.abs().argmax()]
            raise Wrong(f"the derivative of {name} with respect to mean is {worst:g} somewhere, not 0")


def _flat(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> bool:
    """The value of `decoded` is right, and y gets no gradient through it."""
    decoded = answer[0](y, mean, noise)[1]
    return torch.allclose(decoded, torch.round(y - mean) + mean) and not slopes(answer, y, mean, noise)[2].any()


def _noise_decoded(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> bool:
    return torch.allclose(answer[0](y, mean, noise)[1], y + noise)


def _rounded_plainly(answer: Answer, y: Tensor, mean: Tensor, noise: Tensor) -> bool:
    return torch.allclose(answer[0](y, mean, noise)[1], torch.round(y))


TRAINING_LATENT = Exercise(
    "training_latent",
    _given,
    {
        "values": Property("scored = y + noise and decoded = round(y − mean) + mean", draw_latent, values),
        "gradient of y": Property("both move with y, one for one", draw_latent, slope_to_y),
        "gradient of the mean": Property("neither moves with the mean", draw_latent, slope_to_mean),
    },
    (
        Mistake(
            "The derivative of `torch.round` is 0, so the encoder hears nothing. Add the rounding error as a constant: "
            "`x + (torch.round(x) - x).detach()`.",
            _flat,
        ),
        Mistake(
            "Noise is for the rate only. What is decoded, in training as in a file, is rounded.",
            _noise_decoded,
        ),
        Mistake(
            "You rounded y itself. The file holds the rounded difference from the mean (lesson 03, section 3).",
            _rounded_plainly,
        ),
    ),
)  # fmt: skip

EXERCISES = {one.name: one for one in (LEARNING_RATE, TRAINING_LATENT)}
