import json

import pytest
from PIL import Image

from ccalib import CcaError
from ccalib.cli import main
from ccalib.evaluation import codecs
from ccalib.evaluation import evaluate as evaluation
from ccalib.evaluation.evaluate import OURS, evaluate
from ccalib.evaluation.summary import DERIVED
from ccalib.files.lock import writing
from ccalib.model.gains import stored_quality
from ccalib.model.refine import record


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture):
    folder = tmp_path_factory.mktemp("set")
    picture.save(folder / "one.png", icc_profile=bytes(3000))
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "two.png")
    return folder


@pytest.fixture
def arguments(folder, tmp_path):
    return ["evaluate", str(folder), "-o", str(tmp_path / "result.json"), "--quiet", "--no-memory"]


def test_evaluation_resumes_and_adds_up(folder, model, arguments, tmp_path, monkeypatch, capsys):
    output = tmp_path / "result.json"
    arguments += ["--model", str(model), "--codecs", "jpeg", "--qualities", "0,2,4,6"]
    assert main([*arguments, "--plot", str(tmp_path / "curves.png")]) == 0
    assert "BD-rate against jpeg" in capsys.readouterr().out
    assert "ccalib" in (tmp_path / "curves.txt").read_text() and (tmp_path / "curves.png").stat().st_size > 5000
    result = json.loads(output.read_text())
    assert result["set"] == folder.name  # nothing is called Kodak for its name
    row = result["files"][OURS]["2"]["one.png"]
    assert row["bpp"] == 8 * row["bytes"] / (192 * 128) and row["estimated_bpp"] > 0
    point = next(p for p in result["curves"][OURS] if p["quality"] == 2)
    assert point["bpp"] == pytest.approx(sum(r["bpp"] for r in result["files"][OURS]["2"].values()) / 2)
    assert result["settings"]["jpeg"]["optimize"] is True and result["settings"]["jpeg"]["versions"]["Pillow"]
    assert result["settings"][OURS]["fingerprint"] and result["settings"][OURS]["versions"]["threads"] >= 1

    monkeypatch.setattr("ccalib.evaluation.evaluate.measure", lambda *a: pytest.fail("measured again"))
    stale = json.loads(output.read_text())
    stale["files"]["jpeg"]["7"] = stale["files"]["jpeg"]["10"]  # a point that JPEG had once
    output.write_text(json.dumps(stale))
    assert main(arguments) == 0
    assert {**json.loads(output.read_text()), "load": 0} == {**result, "load": 0}


def test_each_codec_keeps_the_machine_that_it_was_timed_on(model, arguments, tmp_path, capsys):
    output = tmp_path / "result.json"
    arguments += ["--model", str(model), "--qualities", "0,2,4,6", "--codecs"]
    assert main([*arguments, "none"]) == 0
    result = json.loads(output.read_text())
    here = result["hardware"]
    assert result["hardware_of"] == {OURS: here} and f"run here ({here})" in capsys.readouterr().out
    del result["hardware_of"]  # as results of old have it
    output.write_text(json.dumps(result | {"hardware": "an abacus"}))
    assert main([*arguments, "jpeg"]) == 0
    assert json.loads(output.read_text())["hardware_of"] == {OURS: "an abacus", "jpeg": here}
    lines = [line for line in capsys.readouterr().out.splitlines() if "encode" in line]
    assert lines[0].endswith("(an abacus)") and lines[1].endswith(f"({here})")


def test_a_flat_image_has_no_curve_but_ends_nothing(model, arguments, tmp_path, capsys):
    """JPEG has no error on it: an infinite PSNR, whose mean is none."""
    Image.new("RGB", (128, 128), (128, 128, 128)).save(tmp_path / "flat.png")
    command = ["evaluate", str(tmp_path), *arguments[2:], "--model", str(model), "--codecs", "jpeg", "--qualities"]
    assert main([*command, "0,2,4,6", "--plot", str(tmp_path / "curves.png")]) == 0
    entry = json.loads((tmp_path / "result.json").read_text())["bd_rate_psnr"]["jpeg"]
    assert entry["mean_curves"] is None and entry["why"] and entry["per_image"] == {"percent": None, "images": 0}
    assert "BD-rate against jpeg: –" in capsys.readouterr().out


def test_what_two_machines_measured_names_both(model, arguments, tmp_path):
    output = tmp_path / "result.json"
    arguments += ["--model", str(model), "--qualities", "0,2,4,6", "--codecs", "none"]
    assert main(arguments) == 0
    result = json.loads(output.read_text())
    here = result["hardware"]
    del result["files"][OURS]["6"]["two.png"]  # it was stopped, and goes on elsewhere
    output.write_text(json.dumps(result | {"hardware": "an abacus", "hardware_of": {OURS: "an abacus"}}))
    for _ in range(2):
        assert main(arguments) == 0
        assert json.loads(output.read_text())["hardware_of"] == {OURS: f"an abacus; then {here}"}


def test_refined_files_are_a_curve_of_their_own(model, arguments, tmp_path, capsys):
    output, name = tmp_path / "result.json", f"{OURS} tiny, effort 2"
    arguments += ["--model", str(model), "--codecs", "none", "--qualities", "0,2,4,6"]
    assert main(arguments) == 0
    plain = json.loads(output.read_text())
    assert main([*arguments, "--effort", "2", "--plot", str(tmp_path / "curves.png")]) == 0
    assert f"of {name}, below 0 is better" in capsys.readouterr().out and name in (tmp_path / "curves.txt").read_text()
    result = json.loads(output.read_text())
    assert result["files"][OURS] == plain["files"][OURS] and set(result["files"]) == {OURS, name}
    assert result["settings"][name] == plain["settings"][OURS] | record(2)
    assert set(result["bd_rate_refined"][name]) == {OURS} and not result["bd_rate_psnr"]
    row = result["files"][name]["4"]["one.png"]
    assert row["bytes"] != plain["files"][OURS]["4"]["one.png"]["bytes"]

    result["settings"][name]["worth"] = 1  # of a search that was another
    output.write_text(json.dumps(result))
    assert main([*arguments, "--effort", "2"]) == 1 and f"holds {name} with other settings" in capsys.readouterr().err
    result["settings"][name] |= record(2)

    result["settings"][OURS]["fingerprint"] = result["settings"][name]["fingerprint"] = "of other weights"
    output.write_text(json.dumps(result))
    assert main(arguments) == 1 and name in capsys.readouterr().err
    assert main([*arguments, "--again"]) == 0
    assert set(json.loads(output.read_text())["files"]) == {OURS}  # no curve of other weights stays beside these
    for effort in ("two", "-1"):
        assert main([*arguments, "--effort", effort]) == 1
        assert "effort" in capsys.readouterr().err


def test_a_stop_loses_no_finished_file(arguments, tmp_path, monkeypatch, capsys):
    measure, count = evaluation.measure, 0

    def stopped(*given):
        nonlocal count
        count += 1
        if count == 6:
            raise KeyboardInterrupt
        return measure(*given)

    monkeypatch.setattr(evaluation, "measure", stopped)
    assert main([*arguments, "--model", "none", "--codecs", "webp"]) == 130
    stored = json.loads((tmp_path / "result.json").read_text())["files"]["webp"]
    assert sum(map(len, stored.values())) == 5
    assert main([*arguments, "--model", "none", "--codecs", "webp"]) == 0
    assert count == 6 + 2 * len(codecs.LIVE["webp"].qualities) - 5


def test_other_images_or_settings_do_not_mix(folder, model, arguments, tmp_path, picture, monkeypatch, capsys):
    output = tmp_path / "result.json"
    arguments += ["--model", str(model), "--codecs", "jpeg", "--qualities", "0"]
    assert main(arguments) == 0
    other = tmp_path / "other"
    other.mkdir()
    picture.resize((100, 80)).save(other / "one.png")
    with pytest.raises(CcaError, match="another set"):
        evaluate(other, output, None, ["jpeg"], progress=False)
    result = json.loads(output.read_text())
    bytes_before = result["files"]["jpeg"]["50"]["one.png"]["bytes"]
    result["settings"]["jpeg"]["versions"]["Pillow"] = "an older one"
    result["files"]["jpeg"]["50"]["one.png"]["bytes"] = 1
    result["files"][OURS]["0"]["one.png"]["bytes"] = 2
    output.write_text(json.dumps(result))
    assert main(arguments) == 1 and "jpeg with other settings" in capsys.readouterr().err
    assert main([*arguments, "--again"]) == 0
    files = json.loads(output.read_text())["files"]
    assert files["jpeg"]["50"]["one.png"]["bytes"] == bytes_before  # measured anew, and
    assert files[OURS]["0"]["one.png"]["bytes"] == 2  # nothing else was

    stale = json.loads(output.read_text())
    stale["settings"][OURS]["fingerprint"] = "0" * 16
    output.write_text(json.dumps(stale))
    monkeypatch.setattr(evaluation, "_measure_all", lambda result, *_: saved.append(json.loads(json.dumps(result))))
    saved = []
    assert main([*arguments, "--again"]) == 0  # until all is measured anew, nothing of the other weights is beside it
    assert not set(DERIVED) & saved[0].keys() and OURS not in saved[0]["files"] and "jpeg" in saved[0]["files"]

    output.write_text("{}")
    with pytest.raises(CcaError, match="result.json"):
        evaluate(folder, output, None, ["jpeg"], progress=False)


def test_one_process_writes_an_output(arguments, tmp_path, capsys):
    with writing(tmp_path / "result.json"):
        assert main([*arguments, "--model", "none", "--codecs", "jpeg"]) == 1
    assert "result.json: another process is writing it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_is_of_the_quality_in_the_file(codec, picture):
    quality = stored_quality(codec.preset, 1.492) / 64
    assert quality != 1.492
    assert evaluation.estimate(codec, picture, 1.492) == evaluation.estimate(codec, picture, quality)


def test_codecs_that_are_not_here_are_left_out(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(codecs, "missing", lambda: {"heic": "pip install pillow-heif", "jxl": "not asked for"})
    assert main([*arguments, "--model", "none", "--codecs", "webp,heic"]) == 0
    assert capsys.readouterr().err == "heic is left out: pip install pillow-heif\n"
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["left_out"] == {"heic": "pip install pillow-heif"} and set(result["curves"]) == {"webp"}
    assert main([*arguments, "--codecs", "webp,bpg"]) == 1
    assert "bpg" in capsys.readouterr().err
