"""What we think is set in other codecs is what comes out of them."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from ccalib.evaluation import codecs
from ccalib.evaluation.metrics import psnr

MISSING = codecs.missing()


@pytest.fixture(params=list(codecs.LIVE))
def live(request):
    if request.param in MISSING:
        pytest.skip(f"{request.param}: {MISSING[request.param]}")
    return codecs.LIVE[request.param]


@pytest.fixture(scope="module")
def stripes():
    """Columns of pure red and pure blue: half-sampled chroma loses them."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:, ::2, 0] = 255
    pixels[:, 1::2, 2] = 255
    return Image.fromarray(pixels)


def test_more_bytes_reach_higher_quality(picture, live):
    low, high = (live.encode(picture, q) for q in (live.qualities[0], live.qualities[-1]))
    assert len(live.qualities) >= 6 and list(live.qualities) == sorted(set(live.qualities))
    assert len(low) < len(high)
    assert psnr(picture, codecs.decode(low)) < psnr(picture, codecs.decode(high))


def test_metadata_does_not_count(picture, live):
    loaded = picture.copy()
    loaded.info = {"icc_profile": bytes(3000), "exif": b"Exif\0\0" + bytes(100), "xmp": bytes(500)}
    assert live.encode(codecs.bare(loaded), live.qualities[0]) == live.encode(picture, live.qualities[0])


def test_encoders_do_not_change_the_settings(picture, live):
    before = repr(live.settings)
    live.encode(picture, live.qualities[0])
    assert repr(live.settings) == before


def test_the_record_names_settings_and_versions(live):
    record = codecs.record(live.name)
    assert live.settings.items() <= record.items()
    assert record["versions"] and all(any(c.isdigit() for c in v) for v in record["versions"].values())


def test_heic_keeps_all_chroma_and_does_without_psychovisual_search(picture, stripes):
    if "heic" in MISSING:
        pytest.skip(MISSING["heic"])
    heic = codecs.LIVE["heic"]
    data = heic.encode(stripes, 58)
    assert data[data.index(b"hvcC") + 4 + 16] & 3 == 3  # chroma_format_idc: 3 is 4:4:4
    assert psnr(stripes, codecs.decode(data)) > 40
    options = heic.options(picture, 34)
    del options["enc_params"]["x265:psy-rd"]
    plain = codecs.decode(codecs.to_bytes(picture, **options))
    assert psnr(picture, codecs.decode(heic.encode(picture, 34))) > psnr(picture, plain) + 0.5


def test_avif_keeps_all_chroma_and_is_tuned_for_psnr(picture, stripes):
    if "avif" in MISSING:
        pytest.skip(MISSING["avif"])
    avif = codecs.LIVE["avif"]
    data = avif.encode(stripes, 90)
    assert data[data.index(b"av1C") + 4 + 2] & 0b1100 == 0  # chroma_subsampling_x and _y
    assert psnr(stripes, codecs.decode(data)) > 40
    options = avif.options(picture, 50) | {"speed": 8}
    assert codecs.to_bytes(picture, **options) != codecs.to_bytes(picture, **(options | {"advanced": {}}))


def test_jpeg2000_is_a_codestream_irreversible_with_its_color_transform(picture):
    if "jpeg2000" in MISSING:
        pytest.skip(MISSING["jpeg2000"])
    data = codecs.LIVE["jpeg2000"].encode(picture, 30)
    assert data[:4] == b"\xff\x4f\xff\x51"  # SOC, SIZ: no boxes around it
    _, layers, transform, levels, *_, wavelet = struct.unpack(">BHBBBBBB", data[data.index(b"\xff\x52") + 5 :][:9])
    assert (layers, transform, levels, wavelet) == (1, 1, 5, 0)  # 5 levels are 6 resolutions; wavelet 0 is the 9-7


def test_jpeg_takes_the_better_sampling(photos, stripes):
    """Saturated stripes need their chroma; a photograph at a low quality does not."""
    photo = Image.fromarray(np.ascontiguousarray(photos[0][:256, :256]))
    files = [codecs.LIVE["jpeg"].encode(p, 20) for p in (stripes, photo)]
    luma = [Image.open(io.BytesIO(data)).layer[0][1:3] for data in files]
    assert luma == [(1, 1), (2, 2)]  # sampled like the chroma: 4:4:4; twice as densely: 4:2:0


@pytest.mark.parametrize("name, module, package", [
    ("heic", "pillow_heif", "pillow-heif"), ("jxl", "pillow_jxl", "pillow-jxl-plugin"),
])  # fmt: skip
def test_a_missing_plugin_is_named(name, module, package, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    assert f"pip install {package}" in codecs.missing()[name] and name not in codecs.available()


def test_a_pillow_without_a_codec_is_named(monkeypatch):
    monkeypatch.setattr(codecs.features, "check", lambda feature: feature != "avif")
    assert "without avif" in codecs.missing()["avif"]
