import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from ccalib import CcaError, images


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F",
                                  "La", "PA", "RGBa", "RGBX", "HSV", "LAB", "I;16B"])  # fmt: skip
def test_every_mode_becomes_rgb(mode):
    image = images.load(Image.new(mode, (5, 3)))
    assert image.mode == "RGB" and image.size == (5, 3)


def test_transparency_lies_on_white_and_16_bits_keep_their_upper_8():
    assert images.load(Image.new("RGBA", (1, 1), (10, 20, 30, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert images.load(Image.new("RGBA", (1, 1), (10, 20, 30, 255))).getpixel((0, 0)) == (10, 20, 30)
    grey = Image.fromarray(np.array([[0x12FF]], dtype=np.uint16))
    assert images.load(grey).getpixel((0, 0)) == (0x12,) * 3


def test_a_transparent_color_of_a_palette_lies_on_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    loaded = images.load(tmp_path / "a.png")
    assert [loaded.getpixel((x, 0)) for x in (0, 1)] == [(10, 20, 30), (255, 255, 255)]


def test_a_transparent_value_of_16_bits_lies_on_white(tmp_path):
    Image.fromarray(np.array([[0x1234, 0x1235]], dtype=np.uint16)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    body = b"tRNS" + (0x1234).to_bytes(2, "big")  # Pillow writes no such chunk for 16 bits
    chunk = (2).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    place = data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:place] + chunk + data[place:])
    loaded = images.load(tmp_path / "a.png")
    assert [loaded.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0x12,) * 3]


def profile(swapped: bool) -> bytes:
    """An sRGB profile under another name; or one whose red means green, and green red."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = data.replace("sRGB".encode("utf-16-be"), "some".encode("utf-16-be"))
    if not swapped:
        return data
    return data.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff"])
def test_icc_profiles_are_converted_to_srgb(tmp_path, kind):
    colors = [(200, 30, 60), (30, 200, 60), (128, 128, 128)]
    image = Image.new("RGB", (48, 16))
    for i, color in enumerate(colors):
        image.paste(color, (16 * i, 0, 16 * i + 16, 16))
    for swapped, expected in ((False, colors), (True, [colors[1], colors[0], colors[2]])):
        image.save(tmp_path / f"a.{kind}", icc_profile=profile(swapped), **({"quality": 100} if kind == "jpg" else {}))
        loaded = images.load(tmp_path / f"a.{kind}")
        for i, color in enumerate(expected):
            assert np.abs(np.subtract(loaded.getpixel((16 * i + 8, 8)), color)).max() <= 3


def test_profiles_that_do_not_fit_are_ignored():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for mode in ("RGB", "L", "CMYK", "I;16", "RGBA", "P"):
        plain = images.load(Image.new(mode, (2, 2), 77 if mode in ("L", "P") else 0))
        for data in (b"rubbish", profile(True)[:200], lab) + ((profile(True),) if mode in ("CMYK",) else ()):
            image = Image.new(mode, (2, 2), 77 if mode in ("L", "P") else 0)
            image.info["icc_profile"] = data
            assert np.array_equal(np.asarray(images.load(image)), np.asarray(plain)), (mode, data[:10])


def test_srgb_is_known_by_what_it_does_not_by_its_name():
    image = Image.new("RGB", (2, 2), (55, 55, 55))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.info["icc_profile"] = srgb
    assert images.load(image).getpixel((0, 0)) == (55, 55, 55)
    at = next(128 + 12 * i for i in range(30) if srgb[132 + 12 * i : 136 + 12 * i] == b"rTRC") + 4
    curve = int.from_bytes(srgb[at + 4 : at + 8], "big")
    linear = bytearray(srgb)  # its name still says sRGB
    linear[curve : curve + 12] = b"para" + bytes(8)
    linear[curve + 12 : curve + 16] = (1 << 16).to_bytes(4, "big")  # to the power of 1
    image.info["icc_profile"] = bytes(linear)
    assert images.load(image).getpixel((0, 0))[0] > 120


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


@pytest.mark.filterwarnings("ignore")  # Pillow's own, of damaged TIFFs
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "AVIF", "JPEG2000", "BMP"])
def test_damage_anywhere_is_an_image_or_an_error_that_names_the_file(tmp_path, kind):
    """Pillow's readers raise many kinds of exceptions (AVIF's a RuntimeError)."""
    photo = Image.effect_noise((40, 30), 90).convert("RGB")
    try:
        whole = images.to_bytes(photo, format=kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {kind}")
    path, failed = tmp_path / "hurt", 0
    for position in range(0, min(len(whole), 400), 3):
        for content in (whole[:position], whole[:position] + b"\xff\xff" + whole[position + 2 :]):
            path.write_bytes(content)
            try:
                images.load(path)
            except CcaError as error:
                failed += 1
                assert "hurt: can't be read as an image" in str(error)
    assert failed


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


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_gray_profile_fits_gray_with_transparency_too(tmp_path, mode):
    """A linear gray of 60 of 255 is a brighter one in sRGB, whether or not some pixels are transparent."""
    curve = struct.pack(">4sIIHxx", b"curv", 0, 1, 256)  # gamma 1.0
    white = struct.pack(">4sIiii", b"XYZ ", 0, 0xF6D6, 0x10000, 0xD32D)
    tags = [(b"wtpt", white), (b"kTRC", curve)]
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags:
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02400000, b"mntr", b"GRAY", b"XYZ ").ljust(36, b"\0")
    head = (head + b"acsp").ljust(68, b"\0") + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    profile = head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
    picture = Image.new("L", (4, 4), 60)
    picture.save(tmp_path / "L.png", icc_profile=profile)
    with_alpha = picture.convert("LA")
    with_alpha.putpixel((0, 0), (60, 0))
    with_alpha.save(tmp_path / "LA.png", icc_profile=profile)
    found = np.asarray(images.load(tmp_path / f"{mode}.png"))
    assert found[3, 3].tolist() == [133] * 3
    assert found[0, 0].tolist() == ([133] * 3 if mode == "L" else [255] * 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_that_is_none_hides_no_picture(tmp_path, kind):
    path = tmp_path / f"a.{kind.lower()}"
    Image.new("RGB", (8, 4), (10, 200, 30)).save(path, kind, exif=b"Exif\0\0junkjunkjunk")
    assert images.load(path).size == (8, 4)
