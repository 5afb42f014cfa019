"""Helpers of lesson 03: classes of blocks, and the two starts of a small hyper-latent."""

import itertools

import numpy as np
import pytest
import torch

from ccalib.errors import CcaError
from ccalib.lessons.classes import blocks_of, code_book, level_bits
from ccalib.lessons.silence import learn, without_z
from ccalib.model import rans
from ccalib.model.entropy import LatentGaussian


@pytest.fixture(scope="module")
def tables():
    gaussian = LatentGaussian(log_scale=True)
    gaussian.update()
    return rans.Tables.of(gaussian)


@pytest.fixture(scope="module")
def channel():
    """16×24 symbols whose scale changes from column to column of blocks."""
    scales = np.repeat(np.geomspace(0.2, 12, 6), 4)
    return np.round(scales * np.random.default_rng(0).standard_normal((16, 24))).astype(int)


def test_blocks_hold_each_symbol_once(channel):
    blocks = blocks_of(channel, 4)
    assert blocks.shape == (24, 16)
    assert np.array_equal(blocks[0].reshape(4, 4), channel[:4, :4])
    assert np.array_equal(blocks[7].reshape(4, 4), channel[4:8, 4:8])
    assert np.array_equal(blocks_of(channel, 1).ravel(), channel.ravel())
    with pytest.raises(CcaError, match="16×24 latents don't divide into blocks of 5×5"):
        blocks_of(channel, 5)


def test_level_bits_are_the_length_of_a_stream(channel, tables):
    blocks = blocks_of(channel, 4)
    bits = level_bits(blocks, tables)
    assert bits.shape == (24, 64)
    for level in (5, 20, 40):
        data = rans.encode(channel.astype(np.int32), np.full(channel.shape, level, dtype=np.int32), tables)
        assert 0 < 8 * len(data) - bits[:, level].sum() < 100


def test_code_book_is_cheaper_with_more_classes_and_near_the_best(channel, tables):
    bits = level_bits(blocks_of(channel, 4), tables)
    totals = []
    for classes in (1, 2, 4, 8):
        levels = code_book(bits, classes)
        assert 1 <= len(levels) <= classes and (np.diff(levels) > 0).all()
        totals.append(bits[:, levels].min(axis=1).sum())
    assert totals == sorted(totals, reverse=True)
    assert totals[0] == pytest.approx(bits.sum(axis=0).min())
    best = min(bits[:, list(pair)].min(axis=1).sum() for pair in itertools.combinations(range(64), 2))
    assert best <= totals[1] <= 1.05 * best


def test_klt_start_pays_at_once_and_a_random_one_goes_quiet():
    rng = torch.Generator().manual_seed(0)
    slow = torch.randn(200, 2, 1, generator=rng) * torch.tensor([20.0, 8.0])[:, None]
    blocks = (slow + torch.randn(200, 2, 16, generator=rng)).flatten(1)  # a mean for each block and channel, and noise
    alone = without_z(blocks)
    klt, *_ = learn(blocks, 4, linear=True, steps=1, shown=1)
    assert klt.step == 0 and klt.z + klt.y < 0.8 * alone
    start, quiet = learn(blocks, 4, linear=False, steps=40, shown=40)
    assert quiet.step == 40 and quiet.z < start.z
    assert start.z + start.y > klt.z + klt.y
