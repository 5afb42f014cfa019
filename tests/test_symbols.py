"""`benchmarks/symbols.py`: what it counts, and one cross of settings in this process."""

import copy
import dataclasses
import json
import re

import numpy as np
import pytest
import torch

import ccalib
from benchmarks import symbols
from benchmarks.symbols_worker import KINDS, REFERENCE, Worker, chunks, read, segment_of, write
from ccalib import CcaError, weights
from ccalib.lessons.orders import reordered, with_path
from ccalib.model.codec import Codec
from ccalib.model.exact import exact_copy
from ccalib.model.presets import TINY
from tests.conftest import shaken


def test_count_tells_same_caught_and_silent_apart():
    encoded = {
        "a": {"p q1": {"file": "f", "symbols": ["z", "1"]}, "p q2": {"file": "g", "symbols": ["z", "2"]}},
        "b": {"p q1": {"file": "f", "symbols": ["z", "1"]}, "p q2": {"file": "h", "symbols": ["z", "3"]}},
    }
    right = {"f": {"refused": None, "symbols": ["z", "1"]}, "g": {"refused": None, "symbols": ["z", "2"]}}
    decoded = {
        "a": right | {"h": {"refused": "g1"}},
        "b": right | {"g": {"refused": None, "symbols": ["z", "9"]}, "h": {"refused": None, "symbols": ["z", "3"]}},
    }
    found = symbols.count(encoded, decoded)
    assert found["pairs"]["a"]["b"] == {"files": 2, "same": 1, "caught": 0, "silent": 1}
    assert found["pairs"]["b"]["a"] == {"files": 2, "same": 1, "caught": 1, "silent": 0}
    assert found["across"] == {"files": 4, "same": 2, "caught": 1, "silent": 1}
    assert found["all"] == {"files": 8, "same": 6, "caught": 1, "silent": 1}
    assert found["caught_in"] == {"g1": 1}


def test_pixels_count_each_file_once():
    encoded = {"a": {"p": {"file": "f"}}, "b": {"p": {"file": "f"}, "r": {"file": "g"}, "s": {"file": "h"}}}
    rows = {"f": {"values": 12, "differ": 2, "largest": 1}, "g": {"values": 12, "differ": 0, "largest": 0}}
    found = symbols.pixels(encoded, {"c": rows | {"h": {"refused": "g2"}}})
    assert found["c"] == {"files": 2, "files_that_differ": 1, "values": 24, "differ": 2, "largest": 1}


def test_batches_are_full_and_of_one_size():
    sizes = {str(i): (3, 2) if i % 3 else (2, 3) for i in range(10)}
    found = chunks(list(sizes), sizes, 4)
    assert {name for part in found for name in part} == sizes.keys()
    assert all(len(part) == 4 and len({sizes[name] for name in part}) == 1 for part in found)
    assert sum(len(set(part)) for part in found) == len(sizes)  # each in one batch only


def test_segment_of_a_message():
    found = [segment_of(text) for text in ("z: out of range", "group 3: a stream", "g12: decoded", "something else")]
    assert found == ["z", "g3", "g12", "unnamed"]


def nudged(codec: Codec, group: int) -> Codec:
    """The codec as a machine that gets the scales of one group (from 0) wrong."""
    other = copy.deepcopy(codec).eval()  # forgets the exact copy of the path
    context = other.path.groups.contexts[group]
    with torch.no_grad():
        if codec.preset.split_context:
            context.scale_head[-1].bias += 3
        else:
            context.head[-1].bias[context.size :] += 1
    return other


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Codec:
    """`paper`'s kind of entropy path, in floats; small, untrained, with latents of some units."""
    return stored_split(tmp_path_factory.mktemp("split"), exact=False)


@pytest.fixture(scope="module")
def exact_split(tmp_path_factory) -> Codec:
    """The same in exact arithmetic, as `paper` may have it."""
    return stored_split(tmp_path_factory.mktemp("exact"), exact=True)


def stored_split(folder, exact: bool) -> Codec:
    torch.manual_seed(0)
    preset = dataclasses.replace(TINY, name="split", split_context=True, hyper_klt=False, exact_path=exact)
    codec = shaken(Codec(preset))
    with torch.no_grad():
        codec.klt.analysis.weight *= 40
        for context in codec.path.groups.contexts:
            context.scale_head[-1].bias += 2
            for name, p in context.named_parameters():
                if name.endswith((".beta", ".gamma")):  # 0 would hide what NAF blocks do
                    p.normal_()
    weights.save(codec, folder / "split.safetensors")
    return weights.load(folder / "split.safetensors")


@pytest.mark.parametrize("kind", ["codec", "split", "exact_split"])
def test_a_machine_that_gets_scales_wrong_shows_no_garbage(kind, picture, request):
    """Of `paper`'s kind, whose path isn't exact, too: the error names the first group that came out wrong."""
    codec = request.getfixturevalue(kind)
    data = ccalib.encode(picture, codec.preset.qualities, codec)
    for group in (0, 2, 4):
        other = nudged(codec, group)
        with pytest.raises(CcaError, match=r"bytes: (g|group )\d: ") as caught:
            ccalib.decode(data, model=other)
        named = int(re.search(r"(?:g|group )(\d): ", str(caught.value))[1])
        assert named == group + 1
        assert read(other, [data])[0]["refused"] == f"g{named}"


def test_read_and_write_do_in_batches_what_files_do(codec, picture):
    pictures = [picture, picture.rotate(180), picture]
    files = write(codec, pictures, 5)
    for image, (data, own), row in zip(pictures, files, read(codec, [data for data, _ in files])):
        assert data == ccalib.encode(image, 5, codec)
        assert symbols.verdict(own, row) == symbols.SAME
        off = row["pixels"].astype(int) - np.asarray(ccalib.decode(data, model=codec))
        assert abs(off).max() <= 1  # transforms are ordinary floats


def test_one_wrong_file_of_a_batch_is_the_one_refused(codec, picture):
    (good, own), (other, _) = write(codec, [picture, picture.rotate(180)], 5)
    bad, _ = write(nudged(codec, 2), [picture], 5)[0]
    rows = read(codec, [good, bad, other])
    assert rows[0]["refused"] is rows[2]["refused"] is None and rows[1]["refused"] in ("g3", "g4", "g5")
    assert symbols.verdict(own, rows[0]) == symbols.SAME


def test_files_of_the_two_kinds_of_arithmetic_do_not_mix(split, exact_split, picture):
    files = {codec.fingerprint: ccalib.encode(picture, 6, codec) for codec in (split, exact_split)}
    assert len(files) == 2
    for codec, other in ((split, exact_split), (exact_split, split)):
        assert ccalib.decode(files[codec.fingerprint], model=codec).size == picture.size
        with pytest.raises(CcaError, match=f"written by {codec.fingerprint}, not by {other.fingerprint}"):
            ccalib.decode(files[codec.fingerprint], model=other)
    sizes = [len(data) for data in files.values()]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


@pytest.mark.parametrize("kind", ["codec", "exact_split"])
def test_exact_sums_have_no_order(kind, picture, request):
    """The other machine adds every convolution's products in another order."""
    codec = request.getfixturevalue(kind)
    data, own = write(codec, [picture], codec.preset.qualities)[0]
    for seed in (1, 2):
        row = read(with_path(codec, exact_copy(reordered(codec.path, seed))), [data])[0]
        assert symbols.verdict(own, row) == symbols.SAME


@pytest.fixture
def kept():
    """Threads and oneDNN as they were."""
    threads, flags = torch.get_num_threads(), torch.backends.mkldnn.enabled
    yield
    torch.set_num_threads(threads)
    torch.backends.mkldnn.set_flags(flags)


def test_workers_of_two_settings_and_what_they_leave(model, picture, tmp_path, kept, monkeypatch):
    photo, names = tmp_path / "a.png", [REFERENCE, "contiguous"]
    picture.save(photo)
    for way in ("encode", "decode"):
        for name in names:
            Worker(name, tmp_path, model).run(way, [photo], [5.0])
    found = symbols.summarize(tmp_path, names, {"a q5"})
    assert found["exact"]["across"] == {"files": 2, "same": 2, "caught": 0, "silent": 0}
    assert found["settings"]["contiguous"]["bits_of_the_reference"]["exact"]
    assert all(row["largest"] <= 1 and row["values"] for row in found["exact"]["pixels"].values())
    for kind in KINDS:  # floats, too, are read by the setting that wrote them
        assert all(found[kind]["pairs"][n][n]["same"] == 1 for n in names)
    # once more: nothing is left to do, so nothing is encoded or decoded
    monkeypatch.setattr("benchmarks.symbols_worker.write", None)
    monkeypatch.setattr("benchmarks.symbols_worker.read", None)
    before = json.loads((tmp_path / "decode" / f"{REFERENCE}.json").read_text())
    for way in ("encode", "decode"):
        Worker(REFERENCE, tmp_path, model).run(way, [photo], [5.0])
    after = json.loads((tmp_path / "decode" / f"{REFERENCE}.json").read_text())
    assert after | {"cpu_seconds": 0} == before | {"cpu_seconds": 0}


def test_a_failing_process_is_named(monkeypatch, tmp_path, model):
    monkeypatch.setattr("sys.argv", ["symbols.py", str(tmp_path), "--model", str(model), "--python", "false"])
    args = symbols.arguments()
    args.work = tmp_path
    with pytest.raises(CcaError, match="other torch.*encode"):
        symbols.launch("other torch", "encode", args, [])
    assert not list(tmp_path.iterdir())


def test_the_result_supports_what_the_readme_promises():
    result = json.loads((symbols.ROOT / "data/results/symbols.json").read_text())
    exact, floats = result["exact"], result["floats"]
    assert result["set"] == "Kodak" and len(result["qualities"]) == 3 and not result["left_out"]
    assert len(result["settings"]) == len(exact["pairs"]) == 12
    assert exact["all"]["files"] == 12 * 12 * 24 * 3 == exact["all"]["same"]
    assert 0.25 < floats["across"]["caught"] / floats["across"]["files"] < 0.42 and floats["all"]["silent"] == 0
    assert max(found["largest"] for found in exact["pixels"].values()) == 1
