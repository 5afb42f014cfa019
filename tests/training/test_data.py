import numpy as np
import pytest
import torch
from PIL import Image

from ccalib import CcaError
from ccalib.model.presets import TINY
from ccalib.training.data import Crops, load_photos, split
from tests.faults import largest_file


def test_a_step_is_a_function_of_seed_and_step(photos):
    a, b = (Crops(photos, TINY, 64, 4, seed=3) for _ in range(2))
    a.at(5)
    xa, qa = a.at(7)
    noise = torch.rand(3)
    xb, qb = b.at(7)
    assert torch.equal(xa, xb) and torch.equal(qa, qb) and torch.equal(noise, torch.rand(3))
    assert not torch.equal(xa, a.at(8)[0])
    assert not torch.equal(xa, Crops(photos, TINY, 64, 4, seed=4).at(7)[0])


def test_crops_are_images(photos):
    x, quality = Crops(photos, TINY, 64, 4, seed=0).at(0)
    assert x.shape == (4, 3, 64, 64) and x.min() >= 0 and x.max() <= 1 and x.std() > 0.05
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_qualities_are_stratified_over_all_processes(photos):
    for step in range(20):
        crops = Crops(photos, TINY, 64, 4, seed=0, processes=2)
        quality = torch.cat([crops.at(step, p)[1] for p in range(2)])
        strata = (quality * 8 / TINY.qualities).floor()
        assert sorted(strata.tolist()) == list(range(8))
    assert not torch.equal(crops.at(0, 0)[0], crops.at(0, 1)[0])


def test_unreadable_photographs_are_named_and_skipped(tmp_path):
    Image.fromarray(np.full((80, 90, 3), 7, dtype=np.uint8)).save(tmp_path / "good.png")
    Image.fromarray(np.full((20, 90, 3), 7, dtype=np.uint8)).save(tmp_path / "low.png")
    (tmp_path / "bad.jpg").write_bytes(b"not a photograph")
    files = sorted(tmp_path.iterdir())
    for _ in range(2):  # decoded, then from the cache
        photos = load_photos(files, tmp_path / "cache", 64, progress=False)
        assert [e["name"] for e in photos.index] == ["good.png"]
        assert len(photos.skipped) == 2 and "bad.jpg" in photos.skipped[0] and "low.png" in photos.skipped[1]
    assert (photos[0] == 7).all() and photos[0].shape == (80, 90, 3)


def test_a_full_disk_is_named_and_leaves_no_half_cache(tmp_path):
    Image.fromarray(np.full((80, 90, 3), 7, dtype=np.uint8)).save(tmp_path / "good.png")
    cache = tmp_path / "cache"
    for size in (0, 10_000):
        with largest_file(size), pytest.raises(CcaError, match="cache: .*--cache"):
            load_photos([tmp_path / "good.png"], cache, progress=False)
        assert not list(cache.iterdir())
    assert len(load_photos([tmp_path / "good.png"], cache, progress=False)) == 1
    with pytest.raises(CcaError, match="--cache"):
        load_photos([tmp_path / "good.png"], tmp_path / "good.png" / "cache", progress=False)


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"")
    with pytest.raises(CcaError, match="bad.jpg"):
        load_photos([tmp_path / "bad.jpg"], tmp_path / "cache", progress=False)


def test_large_photographs_are_reduced(tmp_path):
    Image.fromarray(np.zeros((1000, 1500, 3), dtype=np.uint8)).save(tmp_path / "large.png")
    assert load_photos([tmp_path / "large.png"], tmp_path / "cache", progress=False)[0].shape == (768, 1152, 3)


def test_split(tmp_path):
    for i in range(40):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{i}.png")
    train, held = split(tmp_path)
    assert len(train) + len(held) == 40 and held and not set(train) & set(held)
    names = tmp_path / "list.txt"
    names.write_text("# why\n3.png\n5.png\n")
    assert [f.name for f in split(tmp_path, names)[1]] == ["3.png", "5.png"]
    names.write_text("missing.png\n")
    with pytest.raises(CcaError, match="missing.png"):
        split(tmp_path, names)
    for bad in (tmp_path / "none.txt", tmp_path / "3.png"):
        with pytest.raises(CcaError, match=f"{bad.name}: can't be read as a list"):
            split(tmp_path, bad)
