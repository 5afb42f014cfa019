import copy
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ccalib import CcaError, weights
from ccalib.model.codec import Codec
from ccalib.model.exact import WEIGHT_STEP
from ccalib.model.presets import TINY
from tests.conftest import DATA, shaken


def test_what_is_stored_is_what_was_evaluated(codec, tmp_path, batch):
    codec = shaken(copy.deepcopy(codec), seed=2)
    mark = weights.save(codec, tmp_path / "a.safetensors", {"minutes": 1})
    loaded = weights.load(tmp_path / "a.safetensors")
    assert loaded.fingerprint == mark == weights.metadata(tmp_path / "a.safetensors")["fingerprint"]
    for (name, a), (_, b) in zip(codec.named_parameters(), loaded.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    quality = torch.tensor([1.0, 5.0])
    with torch.inference_mode():
        a, b = codec(batch, quality), loaded(batch, quality)
    assert torch.equal(a["x_hat"], b["x_hat"]) and torch.equal(a["likelihoods"]["y"], b["likelihoods"]["y"])
    assert codec.encode(batch, quality)[0] == loaded.encode(batch, quality)[0]


def test_entropy_path_is_stored_in_steps_of_its_grid(model):
    with safe_open(model, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    path = {n: t for n, t in stored.items() if n.startswith("path.")}
    assert path and all(t.dtype == torch.int16 for t in path.values())
    codec = weights.load(model)
    for name, p in codec.path.named_parameters():
        assert torch.equal(p, path[f"path.{name}"].float() * WEIGHT_STEP)


def test_a_changed_weight_changes_the_fingerprint(codec, tmp_path):
    codec = copy.deepcopy(codec)
    first = weights.save(codec, tmp_path / "a.safetensors")
    assert weights.save(codec, tmp_path / "b.safetensors") == first  # saving twice changes nothing
    with torch.no_grad():
        codec.g_s.up[0].bias[0] += 1
    assert weights.save(codec, tmp_path / "c.safetensors") != first


def test_damaged_weights_are_refused(model, tmp_path):
    content = bytearray(model.read_bytes())
    content[-100] ^= 1
    (tmp_path / "flipped.safetensors").write_bytes(content)
    (tmp_path / "cut.safetensors").write_bytes(content[:5000])
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    for name in ("flipped", "cut", "foreign", "missing"):
        with pytest.raises(CcaError, match=name):
            weights.load(tmp_path / f"{name}.safetensors")


def test_a_field_that_presets_gain_changes_no_fingerprint(tmp_path):
    """A file from before presets had `hyper_klt` loads under the fingerprint that it was written with."""
    weights.save(Codec(dataclasses.replace(TINY, hyper_klt=False)), tmp_path / "old.safetensors")
    with safe_open(tmp_path / "old.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    meta = weights.metadata(tmp_path / "old.safetensors")
    fields = json.loads(meta["preset"])
    del fields["hyper_klt"]
    meta["preset"] = json.dumps(fields)
    mark = weights.fingerprint(meta["preset"], tensors)
    assert mark != meta["fingerprint"]
    save_file(tensors, tmp_path / "old.safetensors", meta | {"fingerprint": mark})
    codec = weights.load(tmp_path / "old.safetensors")
    assert codec.fingerprint == mark and codec.preset.hyper_klt is False


def test_weights_without_what_their_preset_needs_are_refused(model, tmp_path):
    with safe_open(model, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    meta = weights.metadata(model)

    def refused(match: str, **changes) -> None:
        kept = {name: tensor for name, tensor in tensors.items() if name != changes.get("without")}
        text = changes.get("preset", meta["preset"])
        told = meta | {"preset": text, "fingerprint": weights.fingerprint(text, kept)}
        save_file(kept, tmp_path / "odd.safetensors", told)
        with pytest.raises(CcaError, match=f"odd.safetensors: {match}"):
            weights.load(tmp_path / "odd.safetensors")

    refused("tables of z: missing", without="tables.z.cdf")
    refused("tensor g_s.up.0.bias: missing", without="g_s.up.0.bias")
    refused("preset: cannot be read", preset="not JSON")
    refused("preset: cannot be read", preset='{"name": "later", "wings": 2}')


def test_failed_writing_keeps_what_was_there(codec, tmp_path, monkeypatch):
    codec, path = copy.deepcopy(codec), tmp_path / "a.safetensors"
    path.write_bytes(b"before")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(CcaError, match="a.safetensors: can't be written.*No space"):
        weights.save(codec, path)
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(CcaError, match="can't be written"):
        weights.save(codec, path / "b.safetensors")


# ---- where weights are found ----


@pytest.fixture
def place(model, tmp_path, monkeypatch):
    """A data folder with weights `mine` and a retired `older`, and CCALIB_DATA naming it; the clone has none."""
    for name in ("mine", "retired/older"):
        (tmp_path / f"data/weights/{name}.safetensors").parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model, tmp_path / f"data/weights/{name}.safetensors")
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(weights, "CLONE", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data" / "weights"


def test_names_fingerprints_and_paths(place, codec):
    mark = codec.fingerprint
    assert weights.find("mine") == weights.find(mark) == weights.find(mark.upper()) == place / "mine.safetensors"
    assert weights.find("older") == place / "retired" / "older.safetensors"
    for path in (place / "mine.safetensors", place / "mine", "data/weights/mine", "./data/weights/mine.safetensors"):
        assert weights.find(path).resolve() == place / "mine.safetensors"
        assert weights.load(path).fingerprint == weights.load(str(path)).fingerprint == mark
    shutil.copyfile(place / "mine.safetensors", "unnamed")
    assert weights.load("unnamed").fingerprint == mark  # a file of the working directory, whatever its suffix
    (place / "mine.safetensors").unlink()
    assert weights.find(mark) == place / "retired" / "older.safetensors"


def test_ccalib_data_may_be_the_folder_itself(place, monkeypatch):
    for folder in (place, place.parent, f"{place}/"):
        monkeypatch.setenv("CCALIB_DATA", str(folder))
        assert weights.folders() == [place, place / "retired"]
    monkeypatch.setenv("HOME", str(place.parent))
    monkeypatch.setenv("CCALIB_DATA", "~/weights")
    assert weights.folders() == [place, place / "retired"]


def test_ccalib_data_comes_before_the_clone_but_retired_weights_last(place, monkeypatch):
    monkeypatch.setattr(weights, "CLONE", DATA.parent)
    assert weights.folders()[:3] == [place, DATA / "weights", place / "retired"]
    assert weights.find("small").parent == DATA / "weights"
    shutil.copyfile(place / "mine.safetensors", place / "retired" / "small.safetensors")
    assert weights.find("small").parent == DATA / "weights"
    shutil.copyfile(place / "mine.safetensors", place / "small.safetensors")
    assert weights.find("small").parent == place
    monkeypatch.setenv("CCALIB_DATA", str(DATA))
    assert weights.folders().count(DATA / "weights") == 1


def test_a_damaged_neighbor_hides_nothing(place, codec):
    (place / "a.safetensors").write_bytes((place / "mine.safetensors").read_bytes()[:5000])
    save_file({"x": torch.zeros(1)}, place / "b.safetensors")
    assert weights.find(codec.fingerprint) == place / "mine.safetensors"
    with pytest.raises(CcaError, match=rf"\(a \(foreign.*\), b \(foreign.*\), mine {codec.fingerprint}\)"):
        weights.find("0" * 16)


@pytest.mark.parametrize("name", ["unheard-of", "0123456789abcdef", "", ".", "..", "x" * 400, "a\0b", "small"])
def test_a_name_not_found_says_where_and_what_is_there(place, codec, name):
    with pytest.raises(CcaError) as caught:
        weights.load(name)
    text = str(caught.value)
    assert repr(name) in text and "CCALIB_DATA" in text and "\n" not in text
    assert f"{place} (mine {codec.fingerprint}); {place / 'retired'} (older {codec.fingerprint})" in text


def test_nowhere_to_look(place, monkeypatch, tmp_path):
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path / "absent"))
    with pytest.raises(CcaError, match=f"looked in {tmp_path / 'absent'} \\(no such folder\\)"):
        weights.load("small")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path / "empty"))
    with pytest.raises(CcaError, match=f"looked in {tmp_path / 'empty'} \\(no weights\\)"):
        weights.load("small")
    monkeypatch.delenv("CCALIB_DATA")
    with pytest.raises(CcaError, match="looked in no folder.*installed.*CCALIB_DATA is not set"):
        weights.load("small")


def test_paths_that_are_no_weights(place, tmp_path):
    torch.save({"format": 1}, tmp_path / "last.pt")
    torch.save({"format": 1}, tmp_path / "old.pth.tar", _use_new_zipfile_serialization=False)
    (tmp_path / "empty.safetensors").touch()
    for path, words in {
        "last.pt": "last.pt: a PyTorch checkpoint.*--decay-from .*last.pt.*official.load",
        "./old.pth.tar": "old.pth.tar: a PyTorch checkpoint",
        "empty.safetensors": "empty.safetensors: not a safetensors file, or damaged",
        "data/weights": "data/weights: a folder, not weights; in it: mine ",
        Path("data"): "data: a folder, not weights; in it: no weights",
        "../mine": r"\.\./mine: no such weights; in \.\.: ",  # never below a weights folder
        Path("mine"): "mine: no such weights; in .: ",
        "mine.safetensors": "mine.safetensors: no such weights",
        "none/mine.safetensors": "none/mine.safetensors: no such weights; in none: no such folder",
        "data/weights/retired/../../../mine": "no such weights",
    }.items():
        with pytest.raises(CcaError, match=words):
            weights.load(path)


@pytest.mark.slow
def test_an_installed_wheel(tmp_path):
    """No data inside: it says so, finds them through CCALIB_DATA, and Pillow reads .cca files."""
    source, wheels, site = (tmp_path / name for name in ("source", "wheels", "site"))
    shutil.copytree(DATA.parent / "ccalib", source / "ccalib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(DATA.parent / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--no-deps", "-q", "-w", wheels, source], check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    mark = weights.load("small").fingerprint
    golden = DATA.parent / f"tests/files/golden/coffee_{mark[:8]}.cca"
    script = f"""
import os, ccalib
from PIL import Image
assert ccalib.__file__.startswith({str(site)!r}), ccalib.__file__
golden = {str(golden)!r}
image = Image.open(golden)
for attempt in (lambda: ccalib.load("small"), image.load):
    try:
        attempt()
    except ccalib.CcaError as error:
        print(error)
os.environ["CCALIB_DATA"] = {str(DATA)!r}
print(ccalib.load("small").preset.name, image.resize((60, 40)).size)
"""
    environment = {name: value for name, value in os.environ.items() if name != "CCALIB_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment | {"PYTHONPATH": str(site)}, capture_output=True
    )
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 3, done.stderr.decode()
    assert "'small'; looked in no folder: this ccalib is installed without data" in lines[0]
    assert f"{golden.name}: fingerprint: weights: no model with name or fingerprint '{mark}'" in lines[1]
    assert lines[2] == "small (60, 40)"


def test_the_shipped_weights_are_small_enough_and_whole():
    path = weights.find("small")
    assert path.parent == DATA / "weights" and path.stat().st_size <= 12_000_000
    codec = weights.load("small")
    assert weights.load(codec.fingerprint).fingerprint == codec.fingerprint


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"widths": [1.5, 2, 3]}, "widths"), ({"widths": [-3, 2, 3]}, "widths"), ({"k": 1e6}, "cannot be read"),
        ({"lambdas": [0.1]}, "lambdas"), ({"widths": [30000, 30000, 128]}, "another shape"),
        ({"context_blocks": 10**9}, "at most 1000"), ({"klt": 1}, "klt"),
    ],
)  # fmt: skip
def test_a_preset_that_no_codec_can_have_costs_nothing(tmp_path, changes, word):
    """Hand-made weights of some hundred bytes: refused by what they say, before any memory is asked for."""
    text = json.dumps(json.loads(TINY.to_json()) | changes)
    _handmade(tmp_path / "x.safetensors", text, {"a": torch.zeros(1)})
    with pytest.raises(CcaError, match=f"x.safetensors: .*{word}"):
        weights.load(tmp_path / "x.safetensors")


def test_a_preset_that_is_none_and_tensors_of_a_foreign_kind(tmp_path):
    for text in ("[]", "{}", "null", "3"):
        _handmade(tmp_path / "x.safetensors", text, {"a": torch.zeros(1)})
        with pytest.raises(CcaError, match="x.safetensors: preset: cannot be read"):
            weights.load(tmp_path / "x.safetensors")
    metadata = {"format": str(weights.FORMAT), "preset": TINY.to_json(), "fingerprint": "0" * 16}
    save_file({"a": torch.zeros(1, dtype=torch.bfloat16)}, tmp_path / "y.safetensors", metadata)
    with pytest.raises(CcaError, match="y.safetensors: tensors of a kind"):
        weights.load(tmp_path / "y.safetensors")


def _handmade(path, text: str, tensors: dict) -> None:
    mark = weights.fingerprint(text, tensors)
    save_file(tensors, path, {"format": str(weights.FORMAT), "preset": text, "fingerprint": mark})
