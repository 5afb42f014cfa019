"""An exam in many copies with permuted numbers, and its key: the same seed gives the same files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from ccalib.errors import CcaError
from ccalib.lessons.teaching import judging, questions
from ccalib.lessons.teaching.questions import Maker, Question
from ccalib.lessons.teaching.reasoning import REASONING, Reasoning
from ccalib.lessons.teaching.sheet import templates

MAKERS: tuple[Maker, ...] = (
    questions.pixels, questions.transform, questions.code_length, questions.file_bytes, questions.centered,
    questions.table_of_two, questions.rulers, questions.schedule, questions.water, judging.seeds,
    judging.one_training, judging.curves, judging.work,
)  # fmt: skip
MINUTES, ASKED = 90, 2  # of these minutes; reasoning questions in an exam
MOST_COPIES = 500


@dataclasses.dataclass(frozen=True)
class Copy:
    """One student's exam; `number` from 1."""

    number: int
    questions: list[Question]
    reasoning: list[Reasoning]


def copies(seed: int, count: int) -> list[Copy]:
    """All copies of an exam: the same kinds of questions in the same order, other numbers.

    Raises:
        CcaError: a seed below 0, or a count outside 1 … 500.
    """
    if seed < 0 or not 1 <= count <= MOST_COPIES:
        raise CcaError(f"exam: seed {seed} and {count} copies; wanted are a seed from 0 and 1 … {MOST_COPIES} copies")
    chosen = sorted(np.random.default_rng([seed, 0]).permutation(len(REASONING))[:ASKED])  # the same for all
    found = []
    for number in range(1, count + 1):
        made = [maker(np.random.default_rng([seed, number, i])) for i, maker in enumerate(MAKERS)]
        rng = np.random.default_rng([seed, number, len(MAKERS)])
        found.append(Copy(number, made, [REASONING[i].drawn(rng) for i in chosen]))
    return found


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """`exam.html` (each copy from a new sheet), `key.html` and `answers.json`; their paths.

    Raises:
        CcaError: see `copies`; or the folder can't be written.
    """
    made = copies(seed, count)
    context = {"copies": made, "seed": seed, "minutes": MINUTES}
    texts = {f"{name}.html": templates().get_template("exam.html").render(key=name == "key", **context)
             for name in ("exam", "key")}  # fmt: skip
    answers = [
        {"copy": one.number, "answers": {q.kind: [part.answer for part in q.parts] for q in one.questions}}
        for one in made
    ]
    plain = lambda value: value.item()  # a number of numpy's
    texts["answers.json"] = json.dumps({"seed": seed, "copies": answers}, indent=1, default=plain) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CcaError(f"{folder}: cannot be written ({error.strerror})") from error
    return [folder / name for name in texts]
