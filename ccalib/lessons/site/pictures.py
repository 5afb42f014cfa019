"""Pictures as files beside the pages: a browser shows them from file://, and all pages share them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ccalib.evaluation.metrics import psnr

# Quality of WebP, and the PSNR (dB) below which a picture is rather kept without loss, as one of noise is. A page takes
# the first pair with which it keeps below its limit.
QUALITIES = ((95, 38.0), (95, 0.0), (90, 0.0), (82, 0.0), (70, 0.0))


@dataclass
class Pictures:
    """Writes pictures into a folder and gives their addresses.

    A notebook holds its pictures without loss, a few hundred kilobytes each. A page can't hold many of those, so they
    are stored again as WebP at `quality`, unless that is the larger file or worse than `least`.

    Attributes:
        folder: where they go; prefix: address of that folder as seen from the page.
        quality: of WebP; least: the lowest PSNR (dB) that a picture may have.
        worst: the lowest PSNR (dB) of what was stored again, against what the notebook shows.
        written: every file that the page uses.
    """

    folder: Path
    prefix: str
    quality: int = QUALITIES[0][0]
    least: float = 0.0
    worst: float = np.inf
    written: set[Path] = field(default_factory=set)

    def keep(self, data: bytes, suffix: str) -> str:
        """Store bytes as they are; their address."""
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:12]}.{suffix}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.written.add(path)
        return self.prefix + path.name

    def address(self, data: bytes) -> str | None:
        """The address of a trait's bytes, if they are a picture; else None."""
        kind = kind_of(data)
        if kind not in ("png", "webp-lossless"):
            return None if kind is None else self.keep(data, kind)
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:12]}-{self.quality}.webp"
        with Image.open(io.BytesIO(data)) as opened:
            image = opened.convert("RGB")
        if not path.exists():
            stored = io.BytesIO()
            image.save(stored, format="WEBP", quality=self.quality, method=4)
            if len(stored.getvalue()) >= len(data):
                return self.keep(data, kind.partition("-")[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored.getvalue())
        with Image.open(path) as again:
            kept = psnr(image, again.convert("RGB"))
        if kept < self.least:
            return self.keep(data, kind.partition("-")[0])
        self.worst = min(self.worst, kept)
        self.written.add(path)
        return self.prefix + path.name


def kind_of(data: bytes) -> str | None:
    """ "png", "jpg", "webp" or "webp-lossless", from the first bytes; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:3] == b"\xff\xd8\xff":
        return "jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp-lossless" if data[12:16] == b"VP8L" else "webp"
    return None
