"""The Pillow plugin keeps Pillow's conventions."""

import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import ccalib
from ccalib import CcaError, images
from ccalib.files import container
from ccalib.files.pillow import CcaFileError, CcaImageFile
from tests.conftest import DATA

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def findable(model, monkeypatch):
    """The tests' weights are found by their fingerprint."""
    monkeypatch.setenv("CCALIB_DATA", str(model.parent))


@pytest.fixture(scope="module")
def data(picture, codec) -> bytes:
    return ccalib.encode(picture, 3, codec)


@pytest.fixture
def path(data, tmp_path) -> Path:
    (tmp_path / "a.cca").write_bytes(data)
    return tmp_path / "a.cca"


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b))


def open_files() -> int:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to count open files")
    return len(os.listdir("/proc/self/fd"))


# ---- opening ----


def test_registered():
    assert Image.registered_extensions()[".cca"] == "CCA" and Image.MIME["CCA"] == "image/x-cca"
    assert "CCA" in Image.OPEN and "CCA" in Image.SAVE and "CCA" in Image.SAVE_ALL


def test_import_and_open_load_no_torch():
    code = (
        "import sys, ccalib; from PIL import Image\n"
        f"image = Image.open({str(next(GOLDEN.glob('coffee_*.cca')))!r})\n"
        "assert image.size == (600, 400) and image.info['groups'] == 5\n"
        "image.verify()\n"
        "print([m for m in ('torch', 'compressai', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_open_is_lazy_and_load_decodes(path, codec, picture, monkeypatch):
    with monkeypatch.context() as patched:
        patched.delattr("ccalib.files.coding.decode")
        image = Image.open(path)
        assert (image.size, image.mode, image.format) == (picture.size, "RGB", "CCA")
        assert image.info == {"quality": 3.0, "groups": 5, "fingerprint": codec.fingerprint}
        assert image.get_format_mimetype() == "image/x-cca" and image.filename == str(path)
    image.load()
    assert same(image, ccalib.decode(path))


@pytest.mark.parametrize("content", [b"", b"CCA", b"CCATTGCACCAT" * 9, b"P6 1 1 255\nabc", b"\x89PNG\r\n\x1a\n"])
def test_other_data_is_not_identified(content):
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(content), formats=["CCA"])
    with pytest.raises(SyntaxError, match="not a CCA file"):
        CcaImageFile(io.BytesIO(content))


def test_a_later_version_says_so(data):
    later = data[:3] + b"\x02" + data[4:]
    with pytest.warns(UserWarning, match="version 2"), pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(later))


def test_kinds_of_sources(path, data):
    expected = ccalib.decode(data)
    for source in (path, str(path), os.fsencode(path)):
        with Image.open(source, formats=["CCA"]) as image:
            assert same(image, expected)
    stream = io.BytesIO(data)
    stream.seek(7)  # Pillow rewinds
    with Image.open(stream) as image:
        assert same(image, expected)
    assert not stream.closed
    with Image.open(type("Pipe", (), {"read": io.BytesIO(data).read})()) as image:  # can't seek
        assert same(image, expected)
    behind = io.BytesIO(b"before" + data)
    behind.seek(6)
    with CcaImageFile(behind) as image:
        assert same(image, expected)


def test_feeding_a_parser(data):
    parser = ImageFile.Parser()
    for start in range(0, len(data), 500):
        parser.feed(data[start : start + 500])
    assert same(parser.close(), ccalib.decode(data))


def test_too_many_pixels(data, picture, monkeypatch):
    pixels = picture.width * picture.height
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels // 2 - 1)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    with pytest.raises(CcaError, match="limit"):
        ccalib.decode(data)


# ---- cut and damaged files ----


def test_a_cut_file_follows_load_truncated_images(data, monkeypatch):
    ends = [s.start + s.length for s in container.parse(data).segments]
    for groups, end in [*enumerate(ends[:-1]), (4, ends[-1] - 1), (0, ends[1] - 1)]:
        image = Image.open(io.BytesIO(data[:end]))
        assert image.info["groups"] == groups
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
        with pytest.raises(OSError, match=f"g{groups + 1}: image file is truncated"):
            image.load()
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        image.load()  # the same object: as with Pillow's own files, one may try again
        assert same(image, ccalib.decode(data, groups))


@pytest.mark.parametrize("truncated", [False, True])
def test_without_header_or_z_nothing_opens(data, monkeypatch, tmp_path, truncated):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", truncated)
    info = container.parse(data)
    before = open_files()
    header, z = info.header, info.segments[1].start
    for end, word in ((4, "cut"), (20, "cut"), (header - 1, "header: cut"), (header, "z: cut"), (z - 1, "z: cut")):
        (tmp_path / "cut.cca").write_bytes(data[:end])
        with pytest.raises(CcaFileError, match=f"cut.cca: .*{word}"):
            Image.open(tmp_path / "cut.cca")
    assert open_files() == before


@pytest.mark.parametrize("truncated", [False, True])
def test_damage_is_an_error_of_both_kinds(path, data, monkeypatch, truncated):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", truncated)
    info = container.parse(data)
    for segment in info.segments:
        broken = bytearray(data)
        broken[segment.start + segment.length // 2] ^= 1
        path.write_bytes(broken)
        for action in (Image.Image.load, Image.Image.verify):
            with Image.open(path) as image, pytest.raises(OSError, match=f"a.cca: {segment.name}: damaged") as caught:
                getattr(image, action.__name__)()
            assert isinstance(caught.value, CcaError)
    path.write_bytes(data[:12] + bytes([data[12] ^ 1]) + data[13:])
    with pytest.raises(CcaFileError, match="a.cca: header: damaged"):
        Image.open(path)
    path.write_bytes(data + b"more")
    with pytest.raises(CcaFileError, match="4 bytes after"):
        Image.open(path)


def test_missing_weights_say_where_they_were_looked_for(path, monkeypatch, tmp_path):
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path))
    with Image.open(path) as image:
        with pytest.raises(CcaFileError, match=f"a.cca: fingerprint: .*{tmp_path}"):
            image.load()
        assert image.size  # what needs no weights goes on


def test_a_file_replaced_between_opening_and_loading(path, picture, codec):
    with Image.open(path) as image:
        path.write_bytes(ccalib.encode(picture.resize((20, 30)), 3, codec))
        with pytest.raises(CcaFileError, match="a.cca: width, height: changed"):
            image.load()


def test_verify(path, data, monkeypatch):
    monkeypatch.delattr("ccalib.files.coding.decode")  # it doesn't decode
    image = Image.open(path)
    file = image.fp
    image.verify()
    assert file.closed
    with pytest.raises(RuntimeError, match="directly after open"):
        image.verify()
    path.write_bytes(data[:-1])
    image = Image.open(path)
    file = image.fp
    with pytest.raises(CcaFileError, match="truncated"):
        image.verify()
    assert file.closed
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    Image.open(path).verify()


# ---- as any image of Pillow's ----


def test_files_are_closed(path):
    before = open_files()
    image = Image.open(path)
    image.load()
    with Image.open(path) as unloaded:
        file = unloaded.fp
    assert file.closed and open_files() == before
    closed = Image.open(path)
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        closed.load()
    assert open_files() == before
    with open(path, "rb") as own:
        with Image.open(own) as image:
            image.load()
        assert not own.closed


def test_copy_and_pickle(path):
    expected = ccalib.decode(path)
    for made in (copy.copy, copy.deepcopy, Image.Image.copy, lambda image: pickle.loads(pickle.dumps(image))):
        with Image.open(path) as image:
            again = made(image)
            assert same(again, expected) and again.info == image.info
    with Image.open(path) as image:
        image.putpixel((0, 0), (1, 2, 3))
        assert image.getpixel((0, 0)) == (1, 2, 3)


def test_what_takes_images_takes_cca_files(path):
    assert same(images.load(path), ccalib.decode(path))


# ---- saving ----


def test_save_is_encode(picture, model, codec, tmp_path):
    expected = ccalib.encode(picture, 2, codec)
    for name in ("b.cca", "B.CCA"):
        picture.save(tmp_path / name, quality=2, model=model)
        assert (tmp_path / name).read_bytes() == expected
    stream = io.BytesIO(b"before")
    stream.seek(6)
    picture.save(stream, "CCA", quality=2, model=codec.fingerprint)
    assert stream.getvalue() == b"before" + expected
    picture.save(tmp_path / "c.cca", quality=2, model=codec, effort=2)
    assert (tmp_path / "c.cca").read_bytes() == ccalib.encode(picture, 2, codec, effort=2) != expected


def test_defaults_are_those_of_encode():
    image = images.load(DATA / "images" / "mountains.png").crop((0, 0, 64, 64))
    stream = io.BytesIO()
    image.save(stream, "CCA")
    assert stream.getvalue() == ccalib.encode(image)
    assert Image.open(stream).info["fingerprint"] == ccalib.load("small").fingerprint


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "F"])
def test_any_mode_is_saved_as_images_load_reads_it(picture, codec, mode):
    if mode == "I;16":
        image = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) << 8)
    else:
        image = picture.convert(mode)
    stream = io.BytesIO()
    image.save(stream, "CCA", model=codec)
    assert stream.getvalue() == ccalib.encode(images.load(image), model=codec)
    if mode in ("L", "I;16"):
        assert stream.getvalue() == ccalib.encode(picture.convert("L").convert("RGB"), model=codec)


def test_transparency_lies_on_white(picture, codec):
    clear, stream = picture.copy(), io.BytesIO()
    clear.putalpha(0)
    clear.save(stream, "CCA", model=codec)
    assert stream.getvalue() == ccalib.encode(Image.new("RGB", picture.size, "white"), model=codec)


@pytest.mark.parametrize("options, word", [
    ({"quality": 75}, "quality: 75"),
    ({"quality": float("nan")}, "quality: nan"),
    ({"quality": "high"}, "quality: 'high' is not a number"),
    ({"effort": 1.5}, "effort: 1.5"),
    ({"model": "unheard-of"}, "unheard-of.*looked in"),
    ({"save_all": True}, "holds one image"),
    ({"append_images": [Image.new("RGB", (9, 9))], "save_all": True}, "holds one image"),
])  # fmt: skip
def test_what_cannot_be_saved_says_why(picture, model, tmp_path, options, word):
    with pytest.raises(OSError, match=f"b.cca: .*{word}") as caught:
        picture.save(tmp_path / "b.cca", **{"model": model, **options})
    assert isinstance(caught.value, CcaError)
    assert not (tmp_path / "b.cca").exists()  # Pillow removes what it created


def test_images_that_cannot_be_photographs_are_refused(model):
    with pytest.raises(CcaFileError, match="0×4 pixels"):
        Image.new("RGB", (0, 4)).save(io.BytesIO(), "CCA", model=model)


def test_saving_an_opened_file_again(path, codec, data):
    decoded = ccalib.decode(data)
    with Image.open(path) as image:
        image.save(path, quality=1, model=codec)  # over itself
    assert path.read_bytes() == ccalib.encode(decoded, 1, codec)
    path.write_bytes(data[:-1])
    with Image.open(path) as image, pytest.raises(OSError, match="truncated"):
        image.save(path, model=codec)
    assert path.read_bytes() == data[:-1]  # it failed before anything was written


def test_a_picture_of_several_frames_gives_its_current_one(picture, codec, tmp_path):
    picture.save(tmp_path / "two.gif", save_all=True, append_images=[Image.new("RGB", picture.size, "red")])
    with Image.open(tmp_path / "two.gif") as frames:
        frames.seek(1)
        frames.save(tmp_path / "red.cca", model=codec, quality=6)
        assert (tmp_path / "red.cca").read_bytes() == ccalib.encode(images.load(frames), 6, codec)
