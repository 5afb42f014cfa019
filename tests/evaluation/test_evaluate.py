import io
import json

import numpy as np
import pytest
from PIL import Image

from ccalib import CcaError
from ccalib.cli import main
from ccalib.evaluation import codecs
from ccalib.evaluation.evaluate import OURS, evaluate
from ccalib.evaluation.metrics import psnr


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture):
    folder = tmp_path_factory.mktemp("set")
    picture.save(folder / "one.png")
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "two.png")
    return folder


def test_evaluation_resumes_and_adds_up(folder, model, tmp_path, monkeypatch, capsys):
    output = tmp_path / "result.json"
    arguments = ["evaluate", str(folder), "-o", str(output), "--model", str(model), "--codecs", "jpeg"]
    arguments += ["--qualities", "0,2,4,6"]
    assert main([*arguments, "--plot", str(tmp_path / "curves.png"), "--quiet"]) == 0
    assert "BD-rate against jpeg" in capsys.readouterr().out and (tmp_path / "curves.png").stat().st_size > 5000
    result = json.loads(output.read_text())
    assert result["set"] == folder.name  # nothing is called Kodak for its name
    row = result["files"][OURS]["2"]["one.png"]
    assert row["bpp"] == 8 * row["bytes"] / (192 * 128) and row["estimated_bpp"] > 0
    point = next(p for p in result["curves"][OURS] if p["quality"] == 2)
    assert point["bpp"] == pytest.approx(sum(r["bpp"] for r in result["files"][OURS]["2"].values()) / 2)
    assert result["settings"]["jpeg"]["optimize"] is True

    monkeypatch.setattr("ccalib.evaluation.evaluate.measure", lambda *a: pytest.fail("measured again"))
    assert main([*arguments, "--quiet"]) == 0
    assert json.loads(output.read_text()) == result


def test_other_images_or_weights_do_not_mix(folder, model, tmp_path, picture):
    output = tmp_path / "result.json"
    evaluate(folder, output, None, ["jpeg"], progress=False)
    other = tmp_path / "other"
    other.mkdir()
    picture.resize((100, 80)).save(other / "one.png")
    with pytest.raises(CcaError, match="another set"):
        evaluate(other, output, None, ["jpeg"], progress=False)
    output.write_text("{}")
    with pytest.raises(CcaError, match="result.json"):
        evaluate(folder, output, None, ["jpeg"], progress=False)
    with pytest.raises(CcaError, match="--codecs"):
        evaluate(folder, tmp_path / "x.json", None, ["bpg"], progress=False)


@pytest.mark.parametrize("name", codecs.available())
def test_codecs_reach_higher_quality_with_more_bytes(picture, name):
    codec = codecs.LIVE[name]
    low, high = (codec.encode(picture, q) for q in (codec.qualities[0], codec.qualities[-1]))
    assert len(low) < len(high)
    assert psnr(picture, codecs.decode(low)) < psnr(picture, codecs.decode(high))


def test_jpeg_takes_the_better_sampling(photos):
    """Saturated stripes need their chroma; a photograph at a low quality does not."""
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2, 0] = 255
    stripes[:, 1::2, 2] = 255
    photo = np.ascontiguousarray(photos[0][:256, :256])
    luma = [Image.open(io.BytesIO(codecs.jpeg(Image.fromarray(p), 20))).layer[0][1:3] for p in (stripes, photo)]
    assert luma == [(1, 1), (2, 2)]  # sampled like the chroma: 4:4:4; twice as densely: 4:2:0
