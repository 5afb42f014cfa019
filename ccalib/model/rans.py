"""CompressAI's range coder (rANS, Duda 2013), made safe to call on anything.

`compressai.ans` crashes the process on an empty stream, corrupts its heap on a stream of one symbol and reads past
the end of a truncated one. Here:

- all symbols zero: no bytes at all, or any number of zero bytes, which no stream of the coder consists of (its state
  is never zero);
- fewer than 16 symbols: zigzag varints, no coder;
- else rANS. Its stream is a whole number of 32-bit words, at least two; for decoding it is padded with more zeros than
  a stream of its length can make the decoder read. A symbol takes 2 bytes at most, and a nibble half a byte. An escape
  first counts its nibbles: a counting nibble of 15 announces 15 and another one. A stream of n bytes has 2n nibbles, so
  16n bytes at most come of those; the last counting nibble, which is below 15, and what it announces are 7.5 a symbol.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ccalib.errors import CcaError
from ccalib.model import varint
from ccalib.model.borrowed import EntropyModel, ans

FEW = 16
SYMBOL_LIMIT = 2**15 - 1  # larger symbols only come from broken weights or a broken file
LONGEST = 5  # bytes for a symbol: an escape takes 16 bits at most, its nibbles, five and one that counts them, 4 each
STATE = 8  # bytes of the coder's last state


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """Integer CDFs (rows × longest, 16-bit precision), their lengths, and the symbol of each row's first entry."""

    cdf: np.ndarray
    length: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, model: EntropyModel) -> Tables:
        """The tables of a CompressAI entropy model after its `update()`."""
        parts = (model._quantized_cdf, model._cdf_length, model._offset)
        return cls(*(t.cpu().numpy().astype(np.int32) for t in parts))

    @functools.cached_property
    def lists(self) -> tuple[list, list, list]:
        """As the coder takes them."""
        return self.cdf.tolist(), self.length.tolist(), self.offset.tolist()

    def check(self, where: str) -> None:
        """Raise CcaError unless each row is an increasing CDF from 0 to 2¹⁶: others crash the coder."""
        rows, longest = self.cdf.shape if self.cdf.ndim == 2 else (0, 0)
        if not rows or self.length.shape != (rows,) or self.offset.shape != (rows,):
            raise CcaError(f"{where}: CDF tables of wrong shape")
        if self.length.min() < 3 or self.length.max() > longest or np.abs(self.offset).max() > SYMBOL_LIMIT:
            raise CcaError(f"{where}: CDF lengths or offsets out of range")
        for row, length in zip(self.cdf, self.length, strict=True):
            if row[0] != 0 or row[length - 1] != 2**16 or (np.diff(row[:length]) <= 0).any():
                raise CcaError(f"{where}: a CDF that doesn't rise from 0 to 65536")


def encode(symbols: np.ndarray, rows: np.ndarray, tables: Tables) -> bytes:
    """Bytes of integer symbols (any shape), each coded with the CDF of its row of the tables (same shape).

    Raises:
        CcaError: a symbol beyond ±SYMBOL_LIMIT, which is what NaN becomes; the coder would never return.
    """
    flat = symbols.reshape(-1)
    if not flat.any():
        return b""
    if np.abs(flat.astype(np.int64)).max() > SYMBOL_LIMIT:
        raise CcaError("symbols out of range: the image or the weights hold numbers that are not finite")
    if flat.size < FEW:
        return b"".join(varint.put(varint.zigzag(int(s))) for s in flat)
    return ans.RansEncoder().encode_with_indexes(flat.tolist(), rows.reshape(-1).tolist(), *tables.lists)


def decode(data: bytes, rows: np.ndarray, tables: Tables) -> np.ndarray:
    """The inverse of `encode`: int32 symbols in the shape of `rows`.

    Raises:
        CcaError: no encoder writes such a stream.
    """
    if len(data) > (longest := LONGEST * rows.size + STATE):
        raise CcaError(f"{len(data)} bytes for {rows.size} symbols, which take at most {longest}")
    if not data.strip(b"\0"):
        return np.zeros(rows.shape, dtype=np.int32)
    if rows.size < FEW:
        return np.array(_short(data, rows.size), dtype=np.int32).reshape(rows.shape)
    if len(data) % 4 or len(data) < 8:
        raise CcaError(f"a range coder stream of {len(data)} bytes")
    padded = data + bytes(padding(len(data), rows.size))
    symbols = ans.RansDecoder().decode_with_indexes(padded, rows.reshape(-1).tolist(), *tables.lists)
    result = np.array(symbols, dtype=np.int64)
    if np.abs(result).max() > SYMBOL_LIMIT:
        raise CcaError("symbols out of range")
    return result.astype(np.int32).reshape(rows.shape)


def padding(length: int, count: int) -> int:
    """Zero bytes that a stream of `length` bytes wants behind it for `count` symbols: the bound above, and to spare."""
    return 16 * length + 12 * count + 256


def _short(data: bytes, count: int) -> list[int]:
    """Symbols of a short segment."""
    values, position = [], 0
    while position < len(data) and len(values) <= count:
        value, position = varint.take(data, position)
        values.append(varint.unzigzag(value))
    if len(values) != count or max(map(abs, values)) > SYMBOL_LIMIT:
        raise CcaError(f"a short segment without its {count} symbols")
    return values
