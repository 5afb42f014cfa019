"""A photograph to a `.cca` file and back."""

from __future__ import annotations

import contextlib
import numbers
import os
import secrets
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.files import container
from ccalib.model.codec import STRIDE, Codec
from ccalib.model.gains import STEPS, stored_quality
from ccalib.model.layers import channels_last
from ccalib.model.refine import steps_of


def encode(
    image: Image.Image | np.ndarray | str | Path,
    quality: float | None = None,
    model: str | Path | Codec = "small",
    effort: int = 0,
    bf16: bool = False,
) -> bytes:
    """The bytes of a `.cca` file.

    Args:
        image: anything `ccalib.images.load` takes; any size from 1×1 (it is padded inside and cropped after).
        quality: 0 … Q (6 for `small`), continuous; it is rounded to 1/64 and used so. By default half of Q.
        model: a name, path or fingerprint of weights, or a codec.
        effort: steps of refinement on this image (`ccalib.model.refine`): a better file for more time. The decoder
            takes no longer.
        bf16: load the weights so (`ccalib.load`): another file, which decodes anywhere.
    Raises:
        CcaError: image, quality, effort or weights can't be used.
    """
    effort = steps_of(effort)
    codec, picture = weights.load(model, bf16), images.load(image)
    if not codec.fingerprint:
        raise CcaError("model: its weights are not stored, so no file can name them; call ccalib.weights.save first")
    steps = stored_quality(codec.preset, codec.preset.qualities / 2 if quality is None else quality)
    x = channels_last(images.pad(images.to_tensor(picture), STRIDE))  # here, so that no second layout stays in memory
    strings, symbols = codec.encode(x, torch.tensor([steps / STEPS]), effort, (picture.height, picture.width))
    payloads = [segment[0] for segment in strings]
    payloads[0] = payloads[0].ljust(container.least(picture.width, picture.height), b"\0")
    return container.pack(codec.fingerprint, steps, picture.width, picture.height, payloads, symbols)


def decode(
    source: bytes | str | Path,
    groups: int | None = None,
    model: str | Path | Codec | None = None,
    bf16: bool = False,
) -> Image.Image:
    """The image in a `.cca` file, given as bytes or as a path.

    Args:
        groups: decode the first so many groups only (0: z alone); all that the file still holds by default.
        model: weights to use instead of those that the file's fingerprint names.
        bf16: load the weights so (`ccalib.load`), however the file was made: the same symbols, other pixels.
    Raises:
        CcaError: the file is damaged, cut in its header or in z, or its weights are not here.
    """
    data, name = read(source)
    info = container.parse(data, name)
    if groups is not None and not (isinstance(groups, numbers.Integral) and 0 <= groups <= len(info.segments) - 1):
        raise CcaError(f"{name}: groups: {groups} is outside 0 … {len(info.segments) - 1}")
    try:
        codec = weights.load(model if model is not None else info.fingerprint, bf16)
    except CcaError as error:
        raise CcaError(f"{name}: fingerprint: {error}") from error
    if codec.fingerprint != info.fingerprint:
        raise CcaError(f"{name}: fingerprint: written by {info.fingerprint}, not by {codec.fingerprint}")
    if len(info.segments) - 1 != codec.preset.groups:
        raise CcaError(f"{name}: groups: {len(info.segments) - 1}, but the model has {codec.preset.groups}")
    if info.quality > codec.preset.qualities:
        raise CcaError(f"{name}: quality: {info.quality} is outside 0 … {codec.preset.qualities}")
    wanted = info.groups if groups is None else min(groups, info.groups)
    strings = [[container.payload(data, s, name)] if i <= wanted else None for i, s in enumerate(info.segments)]
    shape = (-(-info.height // STRIDE), -(-info.width // STRIDE))
    check = lambda i, symbols: container.check_symbols(info.segments[i], symbols)
    try:
        x_hat, _ = codec.decode(strings, shape, torch.tensor([info.quality]), check)
    except CcaError as error:
        raise CcaError(f"{name}: {error}") from error
    return images.from_tensor(x_hat[:, :, : info.height, : info.width])


def inspect(source: bytes | str | Path) -> container.FileInfo:
    """Header and bytes per segment, without decoding. Raises CcaError as `decode` does."""
    return container.parse(*read(source))


def read(source: bytes | str | Path) -> tuple[bytes, str]:
    """(bytes, a name for messages) of bytes or a path. Raises CcaError if it can't be read."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "bytes"
    try:
        return Path(source).read_bytes(), str(source)
    except (OSError, ValueError, TypeError) as error:  # a name with a zero byte; no name at all
        raise CcaError(f"{source!s:.200}: can't be read ({getattr(error, 'strerror', None) or error})") from error


def write(path: str | Path, data: bytes) -> None:
    """Write to a temporary name and rename: what was there before stays whole if writing fails. Raises CcaError."""
    path = Path(path)
    temporary = path.parent / f".{os.getpid()}.{secrets.token_hex(4)}.tmp"  # shorter than any name that is too long
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise CcaError(f"{path}: can't be written ({error.strerror})") from error
    finally:
        with contextlib.suppress(OSError):  # a folder that is none, a name too long
            temporary.unlink()
