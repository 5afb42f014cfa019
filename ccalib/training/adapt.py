"""A checkpoint goes on with another preset: another range of λ, the linear path into z put into a codec without it, or
more latent channels, or groups cut anew (`ccalib.training.widen`).

All keep what was learned. Gains are read off the old ones at the same λ, and beyond their range go on as high-rate
theory has it. The linear path starts on the trained latents as in a new codec it starts on the KLT's, and what the
nonlinear hyper synthesis gave to the contexts stays as it was on average.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ccalib.errors import CcaError
from ccalib.model.codec import Codec
from ccalib.model.entropy import SCALE_MIN
from ccalib.model.gains import lambda_of
from ccalib.model.hyper import BLOCK
from ccalib.model.presets import Preset
from ccalib.training.data import Crops, Photos
from ccalib.training.losses import Objective
from ccalib.training.start import SMALL_START, hush, seeded, start_linear
from ccalib.training.widen import widen

LATENT = ("latent", "last_kernel", "groups", "k")  # fields that `widen` knows to change
BATCHES, CROP, BATCH = 60, 256, 8  # what the linear path is computed from


def adapt(state: dict, preset: Preset, photos: Photos) -> dict:
    """A checkpoint's state for `preset`; the same object if nothing differs.

    Raises:
        CcaError: more differs than the range of λ, a linear path into z that is missing, and channels and groups.
    """
    old = Preset.from_json(state["preset"])
    if _like(old, preset, "lambdas", "hyper_klt", *LATENT, "name") != preset:
        raise CcaError(f"--preset {preset.name}: the checkpoint's preset {old.name} has other shapes")
    if old.hyper_klt and not preset.hyper_klt:
        raise CcaError(f"--preset {preset.name}: the checkpoint has a linear path into z, which stays")
    if preset.hyper_klt and not old.hyper_klt:
        state = _with_linear_path(state, _like(old, preset, "hyper_klt"), photos)
    if preset.lambdas != old.lambdas:
        state = _with_lambdas(state, old, _like(old, preset, "hyper_klt", "lambdas"))
    if _like(old, preset, *LATENT) != old:
        state = _anew(state, widen(_averaged(state), preset, photos))
    return state


def _like(old: Preset, new: Preset, *fields: str) -> Preset:
    """`old` with these fields of `new`."""
    return dataclasses.replace(old, **{name: getattr(new, name) for name in fields})


def _averaged(state: dict) -> Codec:
    """The averaged weights of a checkpoint."""
    average = {k.removeprefix("module."): v for k, v in state["average"].items() if k.startswith("module.")}
    codec = Codec(Preset.from_json(state["preset"]))
    codec.load_state_dict({k: v for k, v in average.items() if not k.startswith("auxiliary.")})
    return codec.eval()


def _anew(state: dict, codec: Codec) -> dict:
    """A checkpoint's state with this codec in it: optimizers and the auxiliary model start anew."""
    return state | {
        "preset": codec.preset.to_json(), "plan": None, "optimizers": {},
        "settings": state["settings"] | {"loss": "plain"},  # which has no auxiliary model
        "objective": Objective(codec, "plain").state_dict(), "average": AveragedModel(codec).state_dict(),
    }  # fmt: skip


def _with_lambdas(state: dict, old: Preset, new: Preset) -> dict:
    """Gains at the new preset's qualities, from the old ones as functions of ln λ."""
    at = [math.log(lambda_of(old, q)) for q in range(old.qualities + 1)]

    def moved(table: Tensor, sign: int) -> Tensor:
        rows = []
        for quality in range(new.qualities + 1):
            lam = math.log(lambda_of(new, quality))
            position = min(max((lam - at[0]) / ((at[1] - at[0]) or 1.0), 0.0), float(old.qualities))  # 0: one λ for all
            below = min(int(position), old.qualities - 1)
            beyond = lam - min(max(lam, at[0]), at[-1])
            rows.append(torch.lerp(table[below], table[below + 1], position - below) + sign * 0.5 * beyond)
        return torch.stack(rows)

    signs = {"log_gain": 1, "log_inverse": -1}
    parts = {
        part: {k: moved(v, signs[k.split(".")[-1]]) if k.split(".")[-1] in signs else v for k, v in state[part].items()}
        for part in ("objective", "average")
    }
    return state | parts | {"preset": new.to_json(), "plan": None}


@torch.no_grad()
def _with_linear_path(state: dict, preset: Preset, photos: Photos) -> dict:
    """The averaged weights with h_a, z's prior and the linear path anew; optimizers start anew, too."""
    before, codec = _averaged(state), Codec(preset)
    seeded(codec, 0)
    fresh = codec.path.h_s.mean[0].weight.clone()
    kept = {k: v for k, v in before.state_dict().items() if not k.startswith(("h_a.", "z_prior."))}
    codec.load_state_dict(kept, strict=False)

    first, crops = preset.sizes[0], Crops(photos, preset, CROP, BATCH, seed=0)
    latents, modes = [], []
    for step in range(BATCHES):
        y = before.analyze(*crops.at(step))
        modes.append(torch.round(before.hyper_analyze(y) - before._medians()) + before._medians())
        latents.append(y[:, :first])
    y1 = torch.cat(latents)
    blocks = y1.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)[:, :, 1:-1, 1:-1]  # B×first×2×2×4×4, off the borders
    mean = start_linear(codec, blocks.permute(0, 2, 3, 1, 4, 5).reshape(-1, first * BLOCK**2))

    hush(codec.h_a[-1])
    # what contexts read stays: the first layer of h_s gives at z = 0 what it gave at the z that was there before
    layer, usual = codec.path.h_s.mean[0], torch.cat(modes).transpose(0, 1).flatten(1).mode(dim=1).values
    given = layer(usual.view(1, -1, 1, 1).expand(1, -1, 8, 8))[:, :, 4:12, 4:12].mean(dim=(0, 2, 3))
    layer.bias.copy_(given)
    layer.weight.copy_(SMALL_START * fresh)
    constant = codec.path.h_s.mean(torch.zeros(1, preset.hyper, 8, 8))[:, :first, 8:24, 8:24].mean(dim=(0, 2, 3))
    linear, head = codec.path.h_s.linear, codec.path.groups.contexts[0].head[-1]
    linear.bias.zero_()
    left = y1 - linear(torch.round(codec.hyper_klt(y1)))
    linear.bias.copy_(mean - constant)  # the two are added up
    hush(head)
    head.bias[first:] = left.std(dim=(0, 2, 3)).clamp(min=SCALE_MIN).log()

    return _anew(state, codec)
