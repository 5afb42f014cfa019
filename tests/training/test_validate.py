import copy

import numpy as np
import pytest
import torch

from ccalib.model.gains import lambda_of
from ccalib.model.presets import TINY
from ccalib.training.start import new_codec
from ccalib.training.validate import middle, validate


def test_validation_leaves_the_codec_as_it_is(photos):
    codec = new_codec(TINY, photos, 0).train()
    before = copy.deepcopy(codec.state_dict())
    few = copy.copy(photos)
    few.index = photos.index[:2]
    result = validate(codec, few, [0.0, 6.0])
    assert codec.training and all(torch.equal(v, before[n]) for n, v in codec.state_dict().items())
    low, high = result["points"]
    assert low["bpp"] < high["bpp"] and low["psnr"] < high["psnr"]
    for point in result["points"]:
        assert point["bpp"] == pytest.approx(point["bpp_z"] + sum(point["bpp_groups"]))
        assert point["loss"] == pytest.approx(point["bpp"] + lambda_of(TINY, point["quality"]) * point["mse"])


def test_middle():
    photo = np.zeros((300, 500, 3), dtype=np.uint8)
    assert middle(photo).shape == (256, 384, 3)
    assert middle(photo[:100, :70]).shape == (64, 64, 3)


def test_same_seed_same_weights_where_shapes_match(photos):
    import dataclasses

    a = new_codec(TINY, photos, 0)
    b = new_codec(dataclasses.replace(TINY, name="even", k=0.0), photos, 0)
    theirs = dict(b.named_parameters())

    def matches(name: str) -> bool:  # a bias belongs to its weight: its range depends on the weight's shape
        names = [name, name.rsplit(".", 1)[0] + ".weight"]
        ours = dict(a.named_parameters())
        return all(n not in ours or ours[n].shape == theirs[n].shape for n in names)

    names = [n for n, _ in a.named_parameters() if matches(n)]
    different = [n for n in names if not torch.equal(dict(a.named_parameters())[n], theirs[n])]
    # the last biases of heads start at their own channels' scales
    assert len(names) > 100 and all(".head.2.bias" in n for n in different)
    c = new_codec(TINY, photos, 1)
    assert not torch.equal(a.g_a.down[0].weight, c.g_a.down[0].weight)
