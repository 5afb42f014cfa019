import mmap
import subprocess
import sys

import numpy as np
import pytest

from ccalib import CcaError
from ccalib.evaluation import memory
from ccalib.evaluation.summary import OURS


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets the mark begin again")
def test_the_mark_rises_by_what_is_used():
    size = 64 * 2**20
    memory.forget_peak()
    before = memory.peak_bytes()
    with mmap.mmap(-1, size) as block:  # pages of its own: what malloc does with freed ones plays no part
        for start in range(0, size, mmap.PAGESIZE):
            block[start] = 1
        risen = memory.peak_bytes()
    assert size * 0.9 < risen - before < size * 1.2
    memory.forget_peak()
    assert memory.peak_bytes() < risen - 50e6


@pytest.mark.slow
def test_a_codec_in_processes_of_its_own(picture, model):
    block = np.ones(2**30, dtype=np.uint8)  # a gigabyte here is none of theirs
    found = memory.measure(OURS, 3, picture, model)
    assert block.nbytes / 1e6 > found["base_mb"] + found["encode_mb"]
    assert found["base_mb"] > 50 and found["encode_mb"] > 5 and found["decode_mb"] > 5  # libraries; weights and more
    assert (found["width"], found["height"], found["quality"]) == (192, 128, 3)


def test_a_failed_process_is_an_error_with_its_reason(picture, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="Traceback ...\nCcaError: no such weights\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: failed)
    with pytest.raises(CcaError, match="jpeg: measuring memory failed: CcaError: no such weights"):
        memory.measure("jpeg", 50, picture)
