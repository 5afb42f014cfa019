import json

import pytest
from PIL import Image

from ccalib import CcaError, images
from ccalib.evaluation import effort
from ccalib.evaluation.summary import OURS


@pytest.fixture
def folder(tmp_path, picture):
    for i in range(5):
        picture.resize((200 + i, 140)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_crops_are_middles_spread_over_the_list(folder, tmp_path):
    (tmp_path / "into").mkdir()
    Image.new("RGB", (2400, 1536)).save(folder / "4.png")  # reduced to a short side of 768, as in training
    effort.crops(folder, [f"{i}.png" for i in range(5)], 2, tmp_path / "into")
    effort.crops(folder, ["4.png"], 1, tmp_path / "into")
    assert {f.name: images.load(f).size for f in (tmp_path / "into").iterdir()} == {
        "0.png": (192, 128), "2.png": (192, 128), "4.png": (384, 256),
    }  # fmt: skip
    for count in (0, 6):
        with pytest.raises(CcaError, match="--count"):
            effort.crops(folder, [f"{i}.png" for i in range(5)], count, tmp_path / "into")


def test_the_command_writes_a_table(folder, model, tmp_path, monkeypatch, capsys):
    listed, output = tmp_path / "list.txt", tmp_path / "effort.json"
    listed.write_text("# a comment\n1.png\n\n3.png\n")
    arguments = ["effort", str(folder), "--validation", str(listed), "-o", str(output), "--model", str(model),
                 "--efforts", "6", "--count", "1"]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    effort.main()
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()][-3:]
    assert [row[0] for row in rows] == ["0", "6"] and head[0] == "steps"
    result = json.loads(output.read_text())
    gain = result["bd_rate_refined"][f"{OURS} tiny, effort 6"][OURS]["mean_curves"]["percent"]
    assert gain < 0 and f"{gain:+.1f}" in rows[1]
