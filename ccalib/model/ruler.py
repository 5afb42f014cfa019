"""Rulers: fresh entropy models fitted to a frozen codec's latent, so that differences of their rates mean something.

| model        | predicts group i from          | what it is for                                              |
|--------------|--------------------------------|-------------------------------------------------------------|
| `main`       | ẑ, ŷ_1 … ŷ_{i−1}               | rate with the previous group                                |
| `auxiliary`  | ẑ, ŷ_1 … ŷ_{i−2}               | rate without it: the difference is what it bought (lesson 05) |
| `hyperprior` | ẑ                              | value of all context; lesson 03's mean-and-scale model      |
| `scale`      | ẑ; the mean is a constant      | lesson 03: what predicting scales alone buys                |
| `factorized` | nothing                        | lesson 03: one density per channel                          |

All score the codec's own latent y and read the groups that it decoded; none has a ŷ or a residual prediction of its
own. When measuring, each rounds y around its own mean and takes the Gaussian's (or the density's) probability of that
interval, at least 1e-9: not the range coder's integer tables, which `codec` in the results has beside it.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from ccalib.errors import CcaError
from ccalib.model.borrowed import EntropyBottleneck
from ccalib.model.codec import Codec
from ccalib.model.coders import Estimate
from ccalib.model.entropy import GroupModel, LatentGaussian
from ccalib.model.groups import support
from ccalib.model.hyper import HyperSynthesis
from ccalib.model.presets import Preset

MODELS = ("main", "auxiliary", "hyperprior", "scale", "factorized")
LEAN = {"hyper_widths": (32, 24), "hyper_out": 48, "context_width": 48, "context_blocks": 2, "head_widths": (48,)}


@dataclasses.dataclass
class Latent:
    """What a frozen codec hands to the rulers. B×M×h×w unless said otherwise.

    Attributes:
        y: the latent in the gained domain; gain: what it was multiplied by, B×M×1×1 (ones without variable rate).
        z_hat: B×N×h/4×w/4.
        decoded: ŷ per group, each B×size×h×w.
        noisy: y plus uniform noise, the same for every ruler; None when measuring.
        coded, z_coded: bits of each latent and hyper-latent in a file (`exact` only): of y by the coder's integer
            tables where the preset is exact, of z by its density.
    """

    y: Tensor
    gain: Tensor
    z_hat: Tensor
    decoded: list[Tensor]
    noisy: Tensor | None = None
    coded: Tensor | None = None
    z_coded: Tensor | None = None


@dataclasses.dataclass
class Prediction:
    """One model's mean and log-scale of each latent, and the bits it pays. Each B×M×h×w."""

    bits: Tensor
    mean: Tensor | None
    log_scale: Tensor | None


class Score:
    """A coder that scores every group and keeps what it saw.

    Args:
        latent: scored with its noise where it has any, else rounded around the mean.
        center: a mean to take instead of the predicted one, B×M×1×1.
    """

    def __init__(self, gaussian: LatentGaussian, latent: Latent, sizes: tuple[int, ...], center: Tensor | None = None):
        self.gaussian = gaussian
        self.noisy = None if latent.noisy is None else latent.noisy.split(sizes, dim=1)
        self.center = None if center is None else center.split(sizes, dim=1)
        self.likelihoods: list[Tensor] = []
        self.means: list[Tensor] = []
        self.scales: list[Tensor] = []

    def __call__(self, group: int, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        mean = mean if self.center is None else self.center[group].expand_as(mean)
        rounded = torch.round(y - mean) + mean
        value = rounded if self.noisy is None else self.noisy[group]
        self.likelihoods.append(self.gaussian.likelihood(value, mean, scale))
        self.means.append(mean)
        self.scales.append(scale)
        return rounded

    def prediction(self) -> Prediction:
        scales = torch.cat(self.scales, dim=1)
        bits = -torch.log2(torch.cat(self.likelihoods, dim=1))
        return Prediction(bits, torch.cat(self.means, dim=1), scales if self.gaussian.log_scale else scales.log())


class Ruler(nn.Module):
    """A hyper synthesis and a context for each group, on a frozen latent: what one group pays moves no other.

    With one hyper synthesis for all, the first group's rate would depend on how much the others want of it.

    Args:
        lag: groups before the current one that it can't read (0 main, 1 auxiliary, G hyperprior only).
        centered: take the channel's constant for the mean, and predict scales only.
    """

    def __init__(self, preset: Preset, lag: int, centered: bool = False) -> None:
        super().__init__()
        self.h_s = nn.ModuleList(HyperSynthesis(preset) for _ in preset.sizes)
        self.groups = GroupModel(preset, lag, residuals=0)
        self.centered = centered

    def predict(self, z_hat: Tensor, decoded: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Mean and log-scale of each group, each B×size×h×w, from ẑ and the codec's ŷ per group."""
        return [
            context(h_s(z_hat), decoded[: support(i, self.groups.lag)])[:2]
            for i, (h_s, context) in enumerate(zip(self.h_s, self.groups.contexts, strict=True))
        ]

    def forward(self, latent: Latent, gaussian: LatentGaussian, center: Tensor) -> Prediction:
        """`center`: constant means of y / gain, 1×M×1×1."""
        score = Score(gaussian, latent, self.groups.sizes, center * latent.gain if self.centered else None)
        predicted = self.predict(latent.z_hat, latent.decoded)
        for i, (y, (mean, scale)) in enumerate(zip(latent.y.split(self.groups.sizes, dim=1), predicted, strict=True)):
            score(i, y, mean, scale)
        return score.prediction()


class Factorized(nn.Module):
    """CompressAI's density per channel, for every quality at once.

    A quality only multiplies the latent by a gain. So one density of y / gain serves all of them exactly: the interval
    of a symbol is 1 / gain wide there.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.density = EntropyBottleneck(channels, init_scale=4)
        del self.density.quantiles  # nothing is coded with it
        self.register_buffer("deviation", torch.ones(1, channels, 1, 1))

    def forward(self, latent: Latent, gaussian: LatentGaussian, center: Tensor) -> Prediction:
        mean = center * latent.gain
        value = torch.round(latent.y - mean) + mean if latent.noisy is None else latent.noisy
        unit = latent.gain * self.deviation
        lower, upper = (self._logits((value - mean + side) / unit) for side in (-0.5, 0.5))
        sign = -torch.sign(lower + upper).detach()  # the tail with the smaller numbers keeps its digits
        likelihood = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        return Prediction(-torch.log2(gaussian.likelihood_lower_bound(likelihood)), None, None)

    def _logits(self, x: Tensor) -> Tensor:
        """Logits of the cumulative distribution. B×M×h×w in and out."""
        rows = x.permute(1, 0, 2, 3)
        return self.density._logits_cumulative(rows.reshape(len(rows), 1, -1), False).view_as(rows).permute(1, 0, 2, 3)


class Rulers(nn.Module):
    """The models of one frozen codec.

    Args:
        preset: shape of the rulers (`lean` of the codec's).
        models: names from `MODELS`.
    """

    def __init__(self, preset: Preset, models: tuple[str, ...] = MODELS) -> None:
        super().__init__()
        unknown = set(models) - set(MODELS)
        if unknown or not models:
            raise CcaError(f"rulers: models from {', '.join(MODELS)} are wanted, not {', '.join(sorted(unknown))}")
        lags = {"main": 0, "auxiliary": 1, "hyperprior": preset.groups, "scale": preset.groups}
        self.preset, self.names = preset, tuple(n for n in MODELS if n in models)
        self.models = nn.ModuleDict()
        for name in self.names:
            model = Factorized(preset.latent) if name == "factorized" else Ruler(preset, lags[name], name == "scale")
            self.models[name] = model
        self.gaussian = LatentGaussian(log_scale=True)
        self.register_buffer("center", torch.zeros(1, preset.latent, 1, 1))  # of y / gain
        self.card: dict = {}

    def forward(self, latent: Latent) -> dict[str, Prediction]:
        """Each model's prediction, by name."""
        return {name: model(latent, self.gaussian, self.center) for name, model in self.models.items()}

    @torch.inference_mode()
    def measure(self, codec: Codec, x: Tensor, quality: Tensor | None) -> tuple[Latent, dict[str, Prediction]]:
        """The frozen latent as it is coded, and each model's mean, log-scale and bits of each latent.

        Args:
            x: B×3×H×W in [0, 1], H and W multiples of 64.
        """
        latent = freeze(codec, x, quality)
        return latent, self(latent)

    @torch.no_grad()
    def predict(self, name: str, z_hat: Tensor, decoded: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Mean and log-scale per group of a model that predicts both, in z_hat's type.

        Args:
            z_hat: B×N×h/4×w/4; decoded: the codec's ŷ per group, each B×size×h×w.
        """
        predicted = self.models[name].predict(z_hat.float(), [d.float() for d in decoded])
        return [(mean.to(z_hat), scale.to(z_hat)) for mean, scale in predicted]

    def with_(self, z_hat: Tensor, decoded: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """`predict` of the model that reads the previous group."""
        return self.predict("main", z_hat, decoded)

    def without(self, z_hat: Tensor, decoded: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """`predict` of the model that doesn't."""
        return self.predict("auxiliary", z_hat, decoded)


def lean(preset: Preset) -> Preset:
    """The rulers' shape for a codec: convolutional contexts, each width at most that of `LEAN` and of the codec."""
    smaller = {}
    for name, limit in LEAN.items():
        own = getattr(preset, name)
        smaller[name] = tuple(map(min, own, limit)) if isinstance(limit, tuple) else min(own, limit)
    smaller["hyper_out"] = max(smaller["hyper_out"], preset.sizes[0])  # holds the linear path's means
    return dataclasses.replace(preset, name=f"ruler of {preset.name}", split_context=False, **smaller)


@torch.no_grad()
def freeze(codec: Codec, x: Tensor, quality: Tensor | None, exact: bool = True, noise: bool = False) -> Latent:
    """Run a codec up to ŷ.

    Args:
        exact: as a file is coded, with what it costs; otherwise in float32, which is faster.
        noise: add what the rulers are fitted with.
    """
    y = codec.analyze(x, quality)
    medians, z = codec._medians(), codec.hyper_analyze(y)
    z_hat = torch.round(z - medians) + medians
    gain = torch.ones_like(y[:, :, :1, :1]) if codec.gains is None else codec.gains.forward_gain(quality)
    path, coder = codec.coding_path() if exact else codec.path, Estimate(codec.gaussian)
    dtype = next(path.parameters()).dtype
    decoded = [d.float() for d in path.walk(z_hat.to(dtype), coder, y.to(dtype))]
    noisy = y + torch.empty_like(y).uniform_(-0.5, 0.5) if noise else None
    if not exact:
        return Latent(y, gain, z_hat, decoded, noisy)
    bits = (-torch.log2(p).float() for p in (torch.cat(coder.likelihoods, dim=1), codec.z_prior(z, training=False)[1]))
    return Latent(y, gain, z_hat, decoded, noisy, *bits)
