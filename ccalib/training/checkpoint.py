"""Checkpoints: written whole or not at all, and everything that a resumed run needs.

A step's crops, qualities and noise depend on (seed, step) alone (`ccalib.training.data`), so there is no random state
to keep.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from ccalib.errors import CcaError

FORMAT = 1


def save(path: Path, state: dict) -> None:
    """Write to a temporary name, flush to disk, rename: a kill or a full disk leaves the previous checkpoint whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as out:
            torch.save({"format": FORMAT, **state}, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CcaError(f"{path}: the checkpoint can't be written ({error}); the previous one is untouched") from error
    finally:
        temporary.unlink(missing_ok=True)


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
    """A JSON-lines file. Opening it at a step drops later lines, which a killed run wrote after its checkpoint."""

    def __init__(self, path: Path, step: int) -> None:
        lines = []
        if path.exists():
            for line in path.read_text().splitlines():
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
        self.file.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        self.file.close()
