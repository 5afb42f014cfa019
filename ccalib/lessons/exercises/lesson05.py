"""Checks of lesson 05: the information gain of two arrows, and one step of the honest loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong
from ccalib.lessons.toy_training import bits
from ccalib.model.layers import ste_round

# ---- information_gain(C, A) -> bits ---------------------------------------------------------------------------------


def gain(c: np.ndarray, a: np.ndarray) -> float:
    """I(y₁; y₂) of y = A x at a fine step, x normal with covariance C: ½ log₂(S₁₁S₂₂ / det S), S = A C Aᵀ."""
    s = a @ c @ a.T
    return 0.5 * math.log2(s[0, 0] * s[1, 1] / np.linalg.det(s))


def _covariance(rng: np.random.Generator) -> np.ndarray:
    sides = rng.uniform(0.5, 2, 2)
    rho = rng.uniform(0.2, 0.95) * rng.choice([-1, 1])
    return np.outer(sides, sides) * np.array([[1, rho], [rho, 1]])


def _pair(first: float, second: float, gains: np.ndarray) -> np.ndarray:
    return gains[:, None] * np.array([[math.cos(t), math.sin(t)] for t in (first, second)])


def draw_pose(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A covariance, and two arrows at least 20° apart."""
    first = rng.uniform(0, math.pi)
    return _covariance(rng), _pair(first, first + rng.uniform(0.35, math.pi - 0.35), rng.uniform(0.3, 4, 2))


def draw_klt(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Arrows along the KLT axes."""
    c = _covariance(rng)
    return c, rng.uniform(0.3, 4, 2)[:, None] * np.linalg.eigh(c)[1].T


def draw_turned(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lesson 05's source with arrows at right angles, at any turn."""
    turn = rng.uniform(0, math.pi)
    return np.array([[1, 0.9], [0.9, 1]]), _pair(turn, turn + math.pi / 2, rng.uniform(0.3, 4, 2))


def _gain(answer: Answer, c: np.ndarray, a: np.ndarray) -> float:
    result = answer[0](c.copy(), a.copy())
    try:
        value = float(result)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not a number of bits") from error
    if not math.isfinite(value):
        raise Wrong(f"{value} bits")
    return value


def _near(found: float, wanted: float, what: str = "I") -> None:
    if not math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6):
        raise Wrong(f"{what} = {found:.4f}, not {wanted:.4f}")


def nothing_shared(answer: Answer, c: np.ndarray, a: np.ndarray) -> None:
    _near(_gain(answer, c, a), 0.0)


def symmetric(answer: Answer, c: np.ndarray, a: np.ndarray) -> None:
    found = _gain(answer, c, a)
    _near(_gain(answer, c, a[::-1]), found, "I with both arrows exchanged")
    _near(_gain(answer, c, np.array([[3.0], [0.2]]) * a), found, "I with longer and shorter arrows")
    _near(found, gain(c, a))


def turned(answer: Answer, c: np.ndarray, a: np.ndarray) -> None:
    root = math.sqrt(0.5)
    _near(_gain(answer, c, np.array([[root, root], [-root, root]])), 0.0, "I at the KLT")
    _near(_gain(answer, c, np.eye(2)), 0.5 * math.log2(1 / (1 - 0.9**2)), "I at 45°")
    _near(_gain(answer, c, a), gain(c, a))


def unbounded(answer: Answer, c: np.ndarray, a: np.ndarray) -> None:
    for far in (1, 1e-1, 1e-3):  # closer, and right formulas differ: 1 − ρ² has few digits left there
        closer = np.stack([a[0], a[0] + far * (a[1] - a[0])])
        _near(_gain(answer, c, closer), gain(c, closer))


def _poses(c: np.ndarray, a: np.ndarray) -> str:
    return f"C = {np.round(c, 3).tolist()}, A = {np.round(a, 3).tolist()}"


def _is(wrong: Callable[[np.ndarray, np.ndarray], float]) -> Callable:
    """Whether the student's number is this wrong one, where it differs from the right one."""

    def made(answer: Answer, c: np.ndarray, a: np.ndarray) -> bool:
        for pose in (a, np.eye(2)):
            value = wrong(c, pose)
            if abs(value - gain(c, pose)) > 1e-6 and math.isclose(_gain(answer, c, pose), value, rel_tol=1e-6):
                return True
        return False

    return made


INFORMATION_GAIN = Exercise(
    "information_gain",
    _poses,
    {
        "at the KLT": Property("0 where the arrows lie on the KLT axes", draw_klt, nothing_shared),
        "symmetric": Property("the same with arrows exchanged, or of other lengths", draw_pose, symmetric),
        "turned": Property("0 at the KLT, 1.198 at 45° where the correlation is 0.9", draw_turned, turned),
        "a copy": Property("without limit as one arrow approaches the other", draw_pose, unbounded),
    },
    (
        Mistake(
            "These are nats: `np.log` is the natural logarithm. Bits want `np.log2`.",
            _is(lambda c, a: gain(c, a) * math.log(2)),
        ),
        Mistake(
            "Twice too much: an entropy has log₂ of a standard deviation, and S holds variances. Take one half.",
            _is(lambda c, a: 2 * gain(c, a)),
        ),
        Mistake(
            "This is the covariance of x, not of the readings y = A x: that one is A C Aᵀ.",
            _is(lambda c, a: gain(c, np.eye(2))),
        ),
    ),
)  # fmt: skip

# ---- honest_step(codec, auxiliary, x, noise, lam, alpha) -> gradients of the codec, gradients of the auxiliary -------

SIZE, POINTS = 4, 12  # numbers in x; samples


class Pair(nn.Module):
    """A codec of two groups, small enough to look at: `codec(x, noise)` gives what a loss needs.

    x: n×4, noise: n×4. The result: `hyper` n×2, `noisy` n×2 (group 2), and means over the samples: `rate` (bits of
    all), `rate_y` (bits of group 2 given group 1), `distortion`.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        draw = lambda *shape: nn.Parameter(torch.from_numpy(0.7 * rng.standard_normal(shape)))
        self.analysis, self.synthesis = draw(SIZE, SIZE), draw(SIZE, SIZE)
        self.hyper, self.context = draw(SIZE, 2), draw(4, 2)
        self.log_scale = draw(3)

    def forward(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        y = 2 * x @ self.analysis
        y_hat, noisy = ste_round(y), y + noise
        hyper = torch.tanh(y @ self.hyper)
        mean = torch.cat([hyper, y_hat[:, :2]], dim=1) @ self.context
        scale = self.log_scale.exp()[:, None]
        first = bits(noisy[:, :2].T, 0.0, scale[:2]).sum()
        second = bits((noisy[:, 2:] - mean).T, 0.0, scale[2:].expand(2, 1)).sum()
        d = (x - y_hat @ self.synthesis).square().sum(dim=1).mean()
        return {"hyper": hyper, "noisy": noisy[:, 2:], "rate": first + second, "rate_y": second, "distortion": d}


class Without(nn.Module):
    """Its auxiliary model: `auxiliary(hyper, noisy)` gives R_aux, the bits of group 2 without group 1."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.from_numpy(0.5 * rng.standard_normal((2, 2))))
        self.log_scale = nn.Parameter(torch.from_numpy(0.3 * rng.standard_normal(2)) + 1)

    def forward(self, hyper: Tensor, noisy: Tensor) -> Tensor:
        return bits((noisy - hyper @ self.mean).T, 0.0, self.log_scale.exp()[:, None]).sum()


def draw_step(rng: np.random.Generator) -> tuple:
    """Two models, a batch, λ and α."""
    x, noise = rng.standard_normal((POINTS, SIZE)), rng.random((POINTS, SIZE)) - 0.5
    lam, alpha = float(rng.uniform(0.5, 5)), float(rng.uniform(0.2, 0.8))
    return Pair(rng), Without(rng), torch.from_numpy(x), torch.from_numpy(noise), lam, alpha


def _flat(gradients: Sequence[Tensor], model: nn.Module, name: str) -> Tensor:
    """All of a model's gradients in a row."""
    shapes = [p.shape for p in model.parameters()]
    if not isinstance(gradients, Sequence) or [getattr(g, "shape", None) for g in gradients] != shapes:
        raise Wrong(f"the {name}'s gradients are not one tensor of its shape for each of its parameters, in order")
    return torch.cat([g.detach().flatten() for g in gradients])


def _step(answer: Answer, codec: Pair, auxiliary: Without, *rest: object) -> tuple[Tensor, Tensor]:
    before = [p.detach().clone() for p in (*codec.parameters(), *auxiliary.parameters())]
    result = answer[0](codec, auxiliary, *rest)
    _ = codec.requires_grad_(True), auxiliary.requires_grad_(True)  # an answer may freeze one
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Wrong("not two lists of gradients")
    if any(not torch.equal(p, q) for p, q in zip(before, (*codec.parameters(), *auxiliary.parameters()))):
        raise Wrong("parameters that have changed: return gradients, the check makes the step")
    return _flat(result[0], codec, "codec"), _flat(result[1], auxiliary, "auxiliary model")


def _wanted(codec: Pair, auxiliary: Without, x: Tensor, noise: Tensor, lam: float, alpha: float) -> tuple:
    out = codec(x, noise)
    r_aux = auxiliary(out["hyper"], out["noisy"])
    loss = out["rate"] + lam * out["distortion"] + alpha * (out["rate_y"] - r_aux)
    own = torch.autograd.grad(r_aux, list(auxiliary.parameters()), retain_graph=True)
    gradients = torch.autograd.grad(loss, list(codec.parameters()))
    return _flat(gradients, codec, "codec"), _flat(own, auxiliary, "auxiliary model")


def _equal(found: Tensor, wanted: Tensor, what: str) -> None:
    if not torch.allclose(found, wanted, rtol=1e-6, atol=1e-8):
        raise Wrong(
            f"{what}: a gradient {(found - wanted).norm():.4f} away from the right one, {wanted.norm():.4f} long"
        )


def alpha_zero(answer: Answer, *drawn: object) -> None:
    *rest, lam, _ = drawn
    codec, _, x, noise = rest
    out = codec(x, noise)
    plain = torch.autograd.grad(out["rate"] + lam * out["distortion"], list(codec.parameters()))
    _equal(_step(answer, *rest, lam, 0.0)[0], _flat(plain, codec, "codec"), "the codec's at α = 0")


def auxiliary_learns(answer: Answer, *drawn: object) -> None:
    _equal(_step(answer, *drawn)[1], _wanted(*drawn)[1], "the auxiliary model's")


def codec_rewarded(answer: Answer, *drawn: object) -> None:
    _equal(_step(answer, *drawn)[0], _wanted(*drawn)[0], "the codec's")


def affine(answer: Answer, *drawn: object) -> None:
    *rest, _ = drawn
    at = [_step(answer, *rest, alpha)[0] for alpha in (0.0, 0.25, 1.0)]
    _equal(at[0], _wanted(*rest, 0.0)[0], "the codec's at α = 0")
    _equal(at[1], at[0] + 0.25 * (at[2] - at[0]), "the codec's at α = 0.25, from those at 0 and 1")
    if torch.allclose(at[0], at[2]):
        raise Wrong("the same gradient at α = 0 and at α = 1")


def _models(codec: Pair, auxiliary: Without, x: Tensor, noise: Tensor, lam: float, alpha: float) -> str:
    return f"two small models, {len(x)} samples, λ = {lam:.2f}, α = {alpha:.2f}"


def _without_reward(answer: Answer, *drawn: object) -> bool:
    """The codec's gradient is right but for ∂R_aux/∂y, which is missing."""
    codec, _, x, noise, lam, alpha = drawn
    out = codec(x, noise)
    loss = out["rate"] + lam * out["distortion"] + alpha * out["rate_y"]
    blind = _flat(torch.autograd.grad(loss, list(codec.parameters())), codec, "codec")
    return torch.allclose(_step(answer, *drawn)[0], blind, atol=1e-8)


def _rewarded_for_bad(answer: Answer, *drawn: object) -> bool:
    """The auxiliary model's gradient points up where it should point down, or is mixed with that."""
    found, wanted = _step(answer, *drawn)[1], _wanted(*drawn)[1]
    return any(torch.allclose(found, k * wanted, atol=1e-8) for k in (-drawn[-1], 1 - drawn[-1]))


def _moves_codec(answer: Answer, *drawn: object) -> bool:
    """The auxiliary model's own loss has reached the codec."""
    return torch.allclose(_step(answer, *drawn)[0], _wanted(*drawn)[0] + _own_in_codec(*drawn), atol=1e-8)


def _own_in_codec(codec: Pair, auxiliary: Without, x: Tensor, noise: Tensor, *_: float) -> Tensor:
    out = codec(x, noise)
    r_aux = auxiliary(out["hyper"], out["noisy"])
    found = torch.autograd.grad(r_aux, list(codec.parameters()), allow_unused=True)
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(codec.parameters(), found)]
    return _flat(filled, codec, "codec")


HONEST_STEP = Exercise(
    "honest_step",
    _models,
    {
        "alpha 0 is plain": Property("the codec's gradient at α = 0 is that of R + λD", draw_step, alpha_zero),
        "the auxiliary learns": Property("the auxiliary model's is that of R_aux alone", draw_step, auxiliary_learns),
        "the codec is rewarded": Property("the codec's has −α ∂R_aux, by y and hyper", draw_step, codec_rewarded),
        "affine in alpha": Property("g(α) = g(0) + α (g(1) − g(0)), and g(1) is not g(0)", draw_step, affine),
    },
    (
        Mistake(
            "The reward gives the codec no gradient: R_aux was detached from y and hyper. Freeze its parameters only.",
            _without_reward,
        ),
        Mistake(
            "Your auxiliary model is paid for being bad: −α R_aux reaches its parameters. It minimizes R_aux alone.",
            _rewarded_for_bad,
        ),
        Mistake("The auxiliary model's own loss moves the codec: it must read detached inputs there.", _moves_codec),
    ),
)  # fmt: skip

EXERCISES = {one.name: one for one in (INFORMATION_GAIN, HONEST_STEP)}
