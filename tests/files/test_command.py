import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from ccalib import decode
from ccalib import encode as encoded
from ccalib.cli import main
from tests.faults import largest_file


@pytest.fixture
def folder(tmp_path, picture):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.jpg"):
        picture.save(tmp_path / "in" / name)
    return tmp_path


def encode(*arguments, model) -> int:
    return main(["encode", *map(str, arguments), "--model", str(model)])


def test_there_and_back(folder, model, monkeypatch, capsys):
    monkeypatch.setattr("ccalib.weights.folders", lambda: [model.parent])
    source, coded, back = folder / "in/a.png", folder / "a.cca", folder / "a.png"
    assert encode(source, coded, "-q", 2, model=model) == 0
    assert main(["info", str(coded)]) == 0
    out = capsys.readouterr().out
    table = [line.split() for line in out.splitlines() if line.startswith("  ")]
    sizes = {row[0]: int(row[1]) for row in table[1:]}
    assert sizes.pop("file") == coded.stat().st_size == sum(sizes.values())
    assert set(sizes) == {"header", "z", "g1", "g2", "g3", "g4", "g5"}
    assert main(["decode", str(coded), str(back)]) == 0
    assert Image.open(back).size == Image.open(source).size
    assert main(["decode", str(coded), "-g", "1", "-o", str(folder / "one.jpg")]) == 0
    assert Image.open(folder / "one.jpg").format == "JPEG"


def test_weights_that_are_no_name_away_are_named(folder, model, monkeypatch, capsys):
    monkeypatch.setattr("ccalib.weights.folders", lambda: [])
    assert encode(folder / "in/a.png", folder / "a.cca", model=model) == 0
    assert main(["decode", str(folder / "a.cca")]) == 1 and "give a file's path" in capsys.readouterr().err
    assert main(["decode", str(folder / "a.cca"), "--model", str(model)]) == 0 and (folder / "a.png").exists()
    assert main(["decode", str(folder / "a.cca"), "-o", str(folder / "a.xbm"), "--model", str(model)]) == 1
    assert "a.xbm: Pillow can't write" in capsys.readouterr().err and not (folder / "a.xbm").exists()


def test_folders(folder, model, monkeypatch, capsys):
    monkeypatch.setattr("ccalib.weights.folders", lambda: [model.parent])
    assert encode(folder / "in", "-o", folder / "out", model=model) == 0
    assert sorted(f.name for f in (folder / "out").iterdir()) == ["a.cca", "b.cca"]
    assert main(["decode", str(folder / "out")]) == 0
    assert sorted(f.name for f in (folder / "out").iterdir()) == ["a.cca", "a.png", "b.cca", "b.png"]
    capsys.readouterr()
    assert main(["info", "--json", str(folder / "out")]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(entries) == 2
    assert main(["decode", str(folder / "out"), "-o", str(folder / "x.png")]) == 1
    assert "x.png: the name of a file" in capsys.readouterr().err and not (folder / "x.png").exists()
    assert all(e["size"] == e["header"] + sum(s["length"] for s in e["segments"]) for e in entries)


def test_one_bad_input_does_not_stop_the_others(folder, model, capsys):
    (folder / "in/aa.png").write_bytes(b"not an image")
    assert encode(folder / "in", "-o", folder / "out", model=model) == 1
    assert sorted(f.name for f in (folder / "out").iterdir()) == ["a.cca", "b.cca"]
    assert "aa.png" in capsys.readouterr().err


def test_nothing_is_overwritten_unasked(folder, model, capsys):
    assert encode(folder / "in/a.png", model=model) == 0
    before = (folder / "in/a.cca").read_bytes()
    assert encode(folder / "in/a.png", "-q", 1, model=model) == 1
    assert "--force" in capsys.readouterr().err and (folder / "in/a.cca").read_bytes() == before
    assert encode(folder / "in/a.png", "-q", 1, "--force", model=model) == 0
    assert (folder / "in/a.cca").read_bytes() != before


def test_outputs_that_would_collide_are_refused(folder, model, picture, capsys):
    picture.save(folder / "in/a.webp")
    assert encode(folder / "in", "-o", folder / "out", model=model) == 1
    assert "several inputs" in capsys.readouterr().err and not list((folder / "out").iterdir())


def test_effort_makes_another_file(folder, model, codec, capsys):
    assert encode(folder / "in", "-o", folder / "plain", model=model) == 0
    assert encode(folder / "in", "-o", folder / "refined", "--effort", 2, model=model) == 0
    for name in ("a", "b"):
        assert (folder / f"refined/{name}.cca").read_bytes() != (folder / f"plain/{name}.cca").read_bytes()
    assert (folder / "refined/a.cca").read_bytes() == encoded(folder / "in/a.png", model=codec, effort=2)


def test_bfloat16_on_the_command_line(folder, model, codec, monkeypatch, capsys):
    monkeypatch.setattr("ccalib.weights.folders", lambda: [model.parent])
    monkeypatch.setattr("ccalib.weights.has_bf16", lambda: True)
    assert encode(folder / "in/a.png", folder / "a.cca", "--bf16", model=model) == 0
    assert (folder / "a.cca").read_bytes() == encoded(folder / "in/a.png", model=model, bf16=True)
    for options in ([], ["--bf16"]):
        output = folder / f"a{len(options)}.png"
        assert main(["decode", str(folder / "a.cca"), str(output), *options]) == 0
        own = decode(folder / "a.cca", bf16=bool(options))
        assert np.array_equal(np.asarray(Image.open(output)), np.asarray(own))
    assert (folder / "a0.png").read_bytes() != (folder / "a1.png").read_bytes()
    monkeypatch.setattr("ccalib.weights.has_bf16", lambda: False)
    assert encode(folder / "in/b.jpg", folder / "b.cca", "--bf16", model=model) == 1
    assert "bf16: this machine" in capsys.readouterr().err


def test_a_stop_keeps_finished_files(folder, model, monkeypatch, capsys):
    from ccalib.model import refine

    descend, count = refine.Part.descend, 0

    def stopped(*given):
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return descend(*given)

    monkeypatch.setattr(refine.Part, "descend", stopped)
    assert encode(folder / "in", "-o", folder / "out", "--effort", 1, model=model) == 130
    assert [f.name for f in (folder / "out").iterdir()] == ["a.cca"]


@pytest.mark.slow
def test_ctrl_c_in_a_batch_keeps_whole_files_and_no_part_of_one(folder, model, picture):
    for i in range(30):
        picture.save(folder / "in" / f"{i:02d}.png")
    command = [sys.executable, "-m", "ccalib", "encode", str(folder / "in"), "-o", str(folder / "out")]
    process = subprocess.Popen(
        [*command, "--model", str(model), "--effort", "4"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )
    until = time.monotonic() + 120
    while not list((folder / "out").glob("*.cca")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "what was finished is kept" in err and "Traceback" not in err, err
    files = list((folder / "out").iterdir())  # hidden ones, too: no temporary file stays
    assert 1 <= len(files) < 32 and all(f.suffix == ".cca" and not f.name.startswith(".") for f in files)
    for file in files:
        assert decode(file, model=model).size == picture.size


def test_a_folder_that_cannot_be_written_is_named(folder, model, capsys):
    (folder / "file").write_bytes(b"")
    assert encode(folder / "in", "-o", folder / "file" / "out", model=model) == 1
    assert "file/out: can't be made" in capsys.readouterr().err
    (folder / "out").mkdir()
    with largest_file(50):  # the header of a file would fit
        assert encode(folder / "in", "-o", folder / "out", model=model) == 1
    err = capsys.readouterr().err
    assert "a.cca: can't be written" in err and "b.cca: can't be written" in err
    assert not list((folder / "out").iterdir())


def test_help_says_what_becomes_of_pictures(capsys):
    with pytest.raises(SystemExit):
        main(["encode", "--help"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("EXIF", "ICC", "ransparency", "16-bit", "Ctrl-C"))


@pytest.mark.parametrize("arguments, word", [
    (["encode", "missing.png"], "missing.png"),
    (["decode", "missing.cca"], "missing.cca"),
    (["info", "missing.cca"], "missing.cca"),
    (["encode", "IN/a.png", "-q", "9"], "quality"),
    (["encode", "IN/a.png", "--effort", "-1"], "effort"),
    (["encode", "IN/a.png", "--model", "none.safetensors"], "none.safetensors"),
    (["encode", "IN/a.png", "--model", "unheard-of"], "CCALIB_DATA"),
    (["decode", "IN/a.png", "x.png"], "magic"),
    (["decode", "IN/a.png", "-o", "x.xyz"], "xyz"),
    (["decode", "IN/a.png", "-o", "x.psd"], "Pillow writes no .psd"),
    (["decode", "IN/a.png", "--suffix", ".psd"], "Pillow writes no .psd"),
    (["encode", "IN/a.png", "-o", "IN/a.png"], "a.png"),
    (["encode", "IN/a.png", "-o", "IN/b.jpg"], "b.jpg: the name of a picture"),
    (["encode", "IN/a.png", "-o", "IN/b.jpg/a.cca"], "can't be written"),
    (["encode", "IN/a.png", "/proc/none/a.cca"], "/proc/none"),
    (["encode", "IN", "a.cca"], "a.cca: the name of a file"),
    (["encode", "IN", "-o", "IN/b.jpg"], "b.jpg: the name of a file"),
])  # fmt: skip
def test_bad_input_is_one_line(folder, model, capsys, monkeypatch, arguments, word):
    monkeypatch.chdir(folder)
    arguments = [a.replace("IN", "in") for a in arguments]
    if arguments[0] == "encode" and "--model" not in arguments:
        arguments += ["--model", str(model)]
    before = {path: path.read_bytes() for path in (folder / "in").iterdir()}
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert word in err and "Traceback" not in err
    assert {path: path.read_bytes() for path in (folder / "in").iterdir()} == before


def test_help_and_version():
    for arguments in (["--help"], ["encode", "--help"], ["train", "--help"], ["--version"]):
        done = subprocess.run([sys.executable, "-m", "ccalib", *arguments], capture_output=True, text=True)
        assert done.returncode == 0 and "ccalib" in done.stdout
    assert subprocess.run([sys.executable, "-m", "ccalib", "dance"], capture_output=True).returncode == 2


def test_doctor_finds_what_is_missing(model, capsys):
    assert main(["doctor", "--model", str(model)]) == 0
    assert "ok    a photograph there and back" in capsys.readouterr().out
    assert main(["doctor", "--model", "unheard-of"]) == 1
    assert "FAIL  weights" in capsys.readouterr().out


def test_array_input(codec):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    assert decode(encoded(pixels, 1, codec), model=codec).size == (40, 30)


def test_an_input_is_never_an_output(folder, model, capsys):
    """Pillow reads .cca files, so `encode` takes them: into a .cca file of the same name it must not go."""
    path = folder / "in/a.cca"
    assert encode(folder / "in/a.png", model=model) == 0
    before = path.read_bytes()
    for more in ([], ["-o", folder / "in"]):
        assert encode(path, "-f", "-q", 0, *more, model=model) == 1
        assert "input and output at once" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_writer_that_fails_in_its_own_way_stops_no_others(folder, model, monkeypatch, capsys):
    from ccalib import images

    assert encode(folder / "in", model=model) == 0
    command = ["decode", str(folder / "in"), "--model", str(model), "--suffix", ".GIF", "-o", str(folder / "out")]

    def fails(image, **options):
        raise OverflowError("image too wide for GIF")

    with monkeypatch.context() as patch:
        patch.setattr(images, "to_bytes", fails)
        assert main(command) == 1
    assert capsys.readouterr().err.count("Pillow can't write this picture so (image too wide for GIF)") == 2
    assert main(command) == 0 and len(list((folder / "out").glob("*.GIF"))) == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_a_terminal_can_not_show_stops_nothing(folder, model, encoding):
    """The arrow between names is neither in ASCII nor in Latin-1."""
    command = [sys.executable, "-m", "ccalib", "encode", str(folder / "in"), "--model", str(model)]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert b"\\u2192" in done.stdout and len(list((folder / "in").glob("*.cca"))) == 2
