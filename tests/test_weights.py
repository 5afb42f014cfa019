import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ccalib import CcaError, weights
from ccalib.model.codec import Codec
from ccalib.model.exact import WEIGHT_STEP
from ccalib.model.presets import TINY
from ccalib.training.start import new_codec
from tests.conftest import DATA, shaken


def test_what_is_stored_is_what_was_evaluated(photos, tmp_path, batch):
    codec = shaken(new_codec(TINY, photos, 2))
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


def test_a_changed_weight_changes_the_fingerprint(photos, tmp_path):
    codec = new_codec(TINY, photos, 3)
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


def test_looking_for_weights_says_where(monkeypatch, tmp_path):
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path))
    with pytest.raises(CcaError, match=str(tmp_path)):
        weights.find("unheard-of")
    with pytest.raises(CcaError, match="preset"):
        Codec(TINY).preset.from_json("not JSON")


def test_the_shipped_weights_are_small_enough_and_whole():
    path = weights.find("small")
    assert path.parent == DATA / "weights" and path.stat().st_size <= 12_000_000
    codec = weights.load("small")
    assert weights.load(codec.fingerprint).fingerprint == codec.fingerprint
