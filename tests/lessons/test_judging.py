"""What lesson 08 measures with: real bytes, wanted sizes, wanted errors, a fair jury."""

import numpy as np
import pytest
from PIL import Image

import ccalib
from ccalib.errors import CcaError
from ccalib.evaluation import codecs
from ccalib.evaluation.metrics import mse, psnr
from ccalib.lessons import judging


@pytest.fixture(scope="module")
def photo(picture):
    return codecs.bare(picture)


def test_files_are_measured_as_they_are(photo):
    half = photo.crop((0, 0, photo.width // 2, photo.height // 2))
    table = judging.measured([photo, half], codecs.LIVE["jpeg"].encode, (20, 60))
    data = codecs.LIVE["jpeg"].encode(half, 60)
    assert table.shape == (2, 2, 2)
    assert table[1, 1] == pytest.approx([8 * len(data) / (half.width * half.height), psnr(half, codecs.decode(data))])
    assert judging.mean_curve(table)[0] == pytest.approx(table[0].mean(axis=0))


def test_an_encoder_from_settings(photo):
    webp = judging.with_settings(format="WEBP", method=6)(photo, 40)
    assert webp == codecs.LIVE["webp"].encode(photo, 40)
    jpeg2000 = judging.with_settings(**codecs.JPEG2000)(photo, 32)
    assert jpeg2000 == codecs.LIVE["jpeg2000"].encode(photo, 32)


@pytest.mark.parametrize("first", [1, 35, 99])
@pytest.mark.parametrize("near", [8, 40, 83])
def test_the_smallest_file_of_at_least_so_many_bytes(photo, first, near):
    write = codecs.LIVE["webp"].encode
    wanted = len(write(photo, near)) - 1
    found = judging.at_size(photo, wanted, "webp", first)
    quality = int(found.name.split()[1])
    assert found.size == len(write(photo, quality)) >= wanted > len(write(photo, quality - 1))
    assert found.psnr == pytest.approx(psnr(photo, found.image))


def test_no_file_of_that_size(photo, monkeypatch):
    assert judging.at_size(photo, 10**8, "webp") is None
    monkeypatch.setattr(codecs, "available", lambda: ["jpeg"])
    assert judging.at_size(photo, 1000, "webp") is None


def test_damages_have_the_wanted_error(photo):
    values = np.asarray(photo, dtype=np.float64)
    for error in (20.0, 150.0):
        assert mse(photo, judging.blurred(photo, error)) == pytest.approx(error, rel=0.05)
        noise = values + np.random.default_rng(0).standard_normal(values.shape)
        assert mse(photo, judging.towards(photo, noise, error)) == pytest.approx(error, rel=0.05)


def test_the_jury_reads_any_file(photo):
    jpeg = codecs.LIVE["jpeg"].encode(photo, 90)
    assert judging.judge(photo, jpeg).size == len(jpeg)
    assert judging.judge(photo, jpeg).psnr == pytest.approx(psnr(photo, codecs.decode(jpeg)))
    assert judging.judge(photo, jpeg, 1.0).valid and not judging.judge(photo, jpeg, 99.0).valid
    assert "not enough dB" in str(judging.judge(photo, jpeg, 99.0))
    small = codecs.LIVE["jpeg"].encode(photo.resize((photo.width // 2, photo.height // 2)), 90)
    back = codecs.decode(small).resize(photo.size, Image.Resampling.LANCZOS)
    assert judging.judge(photo, small).psnr == pytest.approx(psnr(photo, back))


def test_our_own_file_is_read_by_its_fingerprint(photo):
    data = ccalib.encode(photo, 3)
    assert judging.judge(photo, data).psnr == pytest.approx(psnr(photo, ccalib.decode(data)))


@pytest.mark.parametrize("wrong", [b"", b"no picture", b"CCA\x01"])
def test_what_is_no_picture_is_refused(photo, wrong):
    with pytest.raises(CcaError):
        judging.judge(photo, wrong)


def test_only_bytes_are_judged(photo):
    with pytest.raises(CcaError, match="bytes of a file are wanted, not Image"):
        judging.judge(photo, photo)
