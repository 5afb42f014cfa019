"""Pictures on their way into a widget, a plot or a static page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ccalib.images import to_bytes

MIME = "image/webp"


@dataclass(frozen=True)
class Picture:
    """A picture with what a label says about it.

    Attributes:
        name: what it is called on screen.
        image: RGB, 8 bits a channel.
        size: bytes of the file it came from, or None.
        psnr: dB against the original, or None (for the original itself).
    """

    name: str
    image: Image.Image
    size: int | None = None
    psnr: float | None = None

    @property
    def label(self) -> str:
        """Name, size and PSNR in one line."""
        from ccalib.lessons.text import size_text

        parts = [self.name]
        if self.size is not None:
            parts.append(size_text(self.size))
        if self.psnr is not None:
            parts.append(f"{self.psnr:.1f} dB")
        return " · ".join(parts)


def pack(image: Image.Image) -> bytes:
    """An image for the browser, every pixel exact: lossless WebP, the quick kind (about 0.1 s for 768×512)."""
    return to_bytes(image.convert("RGB"), format="WEBP", lossless=True, method=1, quality=20)


def crop_cells(image: Image.Image, column: int, row: int, cells: int = 1, cell: int = 16) -> Image.Image:
    """The square of `cells`×`cells` latents around the one at (column, row); a latent covers cell×cell pixels."""
    margin = (cells - 1) * cell // 2
    left = int(np.clip(column * cell - margin, 0, max(image.width - cells * cell, 0)))
    top = int(np.clip(row * cell - margin, 0, max(image.height - cells * cell, 0)))
    return image.crop((left, top, left + cells * cell, top + cells * cell))
