"""The README's Python runs as it stands, from the top of each block, in a folder with the files that it names."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import DATA
from tests.official import recipe

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"## Coming from ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", re.S)
BLOCKS = BLOCK.findall((ROOT / "README.md").read_text())
CHECKS = {
    "Pillow": "assert Image.open('photo.png').size == Image.open('photo.cca').size == (256, 256)",
    "CompressAI": "assert ccalib.load('mine.safetensors').fingerprint != ccalib.load('small').fingerprint",
    "the authors' code": "assert ccalib.load('released.safetensors').preset.name == 'paper'",
}


def test_each_way_in_has_its_block():
    assert [title for title, _ in BLOCKS] == list(CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize("title, code", BLOCKS, ids=[title.split()[-1] for title, _ in BLOCKS])
def test_block(title, code, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(_photo())
    if "released.pth.tar" in code:
        torch.save({"state_dict": recipe.checkpoint("conditioned")}, tmp_path / "released.pth.tar")
    code += "\nfrom PIL import Image\nimport ccalib\n" + CHECKS[title]
    done = subprocess.run([sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code], cwd=tmp_path,
                          capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_what_is_said_of_the_fuzzer():
    result = json.loads((DATA / "results" / "fuzz.json").read_text())
    assert result["cases"] == 100_000 and "100,000 files" in (ROOT / "README.md").read_text()
    assert result["findings"] == [] and result["totals"]["sealed"]["reached_coder"] > 10_000


def _photo() -> bytes:
    from ccalib import images

    picture = images.load(sorted((DATA / "images").glob("*.png"))[0])
    return images.to_bytes(picture.crop((0, 0, 256, 256)), format="JPEG", quality=95)
