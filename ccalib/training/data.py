"""Photographs to train on: decoded once into a memory map, then cut into random crops.

What a step sees is a function of (seed, step, process) alone, so that resuming needs no sampler state.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ccalib import images
from ccalib.errors import CcaError
from ccalib.model.presets import Preset
from ccalib.model.transforms import PATCH

SHORT_SIDE = 768  # larger photographs are reduced to this: it removes their JPEG traces and bounds the cache
HELD_OUT = 16  # without a list, one photograph in 16 is kept for validation


class Photos:
    """Decoded photographs in one flat uint8 memory map."""

    def __init__(self, pixels: np.ndarray, index: list[dict], skipped: list[str]) -> None:
        self.pixels, self.index, self.skipped = pixels, index, skipped

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> np.ndarray:
        """Photograph i, H×W×3 uint8, a view."""
        entry = self.index[i]
        h, w = entry["height"], entry["width"]
        return self.pixels[entry["offset"] : entry["offset"] + h * w * 3].reshape(h, w, 3)

    @property
    def fingerprint(self) -> str:
        """Hash of names and sizes: a resumed run must see the same photographs."""
        return hashlib.sha256(json.dumps(self.index).encode()).hexdigest()[:16]


def load_photos(files: list[Path], cache: Path, smallest: int = 0, progress: bool = True) -> Photos:
    """Decode photographs into `cache`, or map what an earlier call decoded.

    Args:
        smallest: photographs with a side below this are left out (crops would not fit).
    Returns:
        the photographs; those that can't be read, or are too small, are named in `skipped`.
    Raises:
        CcaError: nothing readable is left, or the cache can't be written (a full disk).
    """
    stats = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    key = hashlib.sha256(json.dumps([SHORT_SIDE, smallest, stats]).encode()).hexdigest()[:16]
    data, listing = cache / f"{key}.u8", cache / f"{key}.json"
    if not listing.exists():
        temporary = cache / f"{key}.{os.getpid()}.tmp"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            index, skipped = _decode(files, temporary, smallest, progress)
            os.replace(temporary, data)
            temporary.write_text(json.dumps({"index": index, "skipped": skipped}))
            os.replace(temporary, listing)
        except OSError as error:
            raise CcaError(f"{cache}: the decoded photographs can't be kept there ({error}); make room, or name "
                           "another folder (--cache)") from error  # fmt: skip
        finally:
            if cache.is_dir():
                temporary.unlink(missing_ok=True)
    stored = json.loads(listing.read_text())
    if not stored["index"]:
        raise CcaError(f"no photograph can be used out of {len(files)}: {'; '.join(stored['skipped'][:3])}")
    return Photos(np.memmap(data, dtype=np.uint8, mode="r"), stored["index"], stored["skipped"])


def _decode(files: list[Path], target: Path, smallest: int, progress: bool) -> tuple[list[dict], list[str]]:
    """Pixels of all readable photographs, one after the other, into a file: (where each lies, what was skipped)."""
    index, skipped, offset = [], [], 0
    with open(target, "wb") as out:
        for file in tqdm(files, desc="decoding photographs", unit="", disable=None if progress else True):
            try:
                pixels = np.asarray(reduced(images.load(file)))
            except CcaError as error:
                skipped.append(str(error))
                continue
            if min(pixels.shape[:2]) < smallest:
                skipped.append(f"{file.name}: smaller than {smallest} pixels")
                continue
            out.write(pixels.tobytes())
            index.append({"name": file.name, "offset": offset, "height": pixels.shape[0], "width": pixels.shape[1]})
            offset += pixels.size
    return index, skipped


def reduced(image: Image.Image) -> Image.Image:
    """The photograph as training sees it: its short side at most `SHORT_SIDE` pixels."""
    factor = SHORT_SIDE / min(image.size)
    if factor >= 1:
        return image
    return image.resize((round(image.width * factor), round(image.height * factor)), images.LANCZOS)


def split(folder: Path, validation: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Files of a folder to train on and to validate on.

    Args:
        validation: list of names to hold out (`#` starts a comment); without one, one in 16, chosen by name.
    Raises:
        CcaError: no images, a list that can't be read, or a name in it that isn't in the folder.
    """
    files = images.find([folder])
    if validation is None:
        held = {f.name for f in files if _share(f.name) < 1 / HELD_OUT} if len(files) >= HELD_OUT else set()
    else:
        try:
            lines = Path(validation).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CcaError(f"{validation}: can't be read as a list of names ({error})") from error
        held = {n for line in lines if (n := line.split("#")[0].strip())}
        missing = held - {f.name for f in files}
        if missing:
            raise CcaError(f"{validation}: not in {folder}: {sorted(missing)[0]} and {len(missing) - 1} more")
    train = [f for f in files if f.name not in held]
    if not train:
        raise CcaError(f"{folder}: nothing is left to train on after {len(held)} validation photographs")
    return train, [f for f in files if f.name in held]


def _share(name: str) -> float:
    """A number in [0, 1) that depends on a name only."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


class Crops:
    """Random crops with qualities stratified over the whole batch.

    Args:
        batch: crops per process.
        processes: a batch of all processes together covers the range of qualities evenly.
    """

    def __init__(self, photos: Photos, preset: Preset, crop: int, batch: int, seed: int, processes: int = 1) -> None:
        self.photos, self.preset, self.crop, self.batch, self.seed = photos, preset, crop, batch, seed
        self.processes = processes

    def at(self, step: int, process: int = 0) -> tuple[Tensor, Tensor]:
        """x (B×3×c×c in [0, 1], channels-last) and qualities (B) of a step. Also seeds torch's noise for the step."""
        shared = np.random.default_rng((self.seed, step))
        total = self.batch * self.processes
        quality = self.preset.qualities * (shared.permutation(total) + shared.random(total)) / total
        mine = np.random.default_rng((self.seed, step, process + 1))
        torch.manual_seed(int(mine.integers(2**62)))
        crops = np.stack([self._crop(mine) for _ in range(self.batch)])
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255  # B×c×c×3 → B×3×c×c, channels-last in memory
        first = process * self.batch
        return x, torch.from_numpy(quality[first : first + self.batch].astype(np.float32))

    def _crop(self, rng: np.random.Generator) -> np.ndarray:
        photo = self.photos[rng.integers(len(self.photos))]
        top, left = (rng.integers(side - self.crop + 1) for side in photo.shape[:2])
        crop = photo[top : top + self.crop, left : left + self.crop]
        return crop[:, ::-1] if rng.random() < 0.5 else crop


def patches(photos: Photos, count: int, seed: int, side: int = PATCH) -> Tensor:
    """count×(3·side²) random square patches in [0, 1], flattened from 3×side×side: what a KLT is computed from."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        photo = photos[rng.randrange(len(photos))]
        top, left = (rng.randrange(length - side + 1) for length in photo.shape[:2])
        rows.append(photo[top : top + side, left : left + side].transpose(2, 0, 1).reshape(-1))
    return torch.from_numpy(np.stack(rows)).float() / 255
