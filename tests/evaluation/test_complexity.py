import json

import pytest
import torch
from torch import nn

from ccalib.evaluation import complexity
from ccalib.model.codec import Codec
from ccalib.model.presets import TINY


def test_macs_by_hand():
    down, up = nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    counted = complexity.count_macs({"down": down, "up": up}, lambda: up(down(torch.zeros(1, 3, 16, 16))))
    assert counted == {"down": 8 * 8 * 8 * 3 * 25, "up": 8 * 8 * 8 * 3 * 16}


def test_every_part_with_convolutions_is_counted():
    codec = Codec(TINY)
    counted = complexity.kmac_per_pixel(codec)
    assert set(counted) == set(complexity.PARTS)
    total = sum(
        complexity.count_macs({"all": codec}, lambda: codec(torch.zeros(1, 3, 128, 128), torch.zeros(1))).values()
    )
    assert sum(counted.values()) == pytest.approx(total / 128**2 / 1000)
    assert counted["hyper_klt"] == pytest.approx(TINY.sizes[0] * TINY.hyper * 16 / 64**2 / 1000)  # 4×4 blocks of y


def test_times_are_of_real_files(codec, picture):
    found = complexity.timed(codec, picture, runs=2)
    assert found["runs"] == 2 and found["bytes"] > 100 and found["encode_ms"] > 0 and found["decode_ms"] > 0


def test_a_slow_preset_runs_three_times(codec, picture, monkeypatch):
    monkeypatch.setattr(complexity, "ENOUGH_SECONDS", 0)
    assert complexity.timed(codec, picture)["runs"] == complexity.LEAST == 3


def test_the_table_is_made_from_the_json(tmp_path, monkeypatch, capsys, picture):
    monkeypatch.setattr(complexity, "SIZE", (128, 128))
    monkeypatch.setattr(complexity.weights, "folders", lambda: [tmp_path])  # no weights: random ones
    image = tmp_path / "image.png"
    picture.save(image)
    output = tmp_path / "complexity.json"
    assert complexity.main(["-o", str(output), "--presets", "tiny", "--image", str(image)]) == 0
    result = json.loads(output.read_text())
    entry = result["presets"]["tiny"]
    assert entry["parameters"] == complexity.parameters(Codec(TINY)) and entry["weights"] == "random"
    text = output.with_suffix(".md").read_text()
    assert text.strip() in capsys.readouterr().out and f"{entry['parameters']:,}" in text
    assert "64,988,067" in text and "Random weights: tiny" in text
    assert complexity.main(["-o", str(output), "--presets", "huge", "--image", str(image)]) == 1
    assert "huge" in capsys.readouterr().err
