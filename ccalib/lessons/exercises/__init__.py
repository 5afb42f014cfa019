"""Exercises that check themselves: `check("klt", "orthonormal", klt)`."""

from ccalib.lessons.exercises.checker import GRADING, CheckFailed, check, instance

__all__ = ["GRADING", "CheckFailed", "check", "instance"]
