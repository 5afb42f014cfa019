"""Other codecs, through Pillow, at their best settings (DESIGN 8). Each gives bytes for an image and a quality."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

from PIL import Image, features

from ccalib.evaluation.metrics import psnr
from ccalib.images import to_bytes


@dataclasses.dataclass(frozen=True)
class Live:
    """A codec that runs here.

    Attributes:
        qualities: the points of its curve, in the codec's own unit.
        settings: what is passed to Pillow, for the record.
        encode: (image, quality) → bytes; Pillow decodes them.
    """

    name: str
    qualities: tuple[float, ...]
    settings: dict
    encode: Callable[[Image.Image, float], bytes]


def decode(data: bytes) -> Image.Image:
    """The RGB image in another codec's bytes."""
    return Image.open(io.BytesIO(data)).convert("RGB")


JPEG = {"format": "JPEG", "optimize": True, "progressive": True, "subsampling": "the better of 4:2:0 and 4:4:4"}
WEBP = {"format": "WEBP", "method": 6}
JPEG2000 = {"format": "JPEG2000", "irreversible": True, "mct": 1, "quality_mode": "dB"}
AVIF = {"format": "AVIF", "speed": 2, "subsampling": "4:4:4", "max_threads": 2}


def jpeg_bytes(image: Image.Image, quality: int, subsampling: str) -> bytes:
    """The file, with the settings under which JPEG is measured everywhere in this project."""
    return to_bytes(image, **(JPEG | {"quality": quality, "subsampling": subsampling}))


def jpeg(image: Image.Image, quality: float) -> bytes:
    """JPEG, optimized and progressive, with the better chroma sampling at this point.

    4:4:4 is better where 4:2:0, at a quality that makes its file at least as large, still has the lower PSNR.
    """
    full, half = (jpeg_bytes(image, int(quality), s) for s in ("4:4:4", "4:2:0"))
    rival, higher = half, int(quality)
    while len(rival) < len(full) and higher < 100:
        higher += 1
        rival = jpeg_bytes(image, higher, "4:2:0")
    return full if psnr(image, decode(rival)) < psnr(image, decode(full)) else half


LIVE = {
    codec.name: codec
    for codec in (
        Live("jpeg", (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95), JPEG, jpeg),
        Live("webp", (1, 10, 20, 35, 50, 65, 80, 90, 95), WEBP, lambda i, q: to_bytes(i, **WEBP, quality=int(q))),
        Live(
            "jpeg2000",
            (26, 28, 30, 32, 34, 36, 38, 40),
            JPEG2000,
            lambda i, q: to_bytes(i, **JPEG2000, quality_layers=[q]),
        ),
        Live("avif", (10, 20, 35, 50, 65, 80, 90), AVIF, lambda i, q: to_bytes(i, **AVIF, quality=int(q))),
    )
}


def available() -> list[str]:
    """Names of the live codecs that this Pillow can write."""
    needs = {"webp": "webp", "jpeg2000": "jpg_2000", "avif": "avif", "jpeg": "jpg"}
    return [name for name in LIVE if features.check(needs[name])]
