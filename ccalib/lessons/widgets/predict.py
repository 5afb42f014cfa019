"""Predict: a question to commit to before the notebook answers it, aimed at a named misconception."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

import traitlets as t

from ccalib.errors import CcaError
from ccalib.lessons import plots
from ccalib.lessons.widgets.base import LessonWidget


class Predict(LessonWidget):
    """Multiple choice: choose, commit, and only then read the answer.

    Args:
        question: what to predict.
        options: two to eight answers.
        answer: index of the right one.
        explanation: why it is right; shown after committing.
        misconception: the idea that a wrong answer rests on; shown after committing.

    Selection (synced): `choice` (−1: none yet) and `committed`.

    Raises:
        CcaError: too few or too many options, or an answer that is none of them.
    """

    module = "predict.js"

    question = t.Unicode().tag(sync=True)
    options = t.List(t.Unicode()).tag(sync=True)
    answer = t.Int().tag(sync=True)
    explanation = t.Unicode().tag(sync=True)
    misconception = t.Unicode().tag(sync=True)
    choice = t.Int(-1).tag(sync=True)
    committed = t.Bool(False).tag(sync=True)

    def __init__(
        self,
        question: str,
        options: Sequence[str],
        answer: int,
        explanation: str,
        misconception: str,
    ) -> None:
        if not 2 <= len(options) <= 8:
            raise CcaError(f"predict: two to eight options, not {len(options)}")
        if not 0 <= answer < len(options):
            raise CcaError(f"predict: answer {answer} is none of the {len(options)} options")
        super().__init__(
            heading="Predict first",
            question=question,
            options=list(options),
            answer=answer,
            explanation=explanation,
            misconception=misconception,
        )

    @property
    def right(self) -> bool | None:
        """Whether the committed answer is right; None before committing."""
        return self.choice == self.answer if self.committed else None

    def summary(self) -> str:
        return self.question

    def static_png(self) -> bytes:
        lines = [*textwrap.wrap(self.question, 88), ""]
        for letter, option in zip("ABCDEFGH", self.options, strict=False):
            lines += textwrap.wrap(f"{letter}  {option}", 88, subsequent_indent="    ")
        fig = plots.figure(7.2, 0.3 + 0.19 * len(lines))
        fig.text(0.01, 0.98, "\n".join(lines), fontsize=10, va="top", color=plots.INK, linespacing=1.35)
        return plots.png(fig, colors=8)

    def static_html(self) -> str:
        options = "".join(f"<li>{html.escape(option)}</li>" for option in self.options)
        return (
            f"<p><b>Predict first.</b> {html.escape(self.question)}</p><ol type='A'>{options}</ol>"
            "<details><summary>Decide, then open the answer</summary>"
            f"<p><b>{'ABCDEFGH'[self.answer]}.</b> {html.escape(self.explanation)}</p>"
            f"<p><i>The misconception:</i> {html.escape(self.misconception)}</p></details>"
        )
