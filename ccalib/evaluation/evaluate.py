"""Rate–distortion of our codec and others on a set of images, by the bytes of real files.

What is measured is stored after each quality of each codec, so that a stopped evaluation goes on from there.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.evaluation import codecs
from ccalib.evaluation.metrics import bd_rate, ms_ssim, psnr
from ccalib.files.coding import decode, encode, write
from ccalib.model.codec import STRIDE, Codec
from ccalib.training.export import hardware
from ccalib.training.losses import bits

OURS = "ccalib"


def pixel_hash(image: Image.Image) -> str:
    """SHA-256 of the RGB bytes."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def is_kodak(hashes: dict[str, str]) -> bool:
    """Whether pixels are those of Kodak's 24 images, whatever the files are called."""
    with open(Path(__file__).with_name("kodak.tsv")) as file:
        known = {row["sha256_rgb_pixels"] for row in csv.DictReader(file, delimiter="\t")}
    return set(hashes.values()) == known


@torch.inference_mode()
def estimate(codec: Codec, image: Image.Image, quality: float) -> float:
    """Bits per original pixel that the entropy models predict for the payload."""
    x = images.pad(images.to_tensor(image), STRIDE)
    likelihoods = codec(x, torch.tensor([quality]))["likelihoods"]
    return sum(bits(p).item() for p in likelihoods.values()) / (image.width * image.height)


def measure(image: Image.Image, write_: Callable[[], bytes], read: Callable[[bytes], Image.Image]) -> dict:
    """One file: bytes, bits per pixel, PSNR, MS-SSIM, seconds."""
    start = time.perf_counter()
    data = write_()
    middle = time.perf_counter()
    decoded = read(data)
    end = time.perf_counter()
    return {
        "bytes": len(data), "bpp": 8 * len(data) / (image.width * image.height), "psnr": psnr(image, decoded),
        "ms_ssim": ms_ssim(image, decoded), "encode_s": round(middle - start, 4), "decode_s": round(end - middle, 4),
    }  # fmt: skip


def evaluate(
    folder: Path, output: Path, model: str | Path | None, names: list[str], qualities: list[float] | None = None,
    progress: bool = True,
) -> dict:  # fmt: skip
    """Measure every codec on every image of a folder, and write `output`.

    Args:
        model: our weights, or None to leave them out.
        names: live codecs.
        qualities: of our codec; each integer by default.
    Raises:
        CcaError: no images; a codec that doesn't run here; `output` holds another set or other weights.
    """
    files = images.find([folder])
    pictures = {f.name: images.load(f) for f in files}
    hashes = {name: pixel_hash(p) for name, p in pictures.items()}
    for name in names:
        if name not in codecs.available():
            raise CcaError(f"--codecs: {name} can't be written here; {', '.join(codecs.available())} can")
    codec = weights.load(model) if model is not None else None
    title = "Kodak" if is_kodak(hashes) else folder.resolve().name
    head = {"set": title, "images": hashes, "hardware": hardware(), "torch": torch.__version__}
    settings = {name: codecs.LIVE[name].settings for name in names}
    plan = [(name, q, codecs.LIVE[name].encode, codecs.decode) for name in names for q in codecs.LIVE[name].qualities]
    if codec is not None:
        settings[OURS] = {"weights": codec.preset.name, "fingerprint": codec.fingerprint}
        points = qualities or [float(q) for q in range(codec.preset.qualities + 1)]
        plan = [(OURS, q, lambda i, q: encode(i, q, codec), lambda d: decode(d, model=codec)) for q in points] + plan
    result = _earlier(output, head, settings)
    bar = tqdm(total=len(plan) * len(pictures), desc=title, unit="file", disable=None if progress else True)
    for name, quality, write_, read in plan:
        rows = result["files"].setdefault(name, {}).setdefault(f"{quality:g}", {})
        for file, picture in pictures.items():
            if file not in rows:
                rows[file] = measure(picture, lambda p=picture, w=write_, q=quality: w(p, q), read)
                if name == OURS:
                    rows[file]["estimated_bpp"] = estimate(codec, picture, quality)
            bar.update()
        write(output, json.dumps(result, indent=1).encode())  # a stop loses one quality at most
    bar.close()
    summarize(result)
    write(output, json.dumps(result, indent=1).encode())
    return result


def _earlier(output: Path, head: dict, settings: dict) -> dict:
    fresh = head | {"settings": settings, "files": {}}
    if not output.exists():
        return fresh
    try:
        result = json.loads(output.read_text())
        same = result["images"] == head["images"]
        stored, wanted = result["settings"].get(OURS), settings.get(OURS)
    except (ValueError, KeyError) as error:
        raise CcaError(f"{output}: not results of `ccalib evaluate`; name another output") from error
    if not same or (stored and wanted and stored != wanted):
        raise CcaError(f"{output}: holds {'other weights' if same else 'another set of images'}; name another output")
    result["settings"] |= settings
    return result


def summarize(result: dict) -> None:
    """Add mean curves, and BD-rates of our codec against each other one, from the files' figures.

    `mean_curves` is the BD-rate between curves of mean rate and mean PSNR; `per_image` the mean of each image's own
    (over the images whose curves overlap), since a fixed rate or a fixed PSNR for every image tilts the first.
    """
    result["curves"] = {name: _curve(points) for name, points in result["files"].items()}
    result["bd_rate_psnr"] = {}
    ours = result["files"].get(OURS)
    for name, points in result["files"].items():
        if name == OURS or ours is None:
            continue
        pairs = [[(p["bpp"], p["psnr"]) for p in result["curves"][c]] for c in (name, OURS)]
        singles = []
        for image in result["images"]:
            try:
                curves = [[(r[image]["bpp"], r[image]["psnr"]) for r in c.values()] for c in (points, ours)]
                singles.append(bd_rate(*curves)["percent"])
            except CcaError:
                continue
        try:
            entry = {"mean_curves": bd_rate(*pairs)}
        except CcaError as error:
            entry = {"mean_curves": None, "why": str(error)}
        entry["per_image"] = {"percent": float(np.mean(singles)) if singles else None, "images": len(singles)}
        result["bd_rate_psnr"][name] = entry


def _curve(points: dict) -> list[dict]:
    """Means over the images, per quality; a key that an image lacks (MS-SSIM of small ones) is left out."""
    curve = []
    for quality, rows in sorted(points.items(), key=lambda item: float(item[0])):
        entry = {"quality": float(quality)}
        for key in next(iter(rows.values())):
            values = [r[key] for r in rows.values()]
            if all(v is not None and math.isfinite(v) for v in values):
                entry[key] = float(np.mean(values))
        curve.append(entry)
    return curve
