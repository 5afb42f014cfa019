"""Checks of lesson 04: the chain rule on a joint table, and leaks in models that should be causal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong

# ---- information(table) -> H1, H2, H2_given_1, H1_given_2, I --------------------------------------------------------

NUMBERS = ("H1", "H2", "H2_given_1", "H1_given_2", "I")


def draw_table(rng: np.random.Generator) -> tuple[np.ndarray]:
    """Joint probabilities of two symbols, 2 … 4 times 2 … 5 of them; some pairs may never occur."""
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    table = rng.dirichlet(np.full(rows * columns, 0.7)).reshape(rows, columns)
    if rng.random() < 0.4:
        table[rng.integers(rows), rng.integers(columns)] = 0
    return (table / table.sum(),)


def draw_extreme(rng: np.random.Generator) -> tuple[np.ndarray]:
    """Two symbols that know nothing of each other, or two of which each gives the other away."""
    p = rng.dirichlet(np.ones(int(rng.integers(2, 5)))) + 0.02
    q = rng.dirichlet(np.ones(int(rng.integers(2, 5)))) + 0.02
    if rng.random() < 0.5:
        return (np.outer(p / p.sum(), q / q.sum()),)
    return (np.diag(p / p.sum())[:, rng.permutation(len(p))],)


def entropy(p: np.ndarray) -> float:
    """−Σ p log₂ p, with 0·log₂ 0 = 0."""
    p = np.asarray(p).ravel()
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


def five(table: np.ndarray) -> tuple[float, ...]:
    """The five numbers, in bits."""
    h1, h2, both = entropy(table.sum(axis=1)), entropy(table.sum(axis=0)), entropy(table)
    return h1, h2, both - h1, both - h2, h1 + h2 - both


def _found(answer: Answer, table: np.ndarray) -> dict[str, float]:
    result = answer[0](table.copy())
    try:
        found = dict(zip(NUMBERS, map(float, result), strict=True))
    except (TypeError, ValueError) as error:
        raise Wrong(f"{result!r}, not five numbers ({', '.join(NUMBERS)})") from error
    for name, value in found.items():
        if not np.isfinite(value):
            raise Wrong(f"{name} = {value}; some pairs have probability 0, and 0·log₂ 0 counts as 0")
    return found


def _table(table: np.ndarray) -> str:
    return f"a table of {table.shape[0]}×{table.shape[1]}: {np.round(table, 3).tolist()}"


def _same(names: str, found: float, wanted: float) -> None:
    if not np.isclose(found, wanted, rtol=0, atol=1e-9):
        raise Wrong(f"{names} = {found:.4f}, not {wanted:.4f}")


def chain_rule(answer: Answer, table: np.ndarray) -> None:
    f, h1, h2 = _found(answer, table), entropy(table.sum(axis=1)), entropy(table.sum(axis=0))
    _same("H1", f["H1"], h1)
    _same("H2", f["H2"], h2)
    _same("H1 + H2_given_1", f["H1"] + f["H2_given_1"], entropy(table))
    _same("H2 + H1_given_2", f["H2"] + f["H1_given_2"], entropy(table))


def information(answer: Answer, table: np.ndarray) -> None:
    f = _found(answer, table)
    _same("I", f["I"], f["H1"] - f["H1_given_2"])
    _same("I", f["I"], f["H2"] - f["H2_given_1"])
    if not -1e-9 <= f["I"] <= min(f["H1"], f["H2"]) + 1e-9:
        raise Wrong(f"I = {f['I']:.4f}, H1 = {f['H1']:.4f}, H2 = {f['H2']:.4f}")
    if not any(f.values()):
        raise Wrong("all are 0, and this table has something to tell")


def extremes(answer: Answer, table: np.ndarray) -> None:
    f, wanted = _found(answer, table), five(table)
    for name, value in zip(NUMBERS, wanted, strict=True):
        _same(name, f[name], value)


def _gives(wrong: Callable[[np.ndarray], tuple[float, ...]]) -> Callable:
    """Whether a number of the student's is the wrong one and not the right one."""

    def made(answer: Answer, table: np.ndarray) -> bool:
        found = np.array([float(n) for n in answer[0](table)])
        wrongs, rights = np.array(wrong(table)), np.array(five(table))
        return bool((np.isclose(found, wrongs, atol=1e-9) & ~np.isclose(rights, wrongs, atol=1e-9)).any())

    return made


def _unweighted(table: np.ndarray) -> tuple[float, ...]:
    """Conditional entropies as plain means over the other symbol."""
    h1, h2, *_ = five(table)
    h21, h12 = (float(np.mean([entropy(row / row.sum()) for row in t if row.sum() > 0])) for t in (table, table.T))
    return h1, h2, h21, h12, h2 - h21


def _swapped(table: np.ndarray) -> tuple[float, ...]:
    return five(table.T)


INFORMATION = Exercise(
    "information",
    _table,
    {
        "chain rule": Property("H1 + H2_given_1 = H2 + H1_given_2 = the table's entropy", draw_table, chain_rule),
        "information": Property("I = H1 − H1_given_2 = H2 − H2_given_1, 0 … min(H1, H2)", draw_table, information),
        "extremes": Property("I = 0 where p = p₁·p₂; I = H1 = H2 if each gives the other away", draw_extreme, extremes),
    },
    (
        Mistake(
            "These are nats: `np.log` is the natural logarithm. Bits want `np.log2`.",
            _gives(lambda table: tuple(n * np.log(2) for n in five(table))),
        ),
        Mistake(
            "You took the plain mean over the condition. A rare one counts for less: weight it by its probability.",
            _gives(_unweighted),
        ),
        Mistake(
            "Wrong axis: the first symbol numbers the rows, so its probabilities are `table.sum(axis=1)`.",
            _gives(_swapped),
        ),
    ),
)  # fmt: skip

# ---- find_leak(model) -> True or False ------------------------------------------------------------------------------

HIDDEN = 6  # channels inside
STYLES = ("convolutions", "norm", "attention", "mask")  # how a hidden model reads what it may read
READS = {
    "convolutions": "",
    "norm": ", by a norm over all positions",
    "attention": ", by an attention over all positions",
    "mask": ", the others with weight 0",
    "own": " directly",
    "pixel": ", one position of it, at one position",
}


@dataclasses.dataclass(frozen=True)
class Leak:
    """The mean of group `target` reads group `source` (both from 0, source ≥ target), in the way `kind` says."""

    kind: str
    target: int
    source: int


class Hidden(nn.Module):
    """A model that predicts each group's mean from the groups before it, and perhaps from one more.

    Attributes:
        sizes: channels of each group.
        height, width: of every group.
    """

    def __init__(
        self, sizes: tuple[int, ...], height: int, width: int, style: str, leak: Leak | None, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.sizes, self.height, self.width = sizes, height, width
        self._style, self._leak = style, leak
        seen = [sum(sizes) if style == "mask" else 1 + sum(sizes[:i]) for i in range(len(sizes))]
        self.body = nn.ModuleList(nn.Conv2d(n, HIDDEN, 3, padding=1) for n in seen)
        self.head = nn.ModuleList(nn.Conv2d(HIDDEN, size, 3, padding=1) for size in sizes)
        self.key = nn.ModuleList(nn.Conv2d(size, 1, 1) for size in sizes)
        self._place = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(2)]
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.from_numpy(rng.standard_normal(p.shape)).float() / max(p[0].numel(), 1) ** 0.5)
            for i, layer in enumerate(self.body if style == "mask" else []):
                layer.weight[:, sum(sizes[:i]) :] = 0  # reads all groups, its own and later ones with weight 0
        self.eval().requires_grad_(False)

    def forward(self, groups: list[Tensor]) -> list[Tensor]:
        """The means of all groups, from all groups; each 1×c×h×w."""
        return [self._mean(i, groups) for i in range(len(self.sizes))]

    def _mean(self, i: int, groups: list[Tensor]) -> Tensor:
        seen = groups if self._style == "mask" else [torch.ones_like(groups[0][:, :1]), *groups[:i]]
        mean = self.head[i](torch.nn.functional.gelu(self.body[i](torch.cat(seen, dim=1))))
        if i and self._style == "norm":
            mean = mean * self._norm(groups[i - 1])
        if i and self._style == "attention":
            mean = mean + self._attended(groups[i - 1], i - 1)
        leak = self._leak
        if leak is None or leak.target != i:
            return mean
        read = groups[leak.source]
        if leak.kind == "own":
            return mean + 0.3 * read
        if leak.kind == "norm":
            return mean * self._norm(read)
        if leak.kind == "attention":
            return mean + self._attended(read, leak.source)
        (row, column), (from_row, from_column) = self._place
        mean = mean.clone()
        mean[0, -1, row, column] += 0.5 * read[0, 0, from_row, from_column]
        return mean

    @staticmethod
    def _norm(group: Tensor) -> Tensor:
        """One number from all positions and channels."""
        return (0.5 + group.square().mean()).rsqrt()

    def _attended(self, group: Tensor, index: int) -> Tensor:
        """One number from all positions, the more of each the larger its key."""
        key = self.key[index](group)
        return (torch.softmax(key.flatten(), dim=0) * group.mean(dim=1).flatten()).sum()


def _drawn(*kinds: str) -> Callable:
    """Draws hidden models: half of them causal, half with a leak of one of these kinds."""

    def draw(rng: np.random.Generator) -> tuple[Hidden]:
        sizes = tuple(int(n) for n in rng.integers(2, 5, int(rng.integers(3, 5))))
        leak = None
        if rng.random() < 0.5:
            kind = str(rng.choice(kinds))
            target = int(rng.integers(len(sizes) - (kind in ("norm", "attention"))))
            source = target if kind == "own" else int(rng.integers(target + (kind != "pixel"), len(sizes)))
            leak = Leak(kind, target, source)
        height, width = (int(n) for n in rng.integers(4, 8, 2))
        return (Hidden(sizes, height, width, str(rng.choice(STYLES)), leak, rng),)

    return draw


def _model(model: Hidden) -> str:
    shape = f"groups of {', '.join(map(str, model.sizes))} channels, {model.height}×{model.width}"
    leak = model._leak
    if leak is None:
        inside = READS[model._style]
        return f"a causal model: {shape}; each mean reads earlier groups only{inside}"
    how = READS[leak.kind]
    whose = "itself" if leak.source == leak.target else f"g{leak.source + 1}"
    return f"a leaky model: {shape}; the mean of g{leak.target + 1} reads {whose}{how}"


def flags(answer: Answer, model: Hidden) -> None:
    found = answer[0](model)
    if isinstance(found, Tensor | np.bool_):
        found = bool(found)
    if not isinstance(found, bool):
        raise Wrong(f"{found!r}, neither True nor False")
    if found != (model._leak is not None):
        raise Wrong(f"{found}, not {not found}")


def _missed(*kinds: str) -> Callable:
    """Whether a leak of one of these kinds was not found."""
    return lambda answer, model: model._leak is not None and model._leak.kind in kinds and not answer[0](model)


FIND_LEAK = Exercise(
    "find_leak",
    _model,
    {
        "own group": Property("True exactly if a mean reads its own group", _drawn("own"), flags),
        "later group": Property(
            "True exactly if a mean reads a later group, by a norm or an attention", _drawn("norm", "attention"), flags
        ),
        "one pixel": Property("True exactly if one mean reads one pixel", _drawn("pixel"), flags),
    },
    (
        Mistake(
            "This model is causal. Earlier groups may be read at every position, on all sides: that is no leak.",
            lambda answer, model: model._leak is None and bool(answer[0](model)),
        ),
        Mistake(
            "This leak runs from one position to one position. Change all positions of a group, and look at all.",
            _missed("pixel"),
        ),
        Mistake(
            "This leak runs through a later group. Change every group from i on, at random and not by zeros, "
            "not only group i itself.",
            _missed("norm", "attention"),
        ),
    ),
)  # fmt: skip

EXERCISES = {one.name: one for one in (INFORMATION, FIND_LEAK)}
