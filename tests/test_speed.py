"""What makes coding fast, and the parts of benchmarks/speed.py that measure no time."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import speed
from ccalib import images
from ccalib.files import coding
from ccalib.model import rans
from ccalib.model.context import join
from ccalib.model.layers import NAFBlock, channels_last

GLIBC = """
import resource
from ccalib.model.allocator import keep_freed_memory
import torch
def faults(megabytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(megabytes * 2**20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(keep_freed_memory(True))
faults(80)
print(faults(64))  # aligned, so none fits where one as large was
print(keep_freed_memory(False))
print(faults(64))
"""


def test_an_image_of_one_gets_strides_that_convolutions_know(picture):
    x = images.to_tensor(picture)
    assert x.is_contiguous(memory_format=torch.channels_last)
    odd = x.as_strided(x.shape, (3, *x.stride()[1:]))  # as from an array of H×W×3
    fast = channels_last(odd)
    assert fast.stride() == (x[0].numel(), 1, 3 * x.shape[3], 3) and torch.equal(fast, x)
    convolve = torch.nn.Conv2d(3, 8, 3)
    with torch.inference_mode():
        assert not convolve(fast).is_contiguous() and torch.allclose(convolve(fast), convolve(odd), atol=1e-5)


def test_layouts_that_come_in_make_no_difference():
    a, b = torch.randn(1, 4, 6, 8), torch.randn(1, 2, 6, 8)
    joined = join(a, b)
    others = (join(channels_last(a), b), join(a, channels_last(b)), join(channels_last(a), channels_last(b)))
    assert all(torch.equal(joined, o) and o.stride() == joined.stride() for o in others)
    assert torch.equal(joined, torch.cat((a, b), dim=1)) and joined.stride(1) == 1


def test_a_block_is_what_its_formula_says():
    block, x = NAFBlock(8), torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        for p in block.parameters():
            p.normal_()
        t = block.gate(block.depthwise(block.widen(block.norm1(x))))
        middle = x + block.beta * block.project(t * block.attention(t.mean(dim=(2, 3), keepdim=True)))
        wanted = middle + block.gamma * block.ffn_out(block.gate(block.ffn_in(block.norm2(middle))))
        assert torch.allclose(block(x), wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_freed_memory_is_used_again_where_wanted():
    done = subprocess.run([sys.executable, "-c", GLIBC], capture_output=True, text=True, check=True)
    kept, again, kept_then, then = done.stdout.split()
    if kept == "False":
        pytest.skip("no glibc, or MALLOC_… is set")
    assert kept_then == "False" and int(again) < 1000 < int(then)  # 64 MB are 16,384 pages


@pytest.mark.parametrize("size", [(384, 256), (1536, 1100)])
def test_a_photograph_of_any_size(size):
    picture = speed.photograph(*size)
    assert picture.size == size
    original = np.asarray(images.load(speed.PHOTO))
    height, width = min(size[1], original.shape[0]), min(size[0], original.shape[1])
    pixels = np.asarray(picture)
    assert np.array_equal(pixels[:height, :width], original[:height, :width])
    if size[0] > width:  # goes on as in a mirror
        assert np.array_equal(pixels[:, width], pixels[:, width - 1])


def test_parts_add_up_and_nothing_stays_patched(codec, picture):
    encode, walk = rans.encode, codec.coding_path().walk
    entry, data = speed.timed(lambda: coding.encode(picture, model=codec), codec, 1, "")
    parts = entry["parts_s"]
    assert set(parts) == {"transforms", "path", "coder", "rest"} and min(parts.values()) >= 0
    assert sum(parts.values()) == pytest.approx(entry["median_s"], abs=1e-3)
    assert rans.encode is encode and codec.coding_path().walk == walk
    assert data == coding.encode(picture, model=codec)
    entry, _ = speed.timed(lambda: coding.decode(data, model=codec), codec, 1, "")
    assert set(entry["parts_s"]) == set(parts) and min(entry["parts_s"].values()) >= 0


def test_directions_share_the_arithmetic(codec, monkeypatch):
    monkeypatch.setattr(speed, "photograph", lambda *size: images.load(np.zeros((128, 192, 3), np.uint8)))
    entry = speed.both_ways(codec, (192, 128), 1, top=100.0)
    both = 2 * sum(speed.kmac_per_pixel(type(codec)(codec.preset)).values()) * 192 * 128 / 1e6
    path = 2 * speed.kmac_per_pixel(type(codec)(codec.preset))["path"] * 192 * 128 / 1e6  # runs in either direction
    assert entry["encode"]["gflop"] + entry["decode"]["gflop"] == pytest.approx(both + path, abs=0.11)
    assert entry["encode"]["runs"] == 1 and entry["bytes"] > 0


def test_sizes_and_parts_by_name(monkeypatch, capsys):
    assert speed.sizes("384x256,768x512") == [(384, 256), (768, 512)]
    monkeypatch.setattr(sys, "argv", ["speed", "--only", "paper,huge"])
    with pytest.raises(SystemExit):
        speed.main()
    assert "huge: there are paper" in capsys.readouterr().err


def test_the_result_supports_what_the_readme_promises():
    parts = json.loads((speed.ROOT / "data/results/speed.json").read_text())["parts"]
    common = [one for one in parts["small"]["sizes"] if one["width"] >= 768]
    assert {one["width"] for one in common} >= {768, 4000}
    for direction in ("encode", "decode"):
        costs = [one[direction]["s_per_megapixel"] for one in common]
        assert max(costs) / min(costs) < 1.25
        assert common[0]["width"] == 768 and common[0][direction]["median_s"] < 0.5
        assert parts["paper"][direction]["times_limit"] < 2.1
        assert parts["memory"]["base_mb"] + parts["memory"][f"{direction}_mb"] < 3000
        times = parts["exact"][direction]
        assert times["exact"]["median_s"] < 2 * times["floats"]["median_s"]
    assert parts["memory"]["width"] == 4000 and parts["import"]["ccalib_beyond_torch_s"] < 2
