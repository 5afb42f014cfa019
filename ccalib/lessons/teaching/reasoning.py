"""Exam questions that want an argument; `notebooks/teaching/rubric.md` says how to mark them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Reasoning:
    """A question with places for numbers or words.

    Attributes:
        kind: its heading in the rubric. lesson: where it is taught. text: with {places}.
        choices: place -> what may stand there.
    """

    kind: str
    lesson: str
    text: str
    choices: Mapping[str, Sequence[object]] = field(default_factory=dict)

    def drawn(self, rng: np.random.Generator) -> Reasoning:
        """The question with every place filled at random."""
        values = {place: options[int(rng.integers(len(options)))] for place, options in self.choices.items()}
        return Reasoning(self.kind, self.lesson, self.text.format(**values))


REASONING = (
    Reasoning(
        "The wrong ruler",
        "04",
        "In a trained codec a colleague puts zeros for group {group} wherever the next group's prediction reads it. "
        "The next group takes {percent} % more bits. They write: “Group {group} saves {percent} % of the next.” What "
        "did they measure, why is it not what the group is worth, and what should they do instead?",
        {"group": (1, 2, 3), "percent": (18, 25, 40, 65)},
    ),
    Reasoning(
        "A gain is not a saving",
        "05",
        "A paper adds −α·I to R + λD, I being the bits that group i−1 saves of group i. With α = {alpha}, I rises by "
        "{percent} %. The authors conclude that their files are smaller. Is that right? Give an example in which I "
        "rises and the file stays as it is, and the experiment that you would ask for.",
        {"alpha": (0.25, 0.3, 0.5), "percent": (30, 45, 80)},
    ),
    Reasoning(
        "A claim",
        "08",
        "“Our codec saves {percent} % against {anchor}, measured as BD-rate on {photos} photographs.” Name four things "
        "that you need to know before you believe it, and say for each how it could change the number.",
        {"percent": (12, 23, 38), "anchor": ("JPEG", "WebP", "AVIF"), "photos": (8, 24, 100)},
    ),
    Reasoning(
        "Another machine",
        "02, 09",
        "A file of a learned codec is written on machine 1 and read on machine 2. One of {count} scales comes out "
        "{error} different and falls into the next level of the scale table, in group {group}. What happens to the "
        "picture, group by group? Why does a checksum of the bytes not notice, and name a cure that works always.",
        {
            "count": ("a hundred thousand", "a million"),
            "error": ("a millionth", "a hundred-thousandth"),
            "group": (2, 3, 4),
        },
    ),
)
