"""The checker: properties on random instances, a counterexample, a hint for the usual mistakes.

In a notebook a failed check prints and lets the next cell run; an untouched stub prints "not attempted". With the
environment variable CCALIB_GRADE set (or `grade=True`) a check raises `CheckFailed` instead and draws fresh seeds.
One call checks one property, so that one cell is one point.
"""

from __future__ import annotations

import importlib
import os
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ccalib.errors import CcaError
from ccalib.lessons.exercises.limit import OutOfTime, time_limit

GRADING = "CCALIB_GRADE"
LIMIT_S = 5.0
MODULES = {  # exercise -> where its checks are
    "klt": "lesson01",
    "receptive_field": "lesson01",
    "code_length": "lesson02",
    "range_coder": "lesson02",
    "best_classes": "lesson03",
    "bits": "lesson03",
    "information": "lesson04",
    "find_leak": "lesson04",
    "information_gain": "lesson05",
    "honest_step": "lesson05",
    "group_sizes": "lesson06",
    "context_kmac": "lesson06",
    "learning_rate": "lesson07",
    "training_latent": "lesson07",
    "figures_of_set": "lesson08",
    "bd_rate": "lesson08",
    "kmac": "lesson09",
    "grid_sum": "lesson09",
}

Answer = tuple[Callable, ...]  # what the student wrote: one function, or several that belong together


class CheckFailed(AssertionError):
    """A property does not hold, or was not attempted; raised when grading."""


class Wrong(Exception):
    """Raised by a property's test: what came instead, in words."""


class NotAttempted(Exception):
    """The stub is untouched."""


@dataclass(frozen=True)
class Property:
    """One thing that must hold on every instance.

    Attributes:
        says: the property in a sentence.
        draw: a random generator -> the arguments of the student's function, at random.
        test: (student's functions, *arguments) -> nothing; raises Wrong.
        instances: how many are drawn.
    """

    says: str
    draw: Callable[[np.random.Generator], tuple]
    test: Callable[..., None]
    instances: int = 20


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer: `made` says of (student's functions, *arguments) whether it is this one."""

    hint: str
    made: Callable[..., bool]


@dataclass(frozen=True)
class Exercise:
    """Properties by name, and three usual mistakes with a hint each; `describe` puts an instance in words."""

    name: str
    describe: Callable[..., str]
    properties: dict[str, Property]
    mistakes: tuple[Mistake, Mistake, Mistake]


def exercise(name: str) -> Exercise:
    """An exercise by name. Raises CcaError if there is none."""
    if name not in MODULES:
        raise CcaError(f"exercise: no {name!r}; there are {', '.join(MODULES)}")
    return importlib.import_module(f"ccalib.lessons.exercises.{MODULES[name]}").EXERCISES[name]


def instance(name: str, what: str, seed: int, number: int) -> tuple:
    """The arguments that a check printed the seed and the number of, to try them by hand."""
    return _property(exercise(name), what).draw(_generator(seed, number))


def check(name: str, what: str, *answer: Callable, grade: bool | None = None, seed: int | None = None) -> None:
    """Check one property of an exercise and print what was found.

    Args:
        name, what: the exercise and its property.
        answer: the function (or functions) to check.
        grade: raise instead of printing, with a fresh seed (default: whether CCALIB_GRADE is set and not 0).
        seed: of the random instances; printed, so that a failure can be repeated.

    Raises:
        CheckFailed: when grading, and the property does not hold or was not attempted.
        CcaError: no such exercise or property.
    """
    asked = exercise(name)
    wanted = _property(asked, what)
    grade = os.environ.get(GRADING, "0") not in ("", "0") if grade is None else grade
    if seed is None:
        seed = secrets.randbelow(10**6) if grade else zlib.crc32(f"{name} {what}".encode()) % 1000
    verdict, good = _verdict(asked, wanted, answer, seed)
    text = f"{name}, {what}: {verdict}"
    if grade and not good:
        raise CheckFailed(text)
    print(text)


def _verdict(asked: Exercise, wanted: Property, answer: Answer, seed: int) -> tuple[str, bool]:
    """What to print, and whether the property holds."""
    number = 0
    try:
        with time_limit(LIMIT_S):
            for number in range(1, wanted.instances + 1):
                wanted.test(tuple(map(_attempted, answer)), *wanted.draw(_generator(seed, number)))
    except NotAttempted:
        return "not attempted", False
    except OutOfTime:
        return f"FAILED, stopped after {LIMIT_S:g} s at instance {number} (seed {seed})", False
    except Wrong as wrong:
        lines = [f"FAILED at instance {number} of {wanted.instances} (seed {seed})", f"  wanted: {wanted.says}"]
        lines += [f"  of:     {asked.describe(*wanted.draw(_generator(seed, number)))}", f"  got:    {wrong}"]
        hint = _hint(asked, answer, wanted.draw, seed, number)
        lines += [f"  hint: {hint}"] if hint else []
        call = f'instance("{asked.name}", "{_name_of(asked, wanted)}", {seed}, {number})'
        return "\n".join([*lines, f"  try it yourself: from ccalib.lessons.exercises import instance; {call}"]), False
    except Exception as error:  # an answer of a kind that the test couldn't foresee
        broken = f"{type(error).__name__}: {error}"
        return f"FAILED at instance {number} (seed {seed}): the check can't use this answer ({broken})", False
    return f"passed ({wanted.instances} random instances, seed {seed})", True


def _attempted(function: Callable) -> Callable:
    """The student's function with its failures told apart: untouched, or broken."""

    def call(*arguments: object) -> object:
        try:
            result = function(*arguments)
        except NotImplementedError as error:
            last = error.__traceback__
            while last.tb_next is not None:
                last = last.tb_next
            if last.tb_frame.f_code is getattr(function, "__code__", None):
                raise NotAttempted from error  # the stub's own; a library's means something else
            raise Wrong(f"NotImplementedError: {error}") from error
        except Exception as error:
            raise Wrong(f"{type(error).__name__}: {error}") from error
        if result is Ellipsis:
            raise NotAttempted
        if result is None:
            raise Wrong("None (is a `return` missing?)")
        return result

    return call


def _hint(asked: Exercise, answer: Answer, draw: Callable, seed: int, number: int) -> str | None:
    """The hint of the first mistake that explains this instance."""
    for mistake in asked.mistakes:
        try:
            with time_limit(LIMIT_S):
                if mistake.made(answer, *draw(_generator(seed, number))):
                    return mistake.hint
        except (Exception, OutOfTime):  # the answer breaks in another way: not this mistake
            continue
    return None


def _generator(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])


def _property(asked: Exercise, what: str) -> Property:
    if what not in asked.properties:
        raise CcaError(f"{asked.name}: no property {what!r}; there are {', '.join(asked.properties)}")
    return asked.properties[what]


def _name_of(asked: Exercise, wanted: Property) -> str:
    return next(name for name, one in asked.properties.items() if one is wanted)
