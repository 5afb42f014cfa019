"""Variable-length integers, seven bits a byte, lowest first; the top bit says that more follow (LEB128)."""

from __future__ import annotations

from ccalib.errors import CcaError

LONGEST = 5  # bytes: values below 2³⁵


def put(value: int) -> bytes:
    """Bytes of an integer ≥ 0."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def take(data: bytes, position: int) -> tuple[int, int]:
    """(value, position after it).

    Raises:
        CcaError: the data end inside the integer, or it is longer than any that is written.
    """
    value = 0
    for count, byte in enumerate(data[position : position + LONGEST]):
        value |= (byte & 127) << (7 * count)
        if byte < 128:
            return value, position + count + 1
    raise CcaError("an integer that doesn't end")


def zigzag(value: int) -> int:
    """0, −1, 1, −2 … → 0, 1, 2, 3 …"""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """The inverse of `zigzag`."""
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1
