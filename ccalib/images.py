"""Photographs in and out: anything Pillow reads becomes 8-bit RGB; arrays become tensors in [0, 1]."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageCms, ImageOps
from torch import Tensor

from ccalib.errors import CcaError

LANCZOS = Image.Resampling.LANCZOS
NEAR = 2  # of 255: a profile that changes no color by more is sRGB by another name
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".gif", ".jp2", ".avif", ".heic"}
BACKGROUND = (255, 255, 255)  # what transparent pixels lie on


def load(source: str | Path | Image.Image | np.ndarray) -> Image.Image:
    """An upright 8-bit RGB image from a path, a Pillow image or an H×W×3 uint8 array.

    - EXIF orientation is applied; EXIF and other metadata are not carried.
    - An ICC profile is converted to sRGB (relative colorimetric), and not carried; one that can't be used is ignored.
      Without a profile, values are taken as sRGB.
    - Transparency (an alpha channel, or a transparent color) is laid on white.
    - 16-bit gray keeps its upper 8 bits, 32-bit integers are taken as 16-bit, floats as 0 … 255.
    - CMYK without a profile and other modes are converted by Pillow. Of several frames, the current one counts.

    Raises:
        CcaError: not an image, damaged, or too large for Pillow's limit against decompression bombs.
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            raise CcaError(f"image: an array must be H×W×3 uint8, not {source.shape} {source.dtype}")
        return Image.fromarray(source)
    name = getattr(source, "filename", "") or "image" if isinstance(source, Image.Image) else str(source)
    try:
        image = source if isinstance(source, Image.Image) else Image.open(source)
        if not all(image.size):
            raise ValueError(f"it has {image.width}×{image.height} pixels")
        image.load()
        with contextlib.suppress(SyntaxError):  # EXIF that is none: the picture is there all the same
            image = ImageOps.exif_transpose(image)
        return _rgb(image)
    except FileNotFoundError as error:
        raise CcaError(f"{name}: no such file") from error
    except Exception as error:  # Pillow's readers raise many kinds for damaged files
        raise CcaError(f"{name}: can't be read as an image ({error or type(error).__name__})") from error


def _rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode == "I":
        values, clear = np.asarray(image).astype(np.int64), image.info.get("transparency")
        image = Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8))
        if isinstance(clear, int):  # one value of 16 bits
            image.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    if image.mode == "La":
        image = image.convert("LA")  # the one mode that Pillow takes no further
    if image.has_transparency_data:
        if profile and image.mode in ("L", "LA"):  # a profile for gray fits gray only
            alpha = image.convert("RGBA").getchannel("A")
            image, profile = _to_srgb(image.convert("L"), profile).convert("RGB"), None
            image.putalpha(alpha)
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image)
    if profile:
        image = _to_srgb(image if image.mode in ("L", "CMYK") else image.convert("RGB"), profile)
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The colors that an ICC profile means, in sRGB; the image as it is if the profile doesn't fit it."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() == "RGB":
            image = image.convert("RGB")
        srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
        if image.mode == "RGB":
            ramps = Image.merge("RGB", [Image.linear_gradient("L").rotate(90 * i) for i in range(3)])
            change = ImageChops.difference(ramps, ImageCms.profileToProfile(ramps, source, srgb, intent, "RGB"))
            if max(high for _, high in change.getextrema()) <= NEAR:
                return image  # it is sRGB: converting would only round
        return ImageCms.profileToProfile(image, source, srgb, intent, "RGB")
    except (OSError, ImageCms.PyCMSError):
        return image


def find(paths: list[str | Path]) -> list[Path]:
    """Image files among paths, folders searched (not their sub-folders), in the order of names.

    Raises:
        CcaError: a path that doesn't exist, or no image at all.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise CcaError(f"{path}: no such file or folder")
    if not files:
        raise CcaError(f"{', '.join(map(str, paths))}: no images ({', '.join(sorted(SUFFIXES))})")
    return files


def to_bytes(image: Image.Image, **options) -> bytes:
    """What Pillow writes with these options of `Image.save`, `format` among them."""
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def to_tensor(image: Image.Image | np.ndarray) -> Tensor:
    """1×3×H×W float32 in [0, 1] from an RGB image, or its H×W×3 uint8."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255  # H×W×3 → 1×3×H×W


def from_tensor(x: Tensor) -> Image.Image:
    """An RGB image from 1×3×H×W; values are clamped to [0, 1] and rounded to 8 bits."""
    pixels = (x[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)  # 3×H×W → H×W×3
    return Image.fromarray(pixels.contiguous().numpy())


def pad(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples of `multiple`."""
    h, w = x.shape[-2:]
    return torch.nn.functional.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate")
