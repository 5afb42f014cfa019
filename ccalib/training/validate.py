"""Rate and distortion of a codec on photographs, estimated: what choices are made on."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from tqdm import tqdm

from ccalib.images import to_tensor
from ccalib.model.codec import Codec
from ccalib.model.gains import lambda_of
from ccalib.training.data import Photos
from ccalib.training.losses import bits, distortion

CROP = (256, 384)  # height, width: the middle of each photograph


def middle(photo: np.ndarray, size: tuple[int, int] = CROP) -> np.ndarray:
    """The middle of an H×W×3 photograph, its sides multiples of 64 and at most `size`."""
    h, w = (min(side // 64 * 64, limit) for side, limit in zip(photo.shape[:2], size, strict=True))
    top, left = (photo.shape[0] - h) // 2, (photo.shape[1] - w) // 2
    return photo[top : top + h, left : left + w]


@torch.inference_mode()
def validate(codec: Codec, photos: Photos, qualities: list[float] | None = None, progress: bool = False) -> dict:
    """Means over the photographs' middles, per quality, from a copy in evaluation mode (the codec stays as it is).

    Returns:
        a list per quality of bpp, bpp per group, bpp of z, MSE (0…255), PSNR (dB), R + λD; and over all qualities
        `objective`, the mean of ln(R + λD), which weighs every rate alike.
    """
    preset = codec.preset
    codec = copy.deepcopy(codec).eval()
    codec.update(force=True, update_quantiles=True)
    device = next(codec.parameters()).device
    if qualities is None:
        qualities = [float(q) for q in range(preset.qualities + 1)]
    points = []
    for quality in tqdm(qualities, desc="validation", disable=None if progress else True, leave=False):
        rows = []
        for i in range(len(photos)):
            x = to_tensor(middle(photos[i])).to(device)
            out = codec(x, torch.tensor([quality], device=device))
            pixels = x.shape[2] * x.shape[3]
            groups = bits(out["likelihoods"]["y"], preset.sizes)[0] / pixels
            z = bits(out["likelihoods"]["z"])[0] / pixels
            d = max(distortion(x, out["x_hat"].clamp(0, 1)).item(), 1e-10)  # all white, and met exactly
            rows.append([groups.sum().item() + z.item(), d, 10 * math.log10(255**2 / d), z.item(), *groups.tolist()])
        bpp, mse, psnr, z, *groups = np.mean(rows, axis=0).tolist()
        lam = lambda_of(preset, quality)
        points.append({"quality": quality, "lambda": lam, "bpp": bpp, "bpp_z": z, "bpp_groups": groups, "mse": mse,
                       "psnr": psnr, "loss": bpp + lam * mse})  # fmt: skip
    return {"points": points, "objective": float(np.mean([math.log(p["loss"]) for p in points])), "images": len(photos)}
