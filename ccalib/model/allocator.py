"""Memory of freed tensors is used again.

glibc maps each block above 32 MB anew and unmaps it when it is freed. Then every large activation costs a page fault
per 4 kB and the zeroing of pages that are overwritten at once: a third of the processor time of `paper`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
OWN = 2**25, 2**26  # bytes: larger blocks are mapped; more free memory than that goes back. As glibc has it
KEEPING = 2**28, 2**30
VARIABLES = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_"


@functools.lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL | None:
    """glibc; None elsewhere, and where variables of the environment say already what is wanted."""
    if not sys.platform.startswith("linux") or any(name in os.environ for name in VARIABLES):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def keep_freed_memory(keep: bool) -> bool:
    """Let the C library keep what is freed from here on; whether it will.

    Without `keep` it gets its own behavior back, and what was kept goes back to the system.
    """
    libc = _libc()
    if libc is None:
        return False
    mapped, free = KEEPING if keep else OWN
    done = libc.mallopt(M_MMAP_THRESHOLD, mapped)
    if not done:  # some releases of glibc take no more than 32 MB
        libc.mallopt(M_MMAP_THRESHOLD, OWN[0])
    done = libc.mallopt(M_TRIM_THRESHOLD, free) and done
    if not keep:
        libc.malloc_trim(0)
    return bool(keep and done)
