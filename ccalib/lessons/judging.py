"""What lesson 08 measures with: curves of any encoder, files of a wanted size, damages of a wanted error, a contest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from ccalib import files, images
from ccalib.errors import CcaError
from ccalib.evaluation import codecs
from ccalib.evaluation.metrics import mse, psnr
from ccalib.files.container import MAGIC
from ccalib.images import to_bytes
from ccalib.lessons.pixels import Picture

Points = list[tuple[float, float]]
Write = Callable[[Image.Image, float], bytes]
AT_LEAST = 32.0  # dB of the contest
GROWTH = 0.05  # of the logarithm of a file's size with a step of quality, roughly
HALVINGS = 20


# ---- files ----------------------------------------------------------------------------------------------------------


def read(data: bytes) -> Image.Image:
    """The RGB picture in a file's bytes, ours or any that Pillow reads. Raises CcaError where it is none."""
    if data[: len(MAGIC)] == MAGIC:
        return files.coding.decode(data)
    try:
        return codecs.decode(data)
    except (OSError, ValueError, SyntaxError) as error:
        raise CcaError(f"{len(data)} bytes: no picture that ccalib or Pillow can read ({error})") from error


def measured(photos: Sequence[Image.Image], write: Write, qualities: Sequence[float]) -> np.ndarray:
    """Bits per original pixel and PSNR of every file: qualities×photographs×2.

    Args:
        write: (photograph, quality) → the bytes of its file.
    """
    table = np.empty((len(qualities), len(photos), 2))
    for i, quality in enumerate(qualities):
        for j, photo in enumerate(photos):
            data = write(photo, quality)
            table[i, j] = 8 * len(data) / (photo.width * photo.height), psnr(photo, read(data))
    return table


def mean_curve(table: np.ndarray) -> Points:
    """The curve of a set: mean rate and mean PSNR at each quality."""
    return [tuple(point) for point in table.mean(axis=1)]


def with_settings(**settings: object) -> Write:
    """An encoder from what `Image.save` takes; the quality goes where the format wants it."""
    key = "quality_layers" if settings["format"] == "JPEG2000" else "quality"

    def write(photo: Image.Image, quality: float) -> bytes:
        return to_bytes(photo, **settings, **{key: [quality] if key == "quality_layers" else int(quality)})

    return write


def at_size(photo: Image.Image, size: int, name: str, first: int = 35) -> Picture | None:
    """The smallest file of a live codec with at least `size` bytes, decoded, so that the codec is never short-changed.

    Args:
        first: the quality (1 … 100) that is tried first.
    Returns:
        None where this codec can't be written here, or where even its quality 100 has fewer bytes.
    """
    if name not in codecs.available():
        return None
    made, low, high, quality = {}, 0, 101, first
    while high - low > 1:  # sizes grow with quality, about as an exponential
        quality = int(np.clip(quality, low + 1, high - 1))
        made[quality] = codecs.LIVE[name].encode(photo, quality)
        step = np.log(size / len(made[quality])) / GROWTH
        low, high = (low, quality) if len(made[quality]) >= size else (quality, high)
        if low in made and high in made:
            a, b = (np.log(len(made[q]) / size) for q in (low, high))
            quality = low + round((high - low) * a / (a - b))
        else:
            quality += round(step)
    if high > 100:
        return None
    decoded = codecs.decode(made[high])
    return Picture(f"{name} {high}", decoded, len(made[high]), psnr(photo, decoded))


# ---- damages of the same error --------------------------------------------------------------------------------------


def towards(photo: Image.Image, damaged: np.ndarray, error: float) -> Image.Image:
    """As far from the photograph towards (and beyond) `damaged`, H×W×3, as makes a mean squared error of `error`."""
    values = np.asarray(photo, dtype=np.float64)

    def moved(strength: float) -> Image.Image:
        return images.load(np.clip(np.round(values + strength * (damaged - values)), 0, 255).astype(np.uint8))

    return _with_error(photo, moved, 30.0, error)


def blurred(photo: Image.Image, error: float) -> Image.Image:
    """The photograph under a Gaussian blur that makes a mean squared error of `error`."""
    return _with_error(photo, lambda radius: photo.filter(ImageFilter.GaussianBlur(radius)), 60.0, error)


def _with_error(photo: Image.Image, make: Callable[[float], Image.Image], high: float, error: float) -> Image.Image:
    low = 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if mse(photo, make(middle)) < error else (low, middle)
    return make(high)


# ---- the contest ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """What the jury found: bytes of the file, PSNR in dB of what it decodes to, and whether that is enough."""

    size: int
    psnr: float
    valid: bool

    def __str__(self) -> str:
        return f"{self.size:,} bytes, {self.psnr:.1f} dB: {'valid' if self.valid else 'not enough dB'}"


def judge(photo: Image.Image, data: bytes, at_least: float = AT_LEAST) -> Entry:
    """Measure an entry of the contest "the smallest file of at least 32 dB": its real bytes, and its real PSNR.

    Nothing but `data` is decoded. A smaller picture is enlarged to the photograph's size (Lanczos) before it is judged.

    Raises:
        CcaError: not the bytes of a file, or no picture in them.
    """
    if not isinstance(data, bytes):
        raise CcaError(f"judge: the bytes of a file are wanted, not {type(data).__name__}")
    decoded = read(data)
    if decoded.size != photo.size:
        decoded = decoded.resize(photo.size, Image.Resampling.LANCZOS)
    found = psnr(photo, decoded)
    return Entry(len(data), found, found >= at_least)
