import json

import numpy as np
import pytest
import torch

from ccalib.evaluation import dead_zone
from ccalib.evaluation.dead_zone import NONE, RANGES, DeadZone, points
from ccalib.training.losses import bits
from ccalib.training.validate import middle

ARGUMENTS = ["--qualities", "0", "1", "2", "3", "--quiet"]


def test_it_rounds_toward_zero_beyond_the_half_and_only_in_its_range(codec):
    coder = DeadZone(codec.gaussian, (0.5, 0.5, 0.7, 0.5, 0.5))
    offset = torch.tensor([0.45, 0.6, 0.75, -0.6, -0.75, 1.6, 1.75, -1.6])
    inside, outside = (torch.full_like(offset, scale).log() for scale in (0.7, 1.5))
    assert coder.round(offset, inside).tolist() == [0, 0, 1, 0, -1, 1, 2, -1]
    assert coder.round(offset, outside).tolist() == [0, 1, 1, -1, -1, 2, 2, -2]
    edges = torch.tensor(RANGES).log()
    assert coder.round(torch.full((4,), 0.6), edges + 1e-3).tolist() == [1, 0, 1, 1]


def test_without_one_it_is_what_the_codec_says(codec, photos):
    x = torch.from_numpy(middle(photos[0]).copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        out = codec(x, torch.tensor([3.0]))
    pixels = x.shape[2] * x.shape[3]
    bpp = sum(bits(out["likelihoods"][name]).sum().item() for name in ("y", "z")) / pixels
    mse = 255**2 * (x - out["x_hat"].clamp(0, 1)).square().mean().item()
    plain, wide = points(codec, photos[0], 3.0, [NONE, (0.7,) * len(NONE)])
    assert plain == pytest.approx([bpp, mse, 10 * np.log10(255**2 / mse)], rel=1e-6)
    assert wide[0] < plain[0] and wide[1] > plain[1]  # fewer bits, more error


def test_the_command_chooses_on_one_half_and_goes_on(model, tmp_path, monkeypatch, capsys, photos):
    from tests.conftest import DATA

    listed, output = tmp_path / "list.txt", tmp_path / "dead_zone.json"
    names = sorted(f.name for f in (DATA / "images").glob("*.png"))[:2]
    listed.write_text("\n".join(names))
    command = [str(DATA / "images"), "--validation", str(listed), "-o", str(output), "--model", str(model),
               "--cache", str(tmp_path / "cache"), *ARGUMENTS]  # fmt: skip
    thetas = iter([NONE, KeyboardInterrupt])
    with monkeypatch.context() as patch:

        def stop(*_):
            if (found := next(thetas)) is KeyboardInterrupt:
                raise KeyboardInterrupt
            return found

        patch.setattr(dead_zone, "tune", stop)
        assert dead_zone.main(command) == 130 and "goes on" in capsys.readouterr().err
    first = json.loads(output.read_text())["points"]
    assert [p["quality"] for p in first] == [0.0] and first[0]["with"] == first[0]["without"]
    assert dead_zone.main(command) == 0
    result = json.loads(output.read_text())
    assert result["points"][0] == first[0] and [p["quality"] for p in result["points"]] == [0.0, 1.0, 2.0, 3.0]
    assert f"BD-rate {result['bd_rate']['percent']:+.2f} %" in capsys.readouterr().out
    assert dead_zone.main([*command, "--qualities", "1"]) == 1 and "--qualities" in capsys.readouterr().err
    assert dead_zone.main([*command, "--qualities", "0", "1", "2", "9"]) == 1 and "9" in capsys.readouterr().err
    for text in ('{"fingerprint": 1}', "[]", "{"):  # results of another command
        (tmp_path / "other.json").write_text(text)
        assert dead_zone.main([*command, "-o", str(tmp_path / "other.json")]) == 1
        assert "name another output" in capsys.readouterr().err and (tmp_path / "other.json").read_text() == text
    with monkeypatch.context() as patch:
        patch.setattr(dead_zone, "load_photos", lambda files, *_: files[:1])  # the other could not be read
        assert dead_zone.main(command) == 1 and "two photographs" in capsys.readouterr().err
    listed.write_text(names[0])
    assert dead_zone.main(command) == 1 and "two photographs" in capsys.readouterr().err


def test_what_is_chosen_is_the_lowest_of_its_range(codec, photos):
    best = dead_zone.tune(codec, photos, range(1), 3.0, progress=False)
    alone = [NONE[:1] + (theta,) + NONE[2:] for theta in (0.5, *dead_zone.THETAS)]
    from ccalib.model.gains import lambda_of

    losses = [bpp + lambda_of(codec.preset, 3.0) * mse for bpp, mse, _ in points(codec, photos[0], 3.0, alone)]
    assert best[1] == alone[losses.index(min(losses))][1]
