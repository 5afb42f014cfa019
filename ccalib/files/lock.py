"""One process at a time. A lock is on a folder and ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ccalib.errors import CcaError


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[bool]:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its holder removed it between the two
            continue
        except OSError as error:
            raise CcaError(f"{folder}: can't be a folder to write to ({error})") from error
        try:
            try:
                fcntl.flock(handle, how)
            except BlockingIOError:
                yield False
                return
            if _is(folder, handle):
                yield True
                return
        finally:
            os.close(handle)


def _is(folder: Path, handle: int) -> bool:
    """Whether an open folder is the one of that name still: its holder may have removed it before it was ours."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Whether this process now holds a folder, which is made if need be. Raises CcaError where it can't be made."""
    with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as mine:
        try:
            yield mine
        finally:
            if mine:  # and none but its holder removes it, if nothing was put there
                with contextlib.suppress(OSError):
                    folder.rmdir()


def changing(path: Path) -> contextlib.AbstractContextManager[bool]:
    """Read a file in a shared folder, add to it and write it: waits until no other process does. Raises CcaError."""
    return _locked(path.parent, fcntl.LOCK_EX)


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Hold a file that is written again and again from one process's memory. Raises CcaError while another does."""
    with held(output.with_name(f".{output.name}.lock")) as mine:
        if not mine:
            raise CcaError(f"{output}: another process is writing it; wait for it, or name another output")
        yield
