"""The three losses (lesson 05), per pixel, in bits and in MSE on the 0…255 scale.

- plain:    R_y + R_z + λD
- released: λ₀D + β(R_y + R_z) + (R_y − R_aux) + Σ p_aux (−log₂ p_fact), divided by 1 + β, with β = λ₀/λ − 1, λ₀ = 0.05
- honest:   R_y + R_z + λD + α(R_y − R_aux), while the auxiliary model minimizes R_aux on its own

R_y − R_aux is minus the paper's information gain (its Eqs 6–9). The authors' β runs from 15 down to 0.3. For a λ above
their range β stays at 0.3 and λ₀ = 1.3 λ: with λ₀ = 0.05, β would turn negative there, and reward bits of z.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ccalib.model.auxiliary import Auxiliary
from ccalib.model.codec import Codec
from ccalib.model.coders import Noisy
from ccalib.model.gains import lambda_of

KINDS = ("plain", "honest", "released")
RELEASED_LAMBDA, SMALLEST_BETA = 0.05, 0.3


def bits(likelihood: Tensor, sizes: tuple[int, ...] | None = None) -> Tensor:
    """Bits per image: B×C×h×w likelihoods → B, or B×G with the channels split into groups."""
    per_channel = -torch.log2(likelihood).sum(dim=(2, 3))  # B×C
    if sizes is None:
        return per_channel.sum(dim=1)
    return torch.stack([group.sum(dim=1) for group in per_channel.split(sizes, dim=1)], dim=1)


def distortion(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean squared error per image on the 0…255 scale: B×3×H×W in [0, 1] → B."""
    return (x - x_hat).square().mean(dim=(1, 2, 3)) * 255**2


def plain(rate_y: Tensor, rate_z: Tensor, d: Tensor, lam: Tensor) -> Tensor:
    """R_y + R_z + λD."""
    return rate_y + rate_z + lam * d


def honest(rate_y: Tensor, rate_z: Tensor, d: Tensor, lam: Tensor, gap: Tensor, alpha: float) -> Tensor:
    """R_y + R_z + λD + α·gap, gap = R_y − R_aux summed from the second group."""
    return plain(rate_y, rate_z, d, lam) + alpha * gap


def released(rate_y: Tensor, rate_z: Tensor, d: Tensor, lam: Tensor, rate_aux: Tensor, cross: Tensor) -> Tensor:
    """What the authors' training code minimizes, over 1 + β; `cross` is Σ p_aux (−log₂ p_fact) per pixel."""
    weight = torch.clamp(torch.as_tensor((1 + SMALLEST_BETA) * lam), min=RELEASED_LAMBDA)  # λ₀
    beta = weight / lam - 1
    return (weight * d + beta * (rate_y + rate_z) + (rate_y - rate_aux) + cross) / (1 + beta)


class Objective(nn.Module):
    """Codec, auxiliary model and loss as one module, so that several processes average all gradients at once.

    The auxiliary model becomes a part of the codec (`codec.auxiliary`); one that is there already is kept.

    Args:
        kind: one of `KINDS`.
        weight_power: each image's loss is weighted by (λ/λ_ref)^−power; 0.5 keeps high rates from ruling the sum.
    """

    def __init__(self, codec: Codec, kind: str, weight_power: float = 0.5) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"loss: one of {KINDS}, not {kind}")
        self.codec, self.kind, self.weight_power = codec, kind, weight_power
        if kind != "plain" and codec.auxiliary is None:
            codec.auxiliary = Auxiliary(codec.preset, released=kind == "released")

    @property
    def auxiliary(self) -> Auxiliary | None:
        return None if self.kind == "plain" else self.codec.auxiliary

    def forward(
        self, x: Tensor, quality: Tensor | None = None, alpha: float = 0.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss of a batch, and its terms (means over the batch, detached).

        `quality` may be left out where there is one rate. In evaluation mode the terms are those of what is coded.

        The total is the codec's loss, plus the auxiliary model's own (honest), plus that of the quantiles of z. Their
        gradients fall on different parameters, so one backward pass serves all three.
        """
        preset = self.codec.preset
        out = self.codec(x, quality, auxiliary=self.kind == "released")
        pixels = x.shape[2] * x.shape[3]
        groups = bits(out["likelihoods"]["y"], preset.sizes) / pixels  # B×G
        rate_y, rate_z = groups.sum(dim=1), bits(out["likelihoods"]["z"]) / pixels
        d, lam = distortion(x, out["x_hat"]), lambda_of(preset, torch.zeros(len(x)) if quality is None else quality)
        terms = {"groups": groups, "rate_z": rate_z, "distortion": d, "plain": plain(rate_y, rate_z, d, lam)}
        loss, own = terms["plain"], 0.0
        if self.kind == "honest":
            frozen = {name: p.detach() for name, p in self.auxiliary.named_parameters()}
            gap = (groups - self._honest(out, frozen) / pixels)[:, 1:].sum(dim=1)
            loss = honest(rate_y, rate_z, d, lam, gap, alpha)
            own_rates = self._honest(_detached(out), None) / pixels
            own = own_rates.sum(dim=1).mean()
            terms |= {"gap": gap, "auxiliary": own_rates}
        elif self.kind == "released":
            likelihood, factorized = out["aux_likelihoods"]["y"], out["aux_likelihoods"]["factorized"]
            aux_groups = bits(likelihood, preset.sizes)
            cross = (likelihood * -torch.log2(factorized)).sum(dim=(1, 2, 3)) / pixels
            rate_aux = aux_groups.sum(dim=1) / pixels
            loss = released(rate_y, rate_z, d, lam, rate_aux, cross)
            terms |= {"gap": rate_y - rate_aux, "auxiliary": aux_groups / pixels, "cross": cross}
        weight = (lam / preset.reference_lambda) ** -self.weight_power
        total = (weight * loss).mean()
        terms |= {"loss": total}
        quantiles = self.codec.z_prior.loss()
        if self.auxiliary is not None and self.auxiliary.y_prior is not None:
            quantiles = quantiles + self.auxiliary.y_prior.loss()
        return total + own + quantiles, {name: t.detach().mean(dim=0) for name, t in terms.items()}

    def _honest(self, out: dict, parameters: dict | None) -> Tensor:
        """Bits per group (B×G) of the auxiliary model, with its own or the given parameters."""
        coder = Noisy(self.codec.gaussian, out["noisy"], self.codec.preset.sizes)
        hyper, decoded = (tuple(t.to(out["y"]) for t in out[name]) for name in ("hyper", "decoded"))
        arguments = (hyper, coder, out["y"], decoded)
        if parameters is None:
            likelihood = self.auxiliary(*arguments)
        else:
            likelihood = functional_call(self.auxiliary, parameters, arguments)
        return bits(likelihood, self.codec.preset.sizes)


def _detached(value):
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {k: _detached(v) for k, v in value.items()}
    return type(value)(map(_detached, value)) if isinstance(value, (tuple, list)) else value
