"""The mutations of `benchmarks/fuzz.py`: case i of a seed, as bytes.

Even cases leave lengths and checksums as they were; odd ones are `sealed`: lengths, CRC-32 of payloads and the
header's CRC-16 are computed anew, so that all that stands behind them is reached. The CRC-16 of a segment's symbols
can't be: only the decoder knows the symbols. The first even cases are the cuts of every file at every length.
"""

from __future__ import annotations

import binascii
import dataclasses
import itertools
import zlib

import numpy as np

from ccalib.files import container
from ccalib.model import varint

HUGE = (0, 1, 63, 65, 127, 128, 2**12, 2**16, 2**24, 2**31, 2**32 - 1, 2**35 - 1)


@dataclasses.dataclass
class Parts:
    """A file taken apart. Header numbers: quality in steps of 1/64, width, height, number of groups."""

    mark: bytes
    numbers: list[int]
    payloads: list[bytes]
    lengths: list[int]
    checksums: list[bytes]  # per segment CRC-32 of its bytes, CRC-16 of its symbols
    head_crc: bytes

    @classmethod
    def of(cls, data: bytes) -> Parts:
        info = container.parse(data)
        numbers = [round(info.quality * 64), info.width, info.height, len(info.segments) - 1]
        checksums = [s.crc.to_bytes(4, "little") + s.symbols_crc.to_bytes(2, "little") for s in info.segments]
        payloads = [data[s.start : s.start + s.length] for s in info.segments]
        lengths = [s.length for s in info.segments]
        return cls(data[4:12], numbers, payloads, lengths, checksums, data[info.header - 2 : info.header])

    def seal(self) -> None:
        """Lengths and payloads' CRC-32 as they must be for these payloads."""
        self.lengths = [len(p) for p in self.payloads]
        crcs = (zlib.crc32(p).to_bytes(4, "little") for p in self.payloads)
        self.checksums = [crc + old[4:] for crc, old in zip(crcs, self.checksums, strict=True)]

    def join(self, sealed: bool) -> bytes:
        head = container.MAGIC + bytes([container.VERSION]) + self.mark + b"".join(map(varint.put, self.numbers))
        head += b"".join(varint.put(n) + c for n, c in zip(self.lengths, self.checksums, strict=True))
        crc = binascii.crc_hqx(head, 0).to_bytes(2, "little") if sealed else self.head_crc
        return head + crc + b"".join(self.payloads)


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """One bit flipped, or up to 64."""
    out = bytearray(data)
    for bit in rng.integers(0, 8 * len(data), 1 if rng.random() < 0.5 else rng.integers(2, 65)) if data else ():
        out[bit // 8] ^= 1 << int(bit % 8)
    return bytes(out)


def _segment(change):
    """A mutation of one segment's payload."""

    def mutate(parts: Parts, rng: np.random.Generator) -> None:
        i = int(rng.integers(len(parts.payloads)))
        parts.payloads[i] = change(parts.payloads[i], rng)

    return mutate


def random_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """As many random bytes, or another number of them, in whole words more often than not."""
    length = len(data) if rng.random() < 0.5 else int(rng.integers(0, 2 * len(data) + 64))
    return rng.bytes(length // 4 * 4 if rng.random() < 0.8 else length)


def longest_escapes(data: bytes, rng: np.random.Generator) -> bytes:
    """Ones, which announce the longest escapes there are, after some of the true bytes or none."""
    return data[: 4 * int(rng.integers(0, len(data) // 4 + 1))] + b"\xff" * 4 * int(rng.integers(1, 300))


def huge_size(parts: Parts, rng: np.random.Generator) -> None:
    for i in (1, 2):
        if rng.random() < 0.7:
            near = max(parts.numbers[i] + int(rng.integers(-70, 200)), 0)
            parts.numbers[i] = near if rng.random() < 0.5 else int(rng.choice(HUGE))


def foreign_fingerprint(parts: Parts, rng: np.random.Generator) -> None:
    parts.mark = rng.bytes(8) if rng.random() < 0.5 else flip(parts.mark, rng)


def other_quality(parts: Parts, rng: np.random.Generator) -> None:
    parts.numbers[0] = int(rng.choice(HUGE)) if rng.random() < 0.5 else int(rng.integers(0, 500))


def group_count(parts: Parts, rng: np.random.Generator) -> None:
    """Another number in the header, or whole segments taken out or added as well."""
    count = int(rng.choice((0, 1, 4, 6, 64, 65, 2**31)))
    parts.numbers[3] = count
    if rng.random() < 0.5 and count <= 64:
        for parallel in (parts.payloads, parts.lengths, parts.checksums):
            parallel[:] = list(itertools.islice(itertools.cycle(parallel), count + 1))


def huge_length(parts: Parts, rng: np.random.Generator) -> None:
    i = int(rng.integers(len(parts.lengths)))
    near = max(parts.lengths[i] + int(rng.integers(-8, 9)), 0)
    parts.lengths[i] = near if rng.random() < 0.5 else int(rng.choice(HUGE))


def swap(parts: Parts, rng: np.random.Generator) -> None:
    """Two payloads change places, their checksums with them or not."""
    i, j = rng.choice(len(parts.payloads), 2, replace=False)
    for parallel in (parts.payloads, parts.lengths, parts.checksums)[: 3 if rng.random() < 0.5 else 1]:
        parallel[i], parallel[j] = parallel[j], parallel[i]


SEGMENT = {
    "cut": lambda data, rng: data[: int(rng.integers(0, len(data) + 1))],
    "flip": flip,
    "random": random_bytes,
    "escapes": longest_escapes,
    "zeros": lambda data, rng: bytes(4 * int(rng.integers(0, 64))),
    "more": lambda data, rng: data + rng.bytes(4 * int(rng.integers(1, 64))),
}
HEADER = {"size": huge_size, "fingerprint": foreign_fingerprint, "quality": other_quality, "groups": group_count}
LENGTH = {"length": huge_length}  # what sealing must not undo
KINDS = {name: _segment(change) for name, change in SEGMENT.items()} | HEADER | {"swap": swap} | LENGTH


def case(files: list[bytes], seed: int, i: int) -> tuple[int, str, bool, bytes]:
    """Case i: (index of the file, kind of mutation, sealed, bytes)."""
    sealed, number = bool(i % 2), i // 2
    if not sealed:
        for which, data in enumerate(files):
            if number < len(data):
                return which, "cut", sealed, data[:number]
            number -= len(data)
    rng, kinds = np.random.default_rng((seed, i)), list(KINDS)
    which, kind = int(rng.integers(len(files))), kinds[number % len(kinds)]
    data = files[which]
    if not sealed and kind in ("flip", "random"):  # anywhere in the file
        mutated = flip(data, rng) if kind == "flip" else data[: int(rng.integers(0, 20))] + rng.bytes(len(data))
        return which, kind, sealed, mutated
    parts = Parts.of(data)
    KINDS[kind](parts, rng)
    if sealed and kind not in LENGTH:
        parts.seal()
    return which, kind, sealed, parts.join(sealed)
