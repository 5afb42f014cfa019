"""Rulers from their first values to a file: how they start, how good they are, how lessons load them."""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ccalib import weights
from ccalib.errors import CcaError
from ccalib.images import to_tensor
from ccalib.model.codec import Codec
from ccalib.model.entropy import SCALE_MIN
from ccalib.model.presets import Preset
from ccalib.model.ruler import MODELS, Rulers, freeze
from ccalib.training.data import Crops, Photos
from ccalib.training.start import SMALL_START, seeded
from ccalib.training.validate import middle

FORMAT = "ccalib-rulers-1"
CALIBRATION = 16  # batches that means and deviations are taken from


@torch.no_grad()
def calibrate(codec: Codec, crops: Crops) -> tuple[Tensor, Tensor, Tensor]:
    """Per channel of y / gain, each 1×M×1×1: mean, standard deviation, and the deviation that context starts from.

    The last differs from the second where the codec has a linear path to the first group: it is what that leaves.
    """
    values, left = [], []
    linear, first = codec.path.h_s.linear, codec.preset.sizes[0]
    for step in range(CALIBRATION):
        latent = freeze(codec, *crops.at(step), exact=False)
        values.append(latent.y / latent.gain)
        if linear is not None:
            left.append((latent.y[:, :first] - linear(latent.z_hat)) / latent.gain[:, :first])
    y = torch.cat(values)
    mean, deviation = y.mean(dim=(0, 2, 3), keepdim=True), y.std(dim=(0, 2, 3), keepdim=True)
    around = deviation.clone()
    if left:
        around[:, :first] = torch.cat(left).std(dim=(0, 2, 3), keepdim=True)
    return mean, deviation, around


@torch.no_grad()
def start(rulers: Rulers, codec: Codec, center: Tensor, deviation: Tensor, around: Tensor, seed: int) -> None:
    """Initial values; `center` … `around` as `calibrate` gives.

    Each model's layers are drawn from a seed of its own, so that the first group, which two models read alike, shows
    how far apart luck leaves two fits.
    """
    rulers.center.copy_(center)
    first = rulers.preset.sizes[0]
    for name, model in rulers.models.items():
        seeded(model, len(MODELS) * seed + MODELS.index(name))
        if name == "factorized":
            model.deviation.copy_(deviation)
            continue
        spread = (deviation if model.centered else around).clamp(min=SCALE_MIN).log()
        means = center.clone()
        if codec.path.h_s.linear is not None:  # means of the first group: the frozen codec's own linear path
            means[:, :first] = 0  # it has them
            for h_s in model.h_s:
                h_s.linear.load_state_dict(codec.path.h_s.linear.state_dict())
                h_s.mean[-1].weight.mul_(SMALL_START)
                h_s.mean[-1].bias.zero_()
        biases = zip(*(t.flatten().split(rulers.preset.sizes) for t in (means, spread)), strict=True)
        for context, bias in zip(model.groups.contexts, biases, strict=True):
            context.head[-1].weight.mul_(SMALL_START)
            context.head[-1].bias.copy_(torch.cat(bias))


@torch.inference_mode()
def first_group_error(codec: Codec, rulers: Rulers, photos: Photos, progress: bool = False) -> dict:
    """The gain of the first group as a share of its bits, on the photographs' middles: what the ruler reads at zero.

    Returns:
        `by_quality`, shares at the integer qualities; `worst`, the largest without its sign. 0 where `main` and
        `auxiliary` aren't both there.
    """
    qualities = [float(q) for q in range(codec.preset.qualities + 1)]
    if not {"main", "auxiliary"} <= set(rulers.names):
        return {"by_quality": [0.0] * len(qualities), "worst": 0.0}
    size, shares = codec.preset.sizes[0], []
    for quality in tqdm(qualities, desc="first group", leave=False, disable=None if progress else True):
        totals = torch.zeros(2, dtype=torch.float64)
        for i in range(len(photos)):
            x = to_tensor(middle(photos[i]))
            predictions = rulers(freeze(codec, x, torch.tensor([quality]), exact=False))
            totals += torch.stack([predictions[name].bits[:, :size].sum() for name in ("main", "auxiliary")])
        shares.append(((totals[1] - totals[0]) / totals[0]).item())
    return {"by_quality": shares, "worst": max(map(abs, shares))}


def save(rulers: Rulers, path: Path, fingerprint: str) -> None:
    """Write in half precision; the rulers become what is stored.

    Args:
        fingerprint: of the frozen codec.
    Raises:
        CcaError: the file can't be written.
    """
    stored = {}
    with torch.no_grad():
        for name, t in rulers.state_dict().items():
            if name.startswith("gaussian."):
                continue
            stored[name] = t.to(torch.float16 if t.numel() >= weights.HALF_FROM else t.dtype).contiguous().cpu()
            t.copy_(stored[name])
    metadata = {"format": FORMAT, "codec": fingerprint, "preset": rulers.preset.to_json(),
                "models": json.dumps(rulers.names), "card": json.dumps(rulers.card)}  # fmt: skip
    weights.write_tensors(path, stored, metadata)


def load_rulers(model: str | Path | Codec = "small") -> Rulers:
    """The rulers of a codec, given as `ccalib.load` takes it: a name, a fingerprint, a path or a codec.

    `load_rulers("small").measure(codec, x, quality)` gives bits per latent with (`main`) and without (`auxiliary`)
    the previous group.

    Raises:
        CcaError: none were fitted to these weights (it names the command), or the file is damaged.
    """
    fingerprint, found = weights.load(model).fingerprint, None
    for folder in weights.folders():
        for file in sorted((folder / "rulers").glob("*.safetensors")):
            with contextlib.suppress(CcaError):  # a damaged one that may be another model's
                found = weights.metadata(file).get("codec")
            if found == fingerprint:
                return read(file, file.stat().st_mtime_ns)
    name = model if isinstance(model, (str, Path)) else fingerprint
    raise CcaError(f"rulers: none were fitted to {name} ({fingerprint}); fit them: ccalib rulers PHOTOS --model {name}")


@functools.lru_cache(maxsize=4)
def read(path: Path, modified: int = 0) -> Rulers:
    """Rulers from a file. Raises CcaError."""
    meta = weights.metadata(path)
    if meta.get("format") != FORMAT:
        raise CcaError(f"{path}: not rulers of format {FORMAT}")
    rulers = Rulers(Preset.from_json(meta["preset"]), tuple(json.loads(meta["models"])))
    tensors = {name: t.float() for name, t in load_file(path).items()}
    wanted = {name: t.shape for name, t in rulers.state_dict().items() if not name.startswith("gaussian.")}
    if {name: t.shape for name, t in tensors.items()} != wanted:
        raise CcaError(f"{path}: its tensors are not those of its models")
    rulers.load_state_dict(tensors, strict=False)
    rulers.card = json.loads(meta["card"])
    return rulers.requires_grad_(False).eval()
