"""The course's thread: one photograph and three latents of it, or the reader's own photograph in its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from ccalib import images
from ccalib.errors import CcaError

IMAGES = Path(__file__).resolve().parents[2] / "data" / "images"
CELL = 16  # pixels; a latent stands for a cell of 16×16
LONGEST = 768  # pixels; a larger photograph is shrunk, so that a lesson stays quick


def thread_photo() -> Path:
    """Path of the thread photograph.

    Raises:
        CcaError: the clone's data/images is not there.
    """
    return IMAGES / _thread()["file"]


def open_photo(path: str | Path, longest: int = LONGEST) -> Image.Image:
    """A photograph as upright 8-bit RGB, shrunk so that its longer side has at most `longest` pixels.

    Raises:
        CcaError: it cannot be read as an image.
    """
    photo = images.load(path)
    photo.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return photo


def latents_of(path: str | Path, photo: Image.Image) -> dict[str, tuple[int, int]]:
    """The three latents to follow, as (column, row) of their cells: sky, edge and texture.

    The thread photograph's are chosen by hand. In any other photograph the smoothest cell stands for the sky, the one
    with the largest spread of brightness for the edge, and the one in the middle of that order for the texture.

    Raises:
        CcaError: the photograph is smaller than three cells.
    """
    if Path(path).resolve() == thread_photo().resolve():
        return {name: (column, row) for name, (column, row) in _thread()["latents"].items()}
    columns, rows = photo.width // CELL, photo.height // CELL
    if columns * rows < 3:
        raise CcaError(f"{path}: {photo.width}×{photo.height} pixels are too few for three latents")
    gray = np.asarray(photo.convert("L"), dtype=np.float64)[: rows * CELL, : columns * CELL]
    spread = gray.reshape(rows, CELL, columns, CELL).std(axis=(1, 3)).ravel()
    order = np.argsort(spread, kind="stable")
    chosen = {"sky": order[0], "edge": order[-1], "texture": order[len(order) // 2]}
    return {name: (int(index % columns), int(index // columns)) for name, index in chosen.items()}


def output_folder(path: str | Path = "out") -> Path:
    """A folder for the files that a lesson writes, beside the notebook; git leaves it alone."""
    folder = Path(path)
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder


def _thread() -> dict:
    try:
        return json.loads((IMAGES / "thread.json").read_text())
    except FileNotFoundError as error:
        raise CcaError(f"{IMAGES / 'thread.json'}: not found; run the notebooks from a clone of the course") from error
