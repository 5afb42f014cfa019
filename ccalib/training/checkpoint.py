"""Checkpoints: written whole or not at all, and everything that a resumed run needs.

A step's crops, qualities and noise depend on (seed, step) alone (`ccalib.training.data`), so there is no random state
to keep.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from ccalib.errors import CcaError

FORMAT = 1


def is_cold(state: dict | None) -> bool:
    """Whether a run from here begins with a new optimizer: no checkpoint, or finished weights, which have none."""
    return state is None or not state["optimizers"]


def save(path: Path, state: dict) -> None:
    """Write to a temporary name, flush to disk, rename: a kill or a full disk leaves the previous checkpoint whole.

    The temporary name is always the same, so that kills leave one such file at most, and the next checkpoint takes it.

    Raises:
        CcaError: it can't be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with writing(path), open(temporary, "wb") as out:
            torch.save({"format": FORMAT, **state}, out)
            out.flush()
            os.fsync(out.fileno())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What can't be written here (a full disk, a read-only folder) becomes a CcaError that says what to do."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        raise CcaError(
            f"{path}: can't be written ({cause}). Make room there, then go on with --resume: what was written before, "
            "the last checkpoint above all, is whole"
        ) from error


def load(path: Path) -> dict:
    """Raises CcaError: missing, damaged or of another format."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CcaError(f"{path}: no such checkpoint") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CcaError(f"{path}: not a checkpoint, or damaged ({type(error).__name__}: {error})") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CcaError(f"{path}: not a ccalib checkpoint of format {FORMAT}")
    return state


class Log:
    """A JSON-lines file. Opening it at a step drops later lines, which a killed run wrote after its checkpoint.

    Raises:
        CcaError: it can't be written.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path, lines = path, []
        with writing(path):
            if path.exists():
                for line in path.read_text(errors="replace").splitlines():
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue  # a kill cut the last line
                    if entry.get("step", 0) <= step:
                        lines.append(line)
                temporary = path.with_name(path.name + ".tmp")
                temporary.write_text("".join(line + "\n" for line in lines))
                os.replace(temporary, path)
            self.file = open(path, "a", buffering=1)  # noqa: SIM115 - lives as long as the run

    def write(self, **entry) -> None:
        """Raises CcaError where the disk is full."""
        with writing(self.path):
            self.file.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the rest of a line that `write` could not write, and said so
            self.file.close()
