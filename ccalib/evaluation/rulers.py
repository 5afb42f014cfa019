"""Bits per group by every ruler on sets of images: `data/results/rulers_NAME.json`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ccalib import images
from ccalib.errors import CcaError
from ccalib.evaluation.kodak import is_kodak, pixel_hash
from ccalib.files.coding import write
from ccalib.files.lock import writing
from ccalib.model.codec import STRIDE, Codec
from ccalib.model.ruler import Latent, Rulers, Score
from ccalib.training.export import hardware

SCORES = {
    "codec": "the frozen codec itself, by the range coder's integer tables: what a file holds; `paper`: as codec_plain",
    "codec_plain": "the frozen codec itself, scored as the rulers are",
    "main": "ruler: z and all earlier groups",
    "auxiliary": "ruler: z and earlier groups without the previous one",
    "main_coded": "main, by the codec's integer tables",
    "auxiliary_coded": "auxiliary, by the codec's integer tables",
    "hyperprior": "ruler: z alone (mean and scale)",
    "scale": "ruler: z alone, scales only; the mean is a constant per channel",
    "factorized": "ruler: a density per channel of y / gain",
    "masked": "the wrong ruler: the codec's own model, its previous group set to zero, scored as the rulers are",
    "training": "the auxiliary model that the codec was trained with, scored as the rulers are",
}
SCORING = (
    "each model rounds y around its own mean; bits are -log2 of its probability of that interval, at least 1e-9; "
    "plain float32 arithmetic, not the coder's (names with _coded: its integer tables)"
)


@torch.inference_mode()
def per_latent(codec: Codec, rulers: Rulers, x: Tensor, quality: Tensor | None) -> tuple[Latent, dict[str, Tensor]]:
    """The frozen latent, and bits of each latent (B×M×h×w) by every name of `SCORES` that there is.

    Args:
        x: B×3×H×W in [0, 1], H and W multiples of 64.
    """
    latent, predictions = rulers.measure(codec, x, quality)
    result = {"codec": latent.coded} | {name: p.bits for name, p in predictions.items()}
    for name in {"main", "auxiliary"} & predictions.keys() if codec.gaussian.cdf_length.numel() else ():
        p = predictions[name]
        scale = p.log_scale if codec.gaussian.log_scale else p.log_scale.exp()  # as its tables are asked
        likelihood = codec.gaussian.coded_likelihood(torch.round(latent.y - p.mean), scale)
        result[f"{name}_coded"] = -torch.log2(likelihood).float()
    hyper, contexts = codec.path.h_s(latent.z_hat), codec.path.groups.contexts
    for name, change in (("codec_plain", lambda seen: seen), ("masked", lambda s: [*s[:-1], s[-1] * 0] if s else s)):
        score = Score(codec.gaussian, latent, codec.preset.sizes)
        for i, (context, y) in enumerate(zip(contexts, latent.y.split(codec.preset.sizes, dim=1), strict=True)):
            score(i, y, *context(hyper, change(latent.decoded[:i]))[:2])
        result[name] = score.prediction().bits
    if codec.auxiliary is not None:
        score = Score(codec.gaussian, latent, codec.preset.sizes)
        codec.auxiliary(hyper, score, latent.y, latent.decoded)
        result["training"] = score.prediction().bits
    return latent, {name: result[name] for name in SCORES if name in result}


def measure_set(codec: Codec, rulers: Rulers, pictures: dict[str, Image.Image], qualities: list[float] | None = None,
                progress: bool = False) -> dict:  # fmt: skip
    """Bits per original pixel of each group by each model, per image and as means over the images.

    Returns:
        {quality: {"mean": {model: [bpp per group]}, "images": {name: {model: [bpp per group]}}}}; `z` is a model with
        one number.
    """
    qualities = qualities or [float(q) for q in range(codec.preset.qualities + 1)]
    result: dict = {}
    bar = tqdm(total=len(qualities) * len(pictures), unit="image", disable=None if progress else True, leave=False)
    for quality in qualities:
        rows: dict = {}
        for name, picture in pictures.items():
            x, pixels = images.pad(images.to_tensor(picture), STRIDE), picture.width * picture.height
            latent, scores = per_latent(codec, rulers, x, torch.tensor([quality]))
            rows[name] = {"z": [round(latent.z_coded.sum().item() / pixels, 6)]}
            for model, bits in scores.items():
                groups = [g.sum().item() / pixels for g in bits.split(codec.preset.sizes, dim=1)]
                rows[name][model] = [round(g, 6) for g in groups]
            bar.update()
        models = next(iter(rows.values()))
        mean = {m: np.mean([row[m] for row in rows.values()], axis=0).round(6).tolist() for m in models}
        result[f"{quality:g}"] = {"mean": mean, "images": rows}
    bar.close()
    return result


def totals(measured: dict) -> dict[str, float]:
    """Mean bits per pixel of y over the images and qualities of `measure_set`, by model."""
    means = [entry["mean"] for entry in measured.values()]
    return {model: float(np.mean([sum(m[model]) for m in means])) for model in means[0]}


def results(
    output: Path, name: str, codec: Codec, rulers: Rulers, folders: list[Path], progress: bool = True,
    again: bool = False,
) -> dict:  # fmt: skip
    """Measure the folders that `output` hasn't got yet, and write it after each.

    Args:
        again: replace what `output` has of other weights or rulers, or of other images under a folder's name.
    Raises:
        CcaError: no images in a folder; `output` holds something else, or (without `again`) such results, or another
            process writes it.
    """
    with writing(output):
        return _results(output, name, codec, rulers, folders, progress, again)


def _results(
    output: Path, name: str, codec: Codec, rulers: Rulers, folders: list[Path], progress: bool, again: bool
) -> dict:
    head = {
        "codec": {"name": name, "fingerprint": codec.fingerprint}, "scores": SCORES, "scoring": SCORING,
        "sizes": codec.preset.sizes, "ruler": json.loads(rulers.preset.to_json()), "card": rulers.card,
        "parameters": {n: sum(p.numel() for p in m.parameters()) for n, m in rulers.models.items()},
        "hardware": hardware(), "torch": torch.__version__,
    }  # fmt: skip
    head = json.loads(json.dumps(head))
    try:
        earlier = json.loads(output.read_text()) if output.exists() else head | {"sets": {}}
        if not (isinstance(earlier, dict) and {"sets", "codec", "card", "ruler"} <= earlier.keys()):
            raise ValueError
    except (OSError, ValueError) as error:
        raise CcaError(f"{output}: not results of `ccalib rulers`; name another output") from error
    same = all(earlier.get(key) == head[key] for key in ("codec", "card", "ruler"))
    if earlier["sets"] and not same and not again:
        raise CcaError(f"{output}: results of other weights or rulers; name another output, or replace them: --again")
    result = head | {"sets": earlier["sets"] if same else {}}
    for folder in folders:
        pictures = {file.name: images.load(file) for file in images.find([folder])}
        hashes = {n: pixel_hash(p) for n, p in pictures.items()}
        title = "Kodak" if is_kodak(hashes) else folder.resolve().name
        known = result["sets"].get(title, {}).get("images")
        if known not in (None, hashes) and not again:
            raise CcaError(f"{output}: has a set {title} of other images; rename {folder}, or replace it: --again")
        if known != hashes:
            measured = measure_set(codec, rulers, pictures, progress=progress)
            result["sets"][title] = {"images": hashes, "totals": totals(measured), "qualities": measured}
            output.parent.mkdir(parents=True, exist_ok=True)
            write(output, (json.dumps(result, separators=(",", ":")) + "\n").encode())
    return result


def report(result: dict) -> str:
    """The totals as text: per set, each model's bits per pixel beside the codec's own, and what groups bought; and the
    first group's error."""
    lines = [f"rulers of {result['codec']['name']} ({result['codec']['fingerprint']}), {result['card']['steps']} steps"]
    error, limit = result["card"]["first_group_errors"][-1]["worst"], result["card"]["fit"]["tolerance"]
    verdict = f"{'within' if result['card']['met'] else 'NOT within'} {100 * limit:g} %"
    lines.append(f"  first group's gain: {100 * error:.2f} % of its bits at the worst quality: {verdict}")
    for title, entry in result["sets"].items():
        own = entry["totals"]["codec_plain"]
        lines.append(f"{title}, {len(entry['images'])} images: bpp of y, mean over qualities; against codec_plain")
        lines += [f"  {m:<16}{v:.4f}  {100 * (v / own - 1):+.1f} %" for m, v in entry["totals"].items() if m != "z"]
        if {"main", "auxiliary"} <= entry["totals"].keys():
            gains = np.mean([bought(q["mean"]) for q in entry["qualities"].values()], axis=0)
            each = ", ".join(f"g{i} {100 * gain / own:+.1f}" for i, gain in enumerate(gains, 1))
            lines.append(f"  bought by the group before, % of that (g1: the rulers' error): {each}")
    return "\n".join(lines)


def bought(mean: dict[str, list[float]]) -> list[float]:
    """Bits per pixel that the previous group bought, `auxiliary` − `main` per group; the first is the ruler's error."""
    if not {"main", "auxiliary"} <= mean.keys():
        raise CcaError("rulers: main and auxiliary are both needed for a gain")
    return [without - with_ for with_, without in zip(mean["main"], mean["auxiliary"], strict=True)]
