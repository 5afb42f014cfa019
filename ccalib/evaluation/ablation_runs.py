"""From one run of the ablation to its results: curve, real bytes, decode time, and what its rulers say."""

from __future__ import annotations

import copy
import dataclasses
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.evaluation.metrics import psnr
from ccalib.evaluation.rulers import bought, measure_set
from ccalib.files.coding import decode, encode
from ccalib.model.codec import Codec
from ccalib.model.ruler import Rulers, Score, freeze
from ccalib.training.arms import Bench, Run, train_run
from ccalib.training.data import Photos
from ccalib.training.export import hardware
from ccalib.training.fit import Fit, Fitter
from ccalib.training.settings import Settings
from ccalib.training.validate import middle, validate

REAL = 16  # validation photographs that files are written of, and that rulers are read on
TIMED_QUALITY = 3.0
TRACED = ("groups", "rate_z", "distortion", "auxiliary", "gap", "cross")
# each snapshot's rulers go on from those of the one before, and those of the finished weights from the last snapshot's;
# as many steps for every run: rulers of different lengths differ by more than the losses do
FIRST, NEXT, LAST = (
    Fit(models=("main", "auxiliary"), steps=steps, rounds=1, batch=8, crop=128) for steps in (800, 150, 1500)
)
TRACK_QUALITIES = [1.0, 3.0, 5.0]


@dataclasses.dataclass(frozen=True)
class Place:
    """Photographs and folders of an ablation.

    Attributes:
        samples: images that decoding is timed on.
        results: one JSON per run, and the plan; runs: checkpoints, logs, weights.
    """

    photos: Photos
    validation: Photos
    samples: list[Path]
    results: Path
    runs: Path
    progress: bool = True

    def result(self, run: Run, kind: str = "") -> Path:
        return self.results / f"{run.name}{kind}.json"

    @property
    def few(self) -> Photos:
        """`REAL` validation photographs, spread over the list."""
        chosen = np.unique(np.linspace(0, len(self.validation) - 1, REAL).astype(int))
        return Photos(self.validation.pixels, [self.validation.index[i] for i in chosen], [])

    @property
    def pictures(self) -> dict[str, Image.Image]:
        """Their middles, by name."""
        few = self.few
        return {entry["name"]: Image.fromarray(middle(few[i]).copy()) for i, entry in enumerate(few.index)}


def weights_of(place: Place, run: Run) -> Path:
    return place.runs / run.name / f"{run.name}.safetensors"


def run_once(run: Run, bench: Bench, alpha: float | None, place: Place) -> dict:
    """Train a run and measure what comes out."""
    trained, seconds = train_run(run, bench, alpha, place.photos, place.runs, place.progress)
    auxiliary = copy.deepcopy(trained)  # saving rounds it, and leaves the auxiliary model out
    settings = bench.train_settings(run, alpha)
    card = {"run": run.name, "settings": dataclasses.asdict(settings), "steps": bench.steps_of(run)}
    weights.save(trained, weights_of(place, run), card)
    codec = weights.load(weights_of(place, run))
    began = time.monotonic()
    log = [json.loads(line) for line in (place.runs / run.name / "log.jsonl").read_text().splitlines()]
    result = {
        "run": dataclasses.asdict(run), "name": run.name, "preset": json.loads(run.preset.to_json()),
        "settings": dataclasses.asdict(settings), "steps": bench.steps_of(run), "seconds": round(seconds, 1),
        "hardware": hardware(), "torch": torch.__version__, "fingerprint": codec.fingerprint,
        "weights_bytes": weights_of(place, run).stat().st_size,
        "parameters": sum(p.numel() for p in codec.parameters()), "sizes": codec.preset.sizes,
        **_curves(codec, place), "decode_seconds": _decode_seconds(codec, place.samples),
        "training_auxiliary": _training_auxiliary(auxiliary, place) if auxiliary.auxiliary is not None else None,
        "trace": [{k: e[k] for k in ("step", "seconds", *TRACED) if k in e} for e in log if e["kind"] == "train"],
    }  # fmt: skip
    return result | {"measured_seconds": round(time.monotonic() - began, 1)}


def _curves(codec: Codec, place: Place) -> dict:
    """Estimated on all validation middles; real files of `REAL` of them, decoded and compared in 8 bits."""
    estimated = validate(codec, place.validation, progress=place.progress)
    real, pictures = [], place.pictures
    for point in estimated["points"]:
        rows = []
        for picture in pictures.values():
            data = encode(picture, point["quality"], codec)
            rows.append((8 * len(data) / (picture.width * picture.height), psnr(picture, decode(data, model=codec))))
        bpp, db = np.mean(rows, axis=0).tolist()
        real.append({"quality": point["quality"], "bpp": bpp, "psnr": db})
    curve = [{k: p[k] for k in ("quality", "bpp", "psnr", "bpp_z", "bpp_groups")} for p in estimated["points"]]
    return {"curve": curve, "images": estimated["images"], "objective": estimated["objective"],
            "real": real, "real_images": len(pictures)}  # fmt: skip


def _decode_seconds(codec: Codec, files: list[Path]) -> dict:
    """Median over the samples, one file each, at `TIMED_QUALITY`."""
    seconds, pixels = [], []
    for file in files:
        picture = images.load(file)
        data = encode(picture, TIMED_QUALITY, codec)
        began = time.perf_counter()
        decode(data, model=codec)
        seconds.append(time.perf_counter() - began)
        pixels.append(picture.width * picture.height)
    medians = (round(statistics.median(values), 4) for values in (seconds, pixels))
    return dict(zip(("median", "median_pixels"), medians, strict=True)) | {"files": len(files)}


@torch.inference_mode()
def _training_auxiliary(codec: Codec, place: Place) -> list[dict]:
    """Bits per pixel of each group by the codec and by the auxiliary model it was trained with, per quality, both
    rounded around their own means and scored by their Gaussians."""
    codec, pictures, result = codec.eval(), place.pictures, []
    for quality in range(codec.preset.qualities + 1):
        rows = []
        for picture in pictures.values():
            latent = freeze(codec, images.to_tensor(picture), torch.tensor([float(quality)]), exact=False)
            own, other = (Score(codec.gaussian, latent, codec.preset.sizes) for _ in range(2))
            hyper = codec.path.h_s(latent.z_hat)
            codec.path.groups.walk(hyper, own, latent.y)
            codec.auxiliary(hyper, other, latent.y, latent.decoded)
            pixels = picture.width * picture.height
            rows.append([[g.sum().item() / pixels for g in s.prediction().bits.split(codec.preset.sizes, dim=1)]
                         for s in (own, other)])  # fmt: skip
        codec_bpp, auxiliary_bpp = np.mean(rows, axis=0).round(6).tolist()
        result.append({"quality": float(quality), "codec": codec_bpp, "auxiliary": auxiliary_bpp})
    return result


# ---- rulers ---------------------------------------------------------------------------------------------------------


def rule_run(run: Run, place: Place, fits: tuple[Fit, Fit, Fit] = (FIRST, NEXT, LAST)) -> tuple[dict, list[dict]]:
    """Fresh rulers along a run's snapshots and on its finished weights, each going on from those before.

    Returns:
        what the last ones say, at all qualities; and per snapshot what they say there at `TRACK_QUALITIES`, with the
        rate and distortion.

    Raises:
        Interrupted: after Ctrl-C; the same call goes on.
    """
    folder, rulers, track, steps = place.runs / run.name, None, [], 0
    for file in [*sorted((folder / "snapshots").glob("*.safetensors")), weights_of(place, run)]:
        codec, last = weights.load(file), file == weights_of(place, run)
        fit = fits[2 if last else rulers is not None]
        rulers = Fitter(codec, place.photos, place.few, fit, folder / "rulers" / file.stem, rulers,
                        progress=place.progress).run_all()  # fmt: skip
        steps += rulers.card["steps"]
        rulers.card["steps_in_all"] = steps
        if not last:
            points = validate(codec, place.few, TRACK_QUALITIES)["points"]
            at = {"step": int(file.stem), "points": points}
            track.append(at | _read_rulers(codec, rulers, place, TRACK_QUALITIES))
    return {"name": run.name, "fingerprint": codec.fingerprint} | _read_rulers(codec, rulers, place, None), track


def _read_rulers(codec: Codec, rulers: Rulers, place: Place, qualities: list[float] | None) -> dict:
    """Bits per group and gains per quality, as means over a few validation middles."""
    measured = measure_set(codec, rulers, place.pictures, qualities, place.progress)
    means = {quality: entry["mean"] for quality, entry in measured.items()}
    gains = {quality: bought(mean) for quality, mean in means.items()}
    return {"card": rulers.card, "images": len(place.pictures), "qualities": means, "bought": gains}


def stored(results: Path, run: Run, bench: Bench, alpha: float | None) -> dict | None:
    """A run's result if it is there. Raises CcaError: it is one of other settings, or can't be read."""
    path = results / f"{run.name}.json"
    if not path.exists():
        return None
    try:
        result = json.loads(path.read_text())
        settings, steps = Settings(**result["settings"]), result["steps"]
    except (ValueError, KeyError, TypeError) as error:
        raise CcaError(f"{path}: not the result of a run ({error})") from error
    if settings != bench.train_settings(run, alpha) or steps != bench.steps_of(run):
        raise CcaError(f"{path}: of other settings or steps than the plan's; remove it to run {run.name} again")
    return result
