"""The `.cca` file: what each byte means.

    "CCA", format version                     4 bytes
    fingerprint of the weights                8
    quality in steps of 1/64, width, height   varints
    number of groups                          varint
    z, then each group: length                varint
                        CRC-32 of its bytes   4
                        CRC-16 of its symbols 2
    CRC-16 of all the above                   2
    the payloads: z, then each group

The file is progressive: cut after group i it decodes exactly i groups, and a group cut inside is dropped. A Kodak image
has about 70 bytes before the payloads.

A few bytes can't ask for gigabytes: pixels beyond the first 2²² (`FREE_PIXELS`) need a byte of payload for each 64² of
them. z alone holds as many, so that cut files keep the rule; where all of z is zero, and would take no bytes, `encode`
fills it with zero bytes.
"""

from __future__ import annotations

import binascii
import dataclasses
import zlib
from typing import TYPE_CHECKING

from PIL import Image

from ccalib.errors import CcaError
from ccalib.model import varint
from ccalib.model.presets import STEPS

if TYPE_CHECKING:
    import numpy as np  # not to run: Pillow's plugin reads headers with what `import ccalib` has loaded

MAGIC, VERSION = b"CCA", 1
MOST_GROUPS = 64
FREE_PIXELS = 2**22  # of any file; decoding them takes about a gigabyte
PIXELS_PER_BYTE = 64**2  # of a larger one, beyond those: a byte for each position of z


class TooManyPixels(CcaError, Image.DecompressionBombError):
    """More pixels than Pillow's limit allows (raise `PIL.Image.MAX_IMAGE_PIXELS` for files that you trust), or than
    the file's bytes can hold."""


@dataclasses.dataclass(frozen=True)
class Segment:
    """One part of the payload: `z` or `g1`, `g2` …; `present` if the file holds all of it and of those before."""

    name: str
    length: int
    start: int
    crc: int
    symbols_crc: int
    present: bool


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """What a `.cca` file says about itself; all lengths in bytes.

    `size` = `header` + lengths of the segments that are present + `dropped`, the rest of a cut file.
    """

    width: int
    height: int
    quality: float
    fingerprint: str
    size: int
    header: int
    segments: tuple[Segment, ...]

    @property
    def dropped(self) -> int:
        return self.size - self.header - sum(s.length for s in self.segments if s.present)

    @property
    def groups(self) -> int:
        """How many groups can be decoded."""
        return sum(s.present for s in self.segments[1:])

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel of the original image."""
        return 8 * self.size / (self.width * self.height)


def symbols_crc(symbols: np.ndarray) -> int:
    """CRC-16 of a segment's symbols: tells decoding apart that went wrong on another machine."""
    return binascii.crc_hqx(symbols.astype("<i2").tobytes(), 0)


def check_symbols(segment: Segment, symbols: np.ndarray) -> None:
    """Raises CcaError, which names the segment, where decoding gave other symbols than were encoded."""
    if symbols_crc(symbols) != segment.symbols_crc:
        raise CcaError(
            f"{segment.name}: decoded to other symbols than were encoded; this machine's arithmetic differs from the "
            "encoder's, or the file was forged"
        )


def least(width: int, height: int) -> int:
    """Bytes of payload that an image of this size has at least; whole words, as the range coder's streams are."""
    return 4 * -(-max(width * height - FREE_PIXELS, 0) // (4 * PIXELS_PER_BYTE))


def pack(fingerprint: str, steps: int, width: int, height: int, payloads: list[bytes], symbols: list) -> bytes:
    """The bytes of a file.

    Args:
        fingerprint: of the weights, 16 hexadecimal digits.
        steps: quality in steps of 1/64.
        payloads, symbols: z first, then the groups.
    """
    head = bytearray(MAGIC + bytes([VERSION]) + bytes.fromhex(fingerprint))
    for value in (steps, width, height, len(payloads) - 1):
        head += varint.put(value)
    for payload, values in zip(payloads, symbols, strict=True):
        head += varint.put(len(payload))
        head += zlib.crc32(payload).to_bytes(4, "little") + symbols_crc(values).to_bytes(2, "little")
    head += binascii.crc_hqx(bytes(head), 0).to_bytes(2, "little")
    return bytes(head) + b"".join(payloads)


def parse(data: bytes, name: str = "file") -> FileInfo:
    """Read everything before the payloads.

    Raises:
        CcaError: not a `.cca` file, a cut or damaged header, a cut z, bytes after the end, more pixels than Pillow's
            limit or than the payload can hold; it names file and field.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise CcaError(f"{name}: magic: not a .cca file")
    if len(data) > len(MAGIC) and data[3] != VERSION:
        raise CcaError(f"{name}: version: {data[3]} is unknown to this ccalib, which reads version {VERSION}")
    position, field = 12, "header"
    try:
        numbers = {}
        for field in ("quality", "width", "height", "groups"):
            numbers[field], position = varint.take(data, position)
        if numbers["groups"] > MOST_GROUPS:
            raise CcaError("more groups than any model has")
        parts = []
        for field in _names(numbers["groups"]):
            length, position = varint.take(data, position)
            parts.append((field, length, data[position : position + 4], data[position + 4 : position + 6]))
            position += 6
    except CcaError as error:
        raise CcaError(f"{name}: {field}: the header is cut or damaged ({error})") from error
    checksum, position = data[position : position + 2], position + 2
    if len(data) < position:
        raise CcaError(f"{name}: header: cut after {len(data)} bytes")
    if binascii.crc_hqx(data[: position - 2], 0).to_bytes(2, "little") != checksum:
        raise CcaError(f"{name}: header: damaged (its checksum doesn't match)")
    _check_pixels(numbers["width"], numbers["height"], name)
    segments, start, present = [], position, True
    for field, length, crc, short in parts:
        present = present and start + length <= len(data)
        crcs = (int.from_bytes(crc, "little"), int.from_bytes(short, "little"))
        segments.append(Segment(field, length, start, *crcs, present))
        start += length
    if not segments[0].present:
        raise CcaError(f"{name}: z: cut; {len(data) - position} of its {segments[0].length} bytes are there")
    if len(data) > start:
        raise CcaError(f"{name}: {len(data) - start} bytes after the last group")
    held = sum(s.length for s in segments if s.present)
    if held < (needed := least(numbers["width"], numbers["height"])):
        size = f"{numbers['width']}×{numbers['height']}"
        raise TooManyPixels(f"{name}: width, height: {size} pixels take {needed} bytes of payload; it holds {held}")
    mark, quality = data[4:12].hex(), numbers["quality"] / STEPS
    return FileInfo(numbers["width"], numbers["height"], quality, mark, len(data), position, tuple(segments))


def payload(data: bytes, segment: Segment, name: str = "file") -> bytes:
    """A segment's bytes, checked before the range coder sees them. Raises CcaError."""
    found = data[segment.start : segment.start + segment.length]
    if zlib.crc32(found) != segment.crc:
        raise CcaError(f"{name}: {segment.name}: damaged (its checksum doesn't match)")
    return found


def _names(groups: int) -> list[str]:
    return ["z", *(f"g{i}" for i in range(1, groups + 1))]


def _check_pixels(width: int, height: int, name: str) -> None:
    limit = Image.MAX_IMAGE_PIXELS and 2 * Image.MAX_IMAGE_PIXELS  # as Pillow does against decompression bombs
    if not width or not height:
        raise CcaError(f"{name}: width, height: {width}×{height}")
    if limit and width * height > limit:
        raise TooManyPixels(f"{name}: width, height: {width}×{height} is over the limit of {limit} pixels")
