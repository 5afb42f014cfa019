import io

import numpy as np
import pytest
import torch
from PIL import Image

from ccalib import CcaError, images


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode):
    image = images.load(Image.new(mode, (5, 3)))
    assert image.mode == "RGB" and image.size == (5, 3)


def test_transparency_lies_on_white_and_16_bits_keep_their_upper_8():
    assert images.load(Image.new("RGBA", (1, 1), (10, 20, 30, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert images.load(Image.new("RGBA", (1, 1), (10, 20, 30, 255))).getpixel((0, 0)) == (10, 20, 30)
    grey = Image.fromarray(np.array([[0x12FF]], dtype=np.uint16))
    assert images.load(grey).getpixel((0, 0)) == (0x12,) * 3


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert images.load(tmp_path / "turned.jpg").size == (2, 4)


def test_bad_images_are_named(tmp_path):
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "JPEG")
    for name, content in (("empty.png", b""), ("cut.jpg", buffer.getvalue()[:400]), ("text.png", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CcaError, match=name):
            images.load(tmp_path / name)
    with pytest.raises(CcaError, match="no such file"):
        images.load(tmp_path / "missing.png")
    with pytest.raises(CcaError, match="uint8"):
        images.load(np.zeros((4, 4, 3)))


def test_decompression_bombs_are_refused(tmp_path, monkeypatch):
    Image.new("RGB", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(CcaError, match="bomb.png"):
        images.load(tmp_path / "bomb.png")


def test_find(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [f.name for f in images.find([tmp_path])] == ["a.JPG", "b.png"]
    assert images.find([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]  # named by hand: tried
    (tmp_path / "none").mkdir()
    for path in (tmp_path / "none", tmp_path / "missing"):
        with pytest.raises(CcaError):
            images.find([path])


def test_tensors_are_the_images_they_came_from():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    x = images.to_tensor(Image.fromarray(pixels))
    assert x.shape == (1, 3, 7, 5) and x.max() <= 1
    assert np.array_equal(np.asarray(images.from_tensor(x)), pixels)
    assert np.asarray(images.from_tensor(x * 9 - 4)).dtype == np.uint8  # clamped


def test_padding_repeats_the_border():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    padded = images.pad(x, 4)
    assert padded.shape == (1, 1, 4, 4)
    assert torch.equal(padded[..., :2, :3], x) and (padded[..., :2, 3] == x[..., 2]).all()
    assert (padded[..., 3, :3] == x[..., 1, :]).all()
