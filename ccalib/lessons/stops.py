"""The inspector's tour: six latents worth a visit, found in the data, each with a question to answer first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from ccalib.errors import CcaError
from ccalib.lessons.inspection import Inspection


@dataclasses.dataclass(frozen=True)
class Stop:
    """One latent of the tour. `answer` is the index of the right option; `explanation` is shown after a guess."""

    name: str
    column: int
    row: int
    channel: int
    question: str
    options: tuple[str, ...]
    answer: int
    explanation: str


def tour(inspection: Inspection, places: Mapping[str, Sequence[int]]) -> list[Stop]:
    """Sky and edge, if `places` names them, then best bargain, misled, tail and costliest.

    Args:
        places: name -> (column, row) of a cell; see `ccalib.lessons.thread.latents_of`.
    Raises:
        CcaError: a place outside the photograph.
    """
    columns, rows = inspection.grid
    for name, (column, row) in places.items():
        if not (0 <= column < columns and 0 <= row < rows):
            raise CcaError(f"tour: {name}: cell ({column}, {row}) is outside {columns}×{rows} cells")
    cells = inspection.file.bits.sum(axis=0)  # h×w
    stops = [_place(inspection, cells, name, places) for name in ("sky", "edge") if name in places]
    if len(inspection.sizes) > 1:
        stops += [_bargain(inspection), _misled(inspection)]
    return [*stops, _tail(inspection), _costliest(inspection, cells)]


def _place(inspection: Inspection, cells: np.ndarray, name: str, places: Mapping[str, Sequence[int]]) -> Stop:
    column, row = places[name]
    own, average = cells[row, column], cells.mean()
    if name == "edge" and "sky" in places:
        other = cells[places["sky"][1], places["sky"][0]]
        answer, options = _times(own / other, (2, 5, 20))
        question = "This cell lies on an edge. How many times as many bits does it take as the cell of sky?"
        compared = f"{own:.0f} bits; the sky's cell takes {other:.0f}, the average cell {average:.0f}."
    else:
        answer, options = _times(own / average, (0.1, 0.5, 1.5))
        where = "is a piece of smooth sky" if name == "sky" else f"is the {name}"
        question = f"This cell {where}. How many times as many bits does it take as the average cell?"
        compared = f"{own:.0f} bits; the average cell takes {average:.0f}."
    bits = inspection.file.bits[:, row, column]
    worth = [g for g in range(1, len(inspection.sizes)) if bits[inspection.span(g)].max() >= 1]
    if worth:  # better one that has a group before it, and among few channels
        span = inspection.span(worth[0])
        channel, group = span.start + int(bits[span].argmax()), f" of g{worth[0] + 1}"
    else:
        channel, group = int(bits.argmax()), ""
    free = int((bits < 0.1).sum())
    explanation = (
        f"{compared} {free} of its {sum(inspection.sizes)} latents cost less than a tenth of a bit each. "
        f"The costliest{group} is selected: {_bits(inspection, column, row, channel)}."
    )
    return Stop(name, column, row, channel, question, options, answer, explanation)


def _bargain(inspection: Inspection) -> Stop:
    column, row, channel, gain, group = _extreme(inspection, 1)
    answer, options = _ranges(gain, (1, 4, 8))
    before = f"g{group}"
    return Stop(
        "best bargain", column, row, channel,
        f"Of all latents, this one (in g{group + 1}) profits most from the group before it. How many bits does {before} save here?",  # noqa: E501
        options, answer,
        f"By the ruler it costs {inspection.without.bits[channel, row, column]:.1f} bits without {before} and "
        f"{inspection.with_.bits[channel, row, column]:.1f} with it: {before} bought {gain:.1f} bits.",
    )  # fmt: skip


def _misled(inspection: Inspection) -> Stop:
    column, row, channel, gain, group = _extreme(inspection, -1)
    gains = inspection.gain[inspection.span(group)]
    worse, mean = float((gains < 0).mean()), float(gains.mean())
    return Stop(
        "misled", column, row, channel,
        f"This latent's prediction reads g{group}. Can reading one group more make a prediction worse?",
        (
            "No: what is known more can only help",
            "Yes, for single latents, but not on the average",
            "Yes, and on the average, too",
        ),
        1 if mean > 0 else 2,
        f"Here g{group} cost {-gain:.1f} bits. {100 * worse:.0f} % of the latents of g{group + 1} cost more with it, "
        f"yet on the average it saves {mean:.3f} bits a latent."
        if mean > 0
        else f"Here g{group} cost {-gain:.1f} bits, and on the average it costs {-mean:.3f} bits a latent: "
        "these two fits don't profit from the group.",
    )  # fmt: skip


def _tail(inspection: Inspection) -> Stop:
    gaussian = inspection.codec.gaussian
    scales = np.asarray(gaussian.scale_table, dtype=np.float64)[inspection.file.level]
    channel, row, column = _unravel(np.abs(inspection.file.symbol) / scales)
    symbol, scale = int(inspection.file.symbol[channel, row, column]), float(scales[channel, row, column])
    bits = inspection.file.bits[channel, row, column]
    low, high = (abs(symbol) - 0.5) / scale / math.sqrt(2), (abs(symbol) + 0.5) / scale / math.sqrt(2)
    mass = (math.erfc(low) - math.erfc(high)) / 2
    says = f"{-math.log2(mass):.0f} bits" if mass > 0 else "more than 1,000 bits"
    answer, options = _ranges(bits, (10, 30))
    return Stop(
        "tail", column, row, channel,
        f"No latent lies further out: {abs(symbol) / scale:.0f} standard deviations from the mean. What does it cost in the file?",  # noqa: E501
        (*options, "It can't be coded, and is lost"), answer,
        f"{bits:.1f} bits. A Gaussian says {says}, but the range coder's tables know no probability below 1/65,536: "
        "what lies outside a table is coded as an escape and then in plain digits, so nothing is lost.",
    )  # fmt: skip


def _costliest(inspection: Inspection, cells: np.ndarray) -> Stop:
    row, column = _unravel(cells)
    channel = int(inspection.file.bits[:, row, column].argmax())
    ratio = cells[row, column] / cells.mean()
    answer, options = _times(ratio, (2, 4, 8))
    return Stop(
        "costliest", column, row, channel,
        f"This cell is the costliest of {cells.size:,}. How many times as many bits does it take as the average one?",
        options, answer,
        f"{cells[row, column]:.0f} bits, {ratio:.1f} times the average. Its costliest latent is selected: "
        f"{_bits(inspection, column, row, channel)}.",
    )  # fmt: skip


def _extreme(inspection: Inspection, sign: int) -> tuple[int, int, int, float, int]:
    """(column, row, channel, gain, group) of the largest gain × sign, from the second group on.

    Only where both models' rounding gives about the same value: between two intervals, a gain is the rounding's luck.
    """
    first, both = inspection.sizes[0], (inspection.with_, inspection.without)
    with_, without = ((account.mean + account.symbol)[first:] for account in both)
    gains = np.where(np.abs(with_ - without) < 0.5, sign * inspection.gain[first:], -np.inf)
    channel, row, column = _unravel(gains)
    channel += first
    return column, row, channel, float(inspection.gain[channel, row, column]), inspection.group_of(channel)


def _unravel(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(values.argmax(), values.shape))


def _bits(inspection: Inspection, column: int, row: int, channel: int) -> str:
    group = inspection.group_of(channel)
    bits, symbol = inspection.file.bits[channel, row, column], inspection.file.symbol[channel, row, column]
    return f"channel {channel - inspection.span(group).start + 1} of g{group + 1}, symbol {symbol}, {bits:.1f} bits"


def _ranges(value: float, edges: Sequence[float], unit: str = " bits") -> tuple[int, tuple[str, ...]]:
    """The index of the range that `value` lies in, and the ranges in words."""
    between = [f"{a:g} to {b:g}{unit}" for a, b in zip(edges, edges[1:], strict=False)]
    labels = (f"Less than {edges[0]:g}{unit}", *between, f"More than {edges[-1]:g}{unit}")
    return sum(bool(value >= edge) for edge in edges), labels


def _times(value: float, edges: Sequence[float]) -> tuple[int, tuple[str, ...]]:
    return _ranges(value, edges, " times")
