"""JPEG at a given number of bytes: the rival in wipes and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from ccalib.evaluation.codecs import decode, jpeg_bytes
from ccalib.evaluation.metrics import psnr

SUBSAMPLINGS = ("4:2:0", "4:4:4")
QUALITIES = range(1, 96)  # above 95 Pillow advises against it: bytes grow, the picture hardly changes


@dataclass(frozen=True)
class Jpeg:
    """A JPEG file made here. `image` is what its bytes decode to, `psnr` (dB) against what it was made from."""

    quality: int
    subsampling: str
    data: bytes
    image: Image.Image
    psnr: float

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data)


def jpeg_of_size(image: Image.Image, size: int) -> Jpeg:
    """The JPEG file nearest to `size` bytes that has at least as many, so JPEG is never short-changed.

    Both chroma subsamplings are tried; the better PSNR wins. If even quality 95 has fewer bytes, that file is the one.
    """
    found = []
    for subsampling in SUBSAMPLINGS:
        low, high = QUALITIES[0], QUALITIES[-1]
        while low < high:  # size grows with quality
            middle = (low + high) // 2
            if len(jpeg_bytes(image, middle, subsampling)) >= size:
                high = middle
            else:
                low = middle + 1
        data = jpeg_bytes(image, low, subsampling)
        decoded = decode(data)
        found.append(Jpeg(low, subsampling, data, decoded, psnr(image, decoded)))
    return max(found, key=lambda one: one.psnr)
