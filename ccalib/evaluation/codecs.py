"""Other codecs, through Pillow and its plugins, at their best settings (lesson 08). Each makes bytes at a quality.

"Best" was chosen by PSNR on photographs of the validation set; each choice's figure stands beside it.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
from collections.abc import Callable
from importlib.metadata import version

import PIL
from PIL import Image, features

from ccalib.errors import CcaError
from ccalib.evaluation.metrics import psnr
from ccalib.images import to_bytes

THREADS = 2


@dataclasses.dataclass(frozen=True)
class Live:
    """A codec that runs here.

    Attributes:
        qualities: the points of its curve, in the codec's own unit.
        settings: what is passed to Pillow at every quality, for the record.
        load: makes Pillow able to write it; gives the versions of what writes it, or raises CcaError naming what to
            install.
        choose: (image, quality) → what else is passed to Pillow.
    """

    name: str
    qualities: tuple[float, ...]
    settings: dict
    load: Callable[[], dict[str, str]]
    choose: Callable[[Image.Image, float], dict] = lambda image, quality: {"quality": int(quality)}

    def options(self, image: Image.Image, quality: float) -> dict:
        """All that `Image.save` gets at a quality; an encoder may write into it."""
        return _copy(self.settings) | self.choose(image, quality)

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """The file. `bare` images only, or their metadata would count."""
        return to_bytes(image, **self.options(image, quality))


def _copy(value):
    return {key: _copy(v) for key, v in value.items()} if isinstance(value, dict) else value


def bare(image: Image.Image) -> Image.Image:
    """The pixels alone: Pillow would write an image's color profile, EXIF and XMP into some formats and not others."""
    return Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())


def decode(data: bytes) -> Image.Image:
    """The RGB image in another codec's bytes."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def _pillow(feature: str, library: str | None = None) -> Callable[[], dict[str, str]]:
    def load() -> dict[str, str]:
        if not features.check(feature):
            raise CcaError(f"this Pillow ({PIL.__version__}) was built without {feature}")
        return {"Pillow": PIL.__version__, library or feature: str(features.version(library or feature))}

    return load


def _plugin(module: str, package: str):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CcaError(f"{package} is not installed: pip install {package}, or 'ccalib[codecs]' for all") from error


def _heif() -> dict[str, str]:
    plugin = _plugin("pillow_heif", "pillow-heif")
    plugin.register_heif_opener()
    info = plugin.libheif_info()
    if not info["HEIF"]:
        raise CcaError("this pillow-heif was built without an HEVC encoder")
    return {"pillow-heif": version("pillow-heif"), "libheif": info["libheif"], "encoder": info["HEIF"]}


def _jxl() -> dict[str, str]:
    _plugin("pillow_jxl", "pillow-jxl-plugin")
    return {"pillow-jxl-plugin": version("pillow-jxl-plugin")}


# flat quantization tables −1 % of rate, but from −6 % to +4 % from photograph to photograph: not taken
JPEG = {"format": "JPEG", "optimize": True, "progressive": True}
# methods 4 and 5: +2.5 %, +2.7 % of rate; exact, alpha_quality, save_all: the same bytes. What Pillow can't set, by
# libwebp itself: sns_strength 0 −3.4 %, use_sharp_yuv −1.3 %, both −5.8 %
WEBP = {"format": "WEBP", "method": 6}
# reversible +9 %, no color transform +65 %; 5, 4 or 7 resolutions (not 6) +1 %, +6 %, 0 %; blocks of 32×32 (not 64×64)
# +2.5 %, of 128×32 +0.2 %; the JP2 boxes around the codestream +0.4 %, the library's comment in it +0.1 %
JPEG2000 = {
    "format": "JPEG2000", "irreversible": True, "mct": 1, "no_jp2": True, "comment": " ", "quality_mode": "dB",
}  # fmt: skip
# without tune=psnr +11 % of rate; speed 4 +2 %, 6 +12 %
AVIF = {"format": "AVIF", "speed": 2, "subsampling": "4:4:4", "max_threads": THREADS, "advanced": {"tune": "psnr"}}
# libheif's tune=psnr leaves x265's psychovisual search on: with it +10 % of rate, without tune=psnr +15 %; presets slow
# and placebo are equal within 0.1 %; no SAO +0.4 %, weaker rdoq +4 %
HEIC = {
    "format": "HEIF",
    "subsampling": "4:4:4",
    "enc_params": {"preset": "placebo", "tune": "psnr", "x265:psy-rd": "0"},
}
# efforts 7, 8, 9: +2.7 %, +0.5 %, +0.5 % of rate; quality 100 would be lossless; below 19 (Butteraugli distance 10) it
# halves the picture, which the plugin can't prevent: quality 18 gives larger files than 19, 0.14 dB worse
JXL = {"format": "JXL", "effort": 10, "num_threads": THREADS, "lossless_jpeg": False}


def jpeg_bytes(image: Image.Image, quality: int, subsampling: str) -> bytes:
    """The file, with the settings under which JPEG is measured everywhere in this project."""
    return to_bytes(image, **(JPEG | {"quality": quality, "subsampling": subsampling}))


def _better_sampling(image: Image.Image, quality: float) -> dict:
    """JPEG's quality, and the better chroma sampling at this point.

    4:4:4 is better where 4:2:0, at a quality that makes its file at least as large, still has the lower PSNR.
    """
    full, half = (jpeg_bytes(image, int(quality), s) for s in ("4:4:4", "4:2:0"))
    rival, higher = half, int(quality)
    while len(rival) < len(full) and higher < 100:
        higher += 1
        rival = jpeg_bytes(image, higher, "4:2:0")
    better = psnr(image, decode(rival)) < psnr(image, decode(full))
    return {"quality": int(quality), "subsampling": "4:4:4" if better else "4:2:0"}


LIVE = {
    codec.name: codec
    for codec in (
        Live(
            "jpeg", (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95), JPEG, _pillow("jpg", "libjpeg_turbo"), _better_sampling
        ),
        Live("webp", (1, 10, 20, 35, 50, 65, 80, 90, 95), WEBP, _pillow("webp")),
        Live(
            "jpeg2000",
            (26, 28, 30, 32, 34, 36, 38, 40),
            JPEG2000,
            _pillow("jpg_2000"),
            lambda image, quality: {"quality_layers": [quality]},
        ),
        Live("avif", (2, 10, 20, 35, 50, 65, 80), AVIF, _pillow("avif")),
        Live("heic", (10, 18, 26, 34, 42, 50, 58), HEIC, _heif),
        Live("jxl", (19, 24, 30, 50, 65, 75, 85, 92), JXL, _jxl),
    )
}


def missing() -> dict[str, str]:
    """Live codecs that can't be written here, each with the reason and what to install."""
    reasons = {}
    for name, codec in LIVE.items():
        try:
            codec.load()
        except CcaError as error:
            reasons[name] = str(error)
    return reasons


def available() -> list[str]:
    """Names of the live codecs that can be written here."""
    absent = missing()
    return [name for name in LIVE if name not in absent]


def record(name: str) -> dict:
    """Settings and versions of a live codec, as results keep them. Raises CcaError where it doesn't run here."""
    codec = LIVE[name]
    per_file = {"jpeg": {"subsampling": "the better of 4:2:0 and 4:4:4"}, "jpeg2000": {"quality_layers": "[quality]"}}
    return codec.settings | per_file.get(name, {}) | {"versions": codec.load()}
