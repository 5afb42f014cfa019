from ccalib.cli import main


def test_doctor_says_what_weights_would_say(model, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CCALIB_DATA", str(model.parent))
    assert main(["doctor", "--model", "tiny"]) == 0
    out = capsys.readouterr().out
    assert f"ok    weights: {model} " in out and "ok    a photograph there and back" in out
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path / "absent"))
    assert main(["doctor", "--model", str(model)]) == 0
    assert f"but CCALIB_DATA={tmp_path / 'absent'}: no such folder" in capsys.readouterr().out
    assert main(["doctor", "--model", "tiny"]) == 1
    out = capsys.readouterr().out
    assert f"FAIL  weights: weights: no model with name or fingerprint 'tiny'; looked in {tmp_path / 'absent'}" in out


def test_doctor_leaves_no_files(model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--model", str(model)]) == 0
    assert not list(tmp_path.iterdir())
