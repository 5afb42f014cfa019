"""The fuzzer itself: its mutations are what they say, its verdicts are right, its workers outlive what they decode."""

import json
import os
import time

import pytest

import ccalib
from benchmarks import fuzz, mutations
from ccalib import CcaError
from ccalib.files import container
from ccalib.model import rans

FEW = {"pixels": 2**17, "memory_mb": 512, "seconds": 0.5}


@pytest.fixture(scope="module")
def files(codec, picture) -> list[bytes]:
    return [
        ccalib.encode(picture.crop((0, 0, *size)), quality, codec)
        for size in ((48, 32), (64, 64))
        for quality in (0, 3)
    ]


def test_taking_apart_and_joining_changes_nothing(files):
    for data in files:
        for sealed in (False, True):
            parts = mutations.Parts.of(data)
            if sealed:
                parts.seal()
            assert parts.join(sealed) == data


def test_a_case_is_a_function_of_seed_and_number(files):
    cases = [mutations.case(files, 0, i) for i in range(300)]
    assert cases == [mutations.case(files, 0, i) for i in range(300)]
    assert [c[3] for c in cases if c[2]] != [mutations.case(files, 1, i)[3] for i in range(300) if i % 2]
    assert {c[1] for c in cases if c[2]} == set(mutations.KINDS)


def test_the_first_cases_are_all_cuts(files):
    cuts = [mutations.case(files, 0, 2 * n)[3] for n in range(sum(map(len, files)))]
    assert cuts == [data[:length] for data in files for length in range(len(data))]
    after = 2 * len(cuts)
    assert {mutations.case(files, 0, after + 2 * n)[1] for n in range(len(mutations.KINDS))} == set(mutations.KINDS)


def test_sealed_cases_pass_every_checksum_of_bytes(files):
    """What refuses them stands behind the checksums: sizes, groups, weights, the coder, the symbols."""
    for i in range(1, 600, 2):
        _, kind, _, data = mutations.case(files, 0, i)
        try:
            info = container.parse(data)
            for segment in info.segments[: info.groups + 1]:
                container.payload(data, segment)
        except CcaError as error:
            assert kind in ("length", "groups") or "checksum" not in str(error)  # these move what a header means


def test_verdicts(codec, files, monkeypatch):
    monkeypatch.setattr(codec, "decode", codec.decode)  # what the spy wraps is put back
    monkeypatch.setattr(rans.ans, "RansDecoder", rans.ans.RansDecoder)
    spy, true, pictures = fuzz.Spy(codec), files[3], {}

    def verdict(data: bytes) -> tuple[str, bool]:
        return fuzz.judge(data, true, codec, spy, pictures)[0], spy.reached

    info, parts = container.parse(true), mutations.Parts.of(true)
    assert verdict(true) == ("whole", True) and verdict(true[:-1]) == ("prefix", True)
    assert verdict(true[:50]) == ("refused", False)
    parts.numbers[:2] = [parts.numbers[0] + 1, info.width - 1]
    assert verdict(parts.join(True)) == ("obeyed", True) and verdict(parts.join(False)) == ("refused", False)
    parts = mutations.Parts.of(true)
    parts.payloads[-1] = b""  # all symbols zero: what decodes whatever came before
    parts.seal()
    assert verdict(parts.join(True)) == ("refused", True)  # the symbols' checksum
    monkeypatch.setattr(container, "symbols_crc", lambda symbols: info.segments[0].symbols_crc)
    for segment in range(len(parts.checksums)):
        parts.checksums[segment] = parts.checksums[segment][:4] + info.segments[0].symbols_crc.to_bytes(2, "little")
    assert verdict(parts.join(True)) == ("silent", True)  # and without it
    monkeypatch.setattr(container, "payload", lambda *given: 1 / 0)
    assert verdict(true) == ("exception", False)
    monkeypatch.setattr(container, "payload", lambda *given: bytes(2**60))
    assert verdict(true) == ("memory", False)


def faulty(pipe, files, model, seed, limits) -> None:
    """A worker that dies of case 1 and never ends case 2."""
    pipe.send(None)
    while True:
        i = pipe.recv()
        if i == 1:
            os._exit(9)
        time.sleep(60 if i == 2 else 0)
        pipe.send((i, "refused", "", False))


def test_workers_outlive_crashes_and_hangs(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "work", faulty)
    monkeypatch.setattr(fuzz.Worker, "METHOD", "fork")
    workers = [fuzz.Worker([], "", 0, FEW) for _ in range(2)]
    outcomes = {i: outcome for i, outcome, *_ in fuzz.run(workers, range(6))}
    assert outcomes == {0: "refused", 1: "crash", 2: "hang", 3: "refused", 4: "refused", 5: "refused"}
    for worker in workers:
        worker.process.kill()


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(tmp_path, capsys):
    path = tmp_path / "fuzz.json"
    for count in ("20", "40"):
        assert fuzz.main(["--count", count, "--workers", "1", "-o", str(path)]) == 0
    result = json.loads(path.read_text())
    assert result["cases"] == 40 and result["findings"] == []
    for counts in result["totals"].values():
        assert sum(counts.values()) - counts.get("reached_coder", 0) == 20
    assert fuzz.main(["--workers", "0", "-o", str(path)]) == 1 and "--workers" in capsys.readouterr().err
    assert fuzz.main(["--count", "60", "--seed", "1", "-o", str(path)]) == 1
    assert "other settings" in capsys.readouterr().err
