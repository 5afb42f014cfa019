"""Rate–distortion of our codec and others on a set of images, by the bytes of real files.

What is measured is stored as it comes, so that a stopped evaluation goes on from there.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.evaluation import codecs, memory
from ccalib.evaluation.kodak import is_kodak, pixel_hash
from ccalib.evaluation.metrics import ms_ssim, psnr
from ccalib.evaluation.summary import DERIVED, OURS, is_refined, summarize
from ccalib.files.coding import decode, encode, write
from ccalib.files.lock import writing
from ccalib.model.codec import STRIDE, Codec
from ccalib.model.gains import stored_quality
from ccalib.model.presets import STEPS
from ccalib.model.refine import record, steps_of
from ccalib.training.export import hardware
from ccalib.training.losses import bits

SAVE_SECONDS = 5.0


@torch.inference_mode()
def estimate(codec: Codec, image: Image.Image, quality: float) -> float:
    """Bits per original pixel that the entropy models predict for the payload."""
    x = images.pad(images.to_tensor(image), STRIDE)
    quality = stored_quality(codec.preset, quality) / STEPS  # that of the file
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
    progress: bool = True, again: bool = False, peak_memory: bool = True, efforts: Sequence[int] = (),
) -> dict:  # fmt: skip
    """Measure every codec on every image of a folder, and write `output`.

    Args:
        model: our weights, or None to leave them out.
        names: live codecs; one that can't be written here is left out, and `left_out` and standard error say why.
        qualities: of our codec; each integer by default.
        again: measure anew what `output` holds of a codec under other settings, versions or weights.
        peak_memory: measure it too, once per codec, on the largest image at the middle quality.
        efforts: our codec once more with so many steps of refinement, each a curve of its own.
    Raises:
        CcaError: no images; an unknown codec; `output` holds another set, or (without `again`) other settings, or
            another process writes it.
    """
    with writing(output):
        return _evaluate(folder, output, model, names, qualities, progress, again, peak_memory, efforts)


def _evaluate(
    folder: Path, output: Path, model: str | Path | None, names: list[str], qualities: list[float] | None,
    progress: bool, again: bool, peak_memory: bool, efforts: Sequence[int],
) -> dict:  # fmt: skip
    files = images.find([folder])
    pictures = {f.name: codecs.bare(images.load(f)) for f in files}
    hashes = {name: pixel_hash(p) for name, p in pictures.items()}
    names, left_out = _split(names)
    path = weights.find(model) if model is not None else None
    codec = weights.load(path) if path else None
    head = {
        "set": "Kodak" if is_kodak(hashes) else folder.resolve().name, "images": hashes, "hardware": hardware(),
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version(),
        "torch": torch.__version__,
    }  # fmt: skip
    settings = {name: codecs.record(name) for name in names}
    plan = {name: list(codecs.LIVE[name].qualities) for name in names}
    own: dict[str, int] = {}  # curves of our codec, and their effort
    if codec is not None:
        own[OURS] = 0
        versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        settings[OURS] = {"weights": codec.preset.name, "fingerprint": codec.fingerprint, "versions": versions}
        points = qualities or [float(q) for q in range(codec.preset.qualities + 1)]
        own |= {f"{OURS} {codec.preset.name}, effort {effort}": effort for effort in map(steps_of, efforts) if effort}
        settings |= {name: settings[OURS] | record(effort) for name, effort in own.items() if effort}
        plan = dict.fromkeys(own, points) | plan
        _warm_up(codec, next(iter(pictures.values())), points[0])  # tables and kernels, before any timing
    result = _earlier(output, head, settings, again) | {"left_out": left_out}
    for name in result["files"].keys() & set(names):  # points that a codec has no more
        for quality in result["files"][name].keys() - {f"{q:g}" for q in plan[name]}:
            del result["files"][name][quality]
    try:
        _measure_all(result, plan, own, pictures, codec, output, progress)
        if peak_memory:
            largest = max(pictures.values(), key=lambda p: p.width * p.height)
            for name, points in plan.items():
                if name not in result["memory"]:
                    middle = sorted(points)[len(points) // 2]
                    ours = (OURS, middle, largest, path, own.get(name))
                    result["memory"][name] = memory.measure(*(ours if name in own else (name, middle, largest)))
    finally:  # Ctrl-C too: the file in hand is lost and no other
        try:
            summarize(result)
        finally:
            save(output, result)
    return result


def save(output: Path, result: dict) -> None:
    """Write results as JSON."""
    write(output, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())


def _split(names: list[str]) -> tuple[list[str], dict[str, str]]:
    """Live codecs that run here, and the reasons of those that don't."""
    for name in names:
        if name not in codecs.LIVE:
            raise CcaError(f"--codecs: {name}: there is no such codec; there are {', '.join(codecs.LIVE)}")
    missing = {name: why for name, why in codecs.missing().items() if name in names}
    for name, why in missing.items():
        print(f"{name} is left out: {why}", file=sys.stderr)
    return [name for name in names if name not in missing], missing


def _warm_up(codec: Codec, picture: Image.Image, quality: float) -> None:
    corner = picture.crop((0, 0, min(picture.width, STRIDE), min(picture.height, STRIDE)))
    decode(encode(corner, quality, codec), model=codec)


def _measure_all(
    result: dict, plan: dict, own: dict, pictures: dict, codec: Codec | None, output: Path, progress: bool
) -> None:
    total = len(pictures) * sum(map(len, plan.values()))
    saved = time.monotonic()
    with tqdm(total=total, desc=result["set"], unit="file", disable=None if progress else True) as bar:
        for name, qualities in plan.items():
            for quality in qualities:
                rows = result["files"].setdefault(name, {}).setdefault(f"{quality:g}", {})
                bar.set_postfix_str(f"{name} {quality:g}")
                for file, picture in pictures.items():
                    if file not in rows:
                        rows[file] = _row(name, quality, picture, codec, own.get(name, 0))
                        machines = result["hardware_of"].setdefault(name, result["hardware"])
                        if result["hardware"] not in machines.split("; then "):  # stopped there, continued here
                            result["hardware_of"][name] = f"{machines}; then {result['hardware']}"
                        if time.monotonic() - saved > SAVE_SECONDS:
                            save(output, result)
                            saved = time.monotonic()
                    bar.update()


def _row(name: str, quality: float, picture: Image.Image, codec: Codec | None, effort: int) -> dict:
    if name == OURS or effort:
        own = functools.partial(encode, picture, quality, codec, effort)
        row = measure(picture, own, lambda data: decode(data, model=codec))
        return row if effort else row | {"estimated_bpp": estimate(codec, picture, quality)}
    options = codecs.LIVE[name].options(picture, quality)  # JPEG's search for the better sampling is not timed
    return measure(picture, functools.partial(images.to_bytes, picture, **options), codecs.decode)


def _earlier(output: Path, head: dict, settings: dict, again: bool) -> dict:
    """What `output` holds already, or a fresh result. Raises CcaError where it would mix what doesn't compare."""
    fresh = head | {"settings": settings, "files": {}, "memory": {}, "hardware_of": {}}
    if not output.exists():
        return fresh
    try:
        result = json.loads(output.read_text())
        same, stored, _ = result["images"] == head["images"], result["settings"], result["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CcaError(f"{output}: not results of `ccalib evaluate`; name another output") from error
    if not same:
        raise CcaError(f"{output}: holds another set of images; name another output")
    other = [name for name, entry in stored.items() if entry != settings.get(name, entry)]
    if OURS in other:  # what other weights made with refinement is no curve beside these
        other = [name for name in stored if name in other or is_refined(name)]
    if other and not again:
        raise CcaError(
            f"{output}: holds {', '.join(other)} with other settings, versions or weights: measure anew with --again, "
            "or name another output"
        )
    load = max(result.get("load", 0), head["load"])  # other work on the machine slows what is timed
    result = {"hardware_of": dict.fromkeys(stored, result.get("hardware"))} | result  # results of old have one for all
    kept = {key: {n: entry for n, entry in result.get(key, {}).items() if n not in other}
            for key in ("files", "memory", "settings", "hardware_of")}  # fmt: skip
    if other:  # what was computed from them goes with them
        result = {key: value for key, value in result.items() if key not in DERIVED}
    return result | kept | {"load": load, "settings": kept["settings"] | settings, "hardware": head["hardware"]}
