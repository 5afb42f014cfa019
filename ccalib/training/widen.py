"""A trained codec goes on with more latent channels, or groups cut anew: old channels stay, new ones take up the rest.

    x ─► old codec, unquantized ─► x̂        r = x − x̂        r ≈ B x + b        (least squares, on 16×16 patches)

The new channels are the leading principal components of B x: of what is left over, the part that a linear transform
knows (reduced-rank regression). They start in the linear path; `g_a` and `g_s` begin to use them in training.
A smaller kernel of the last analysis and first synthesis convolution starts as the least-squares fit to the larger.

Where groups are cut anew, channels change contexts. Each context starts as the old one that shares most channels with
it, without what it may no longer read; what no old context gave starts as in a new codec.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.model.codec import Codec
from ccalib.model.entropy import SCALE_MIN
from ccalib.model.presets import Preset
from ccalib.model.transforms import PATCH, high_rate_gain
from ccalib.training.data import Crops, Photos
from ccalib.training.start import SMALL_START, hush, seeded

BATCHES, CROP, BATCH = 40, 256, 8  # what the fits are computed from
RIDGE = 1e-6  # of the inputs' mean energy


class Fit:
    """Least squares for targets ≈ W·inputs + b, batch by batch."""

    def __init__(self) -> None:
        self.inputs = self.cross = 0.0  # XᵀX and XᵀY, X with a column of ones

    def add(self, inputs: Tensor, targets: Tensor) -> None:
        """Rows n×d and n×o."""
        x = F.pad(inputs, (0, 1), value=1.0).double()
        self.inputs, self.cross = self.inputs + x.T @ x, self.cross + x.T @ targets.double()

    def solve(self) -> tuple[Tensor, Tensor]:
        """W (o×d) and b (o)."""
        ridge = RIDGE * self.inputs.diagonal().mean() * torch.eye(len(self.inputs)).double()
        both = torch.linalg.solve(self.inputs + ridge, self.cross).T.float()
        return both[:, :-1], both[:, -1]

    def covariance(self) -> Tensor:
        """Of the inputs, d×d."""
        moments = self.inputs / self.inputs[-1, -1]
        return moments[:-1, :-1] - torch.outer(moments[-1, :-1], moments[-1, :-1])


@torch.no_grad()
def widen(before: Codec, preset: Preset, photos: Photos) -> Codec:
    """A codec of `preset` that starts from `before`, whose preset has fewer latent channels or other groups.

    Raises:
        CcaError: fewer channels, or a larger kernel; no gains or linear paths, which `paper` has not.
    """
    old = before.preset
    if preset.latent < old.latent or preset.last_kernel > old.last_kernel:
        raise CcaError(f"--preset {preset.name}: {old.name} goes on with more latent channels or a smaller last kernel")
    if old.split_context or not (old.klt and old.hyper_klt and old.qualities):
        raise CcaError(f"--preset {preset.name}: {old.name} has no linear paths or no gains to go on with")
    before.eval()
    codec = Codec(preset)
    seeded(codec, 0)
    given = dict(before.named_parameters())
    for name, p in codec.named_parameters():
        if not name.startswith("path.groups."):
            p.copy_(_over(given[name], p) if name.startswith("gains.") else _leading(given[name], p))
    last = codec.path.h_s.mean[-1]  # outputs that become means of channels new in the first group were something else
    for tensor in (last.weight.transpose(0, 1), last.bias):
        tensor[old.sizes[0] : preset.sizes[0]] = 0

    crops = Crops(photos, old, CROP, BATCH, seed=0)
    if preset.last_kernel < old.last_kernel:
        _fit_kernels(before, codec, crops)
    if preset.latent > old.latent:
        _fit_channels(codec, old.latent, crops)
    y = torch.cat([codec.analyze(*crops.at(step)) for step in range(BATCHES // 4)])
    _start_contexts(before, codec, y.std(dim=(0, 2, 3)).clamp(min=SCALE_MIN))
    return codec.eval()


def _leading(value: Tensor, like: Tensor) -> Tensor:
    """`value` in the leading part of each dimension of zeros like `like`; a smaller kernel gets the middle."""
    if value.ndim == 4 and value.shape[-1] > like.shape[-1]:
        cut = (value.shape[-1] - like.shape[-1]) // 2
        value = value[:, :, cut:-cut, cut:-cut]
    return _over(value, torch.zeros_like(like))


def _over(value: Tensor, like: Tensor) -> Tensor:
    """`like`, with as much of `value` over its leading part as there is room for."""
    result, common = like.clone(), tuple(slice(min(a, b)) for a, b in zip(value.shape, like.shape, strict=True))
    result[common] = value[common]
    return result


def _fit_kernels(before: Codec, codec: Codec, crops: Crops) -> None:
    """The last analysis and the first synthesis convolution of `codec`, fitted to those of `before`."""
    kernel, channels = codec.preset.last_kernel, before.preset.latent
    (down, up), (new_down, new_up) = ((c.g_a.down[-1], c.g_s.up[0]) for c in (before, codec))
    analysis, synthesis = Fit(), Fit()
    features: list[Tensor] = []  # what the last analysis convolution reads
    hook = down.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    for step in tqdm(range(BATCHES), desc="kernels", leave=False, disable=None):
        x, quality = crops.at(step)
        y = before.analyze(x, quality)
        read = features[0]
        analysis.add(_rows(F.unfold(read, kernel, padding=kernel // 2, stride=2)), _rows(down(read).flatten(2)))
        features.clear()
        y_hat = torch.round(y) * before.gains.inverse_gain(quality)
        apart = y_hat.new_zeros(*y_hat.shape[:2], 2 * y_hat.shape[2], 2 * y_hat.shape[3])
        apart[:, :, ::2, ::2] = y_hat  # a transposed convolution is one with the mirrored kernel of what is spread out
        synthesis.add(_rows(F.unfold(apart, kernel, padding=kernel // 2)), _rows(up(y_hat).flatten(2)))
    hook.remove()
    weight, bias = analysis.solve()
    new_down.weight[:channels], new_down.bias[:channels] = weight.view(channels, -1, kernel, kernel), bias
    weight, new_up.bias[:] = synthesis.solve()
    new_up.weight[:channels] = weight.view(-1, channels, kernel, kernel).flip(2, 3).transpose(0, 1)


def _rows(t: Tensor) -> Tensor:
    """B×d×n → (B·n)×d."""
    return t.transpose(1, 2).reshape(-1, t.shape[1])


def _fit_channels(codec: Codec, first: int, crops: Crops) -> None:
    """Start the linear path of the channels from `first` on."""
    fit, gain = Fit(), high_rate_gain(codec.preset.reference_lambda)
    for step in tqdm(range(BATCHES), desc="channels", leave=False, disable=None):
        x, quality = crops.at(step)
        left = x - codec.synthesize(codec.analyze(x, quality), quality)
        fit.add(*(_rows(F.unfold(t, PATCH, stride=PATCH)) for t in (x, left)))
    weight, bias = fit.solve()  # of what is left over, by pixels
    known = weight.double() @ fit.covariance() @ weight.double().T
    basis = torch.linalg.eigh(known)[1].flip(1).T[: codec.preset.latent - first].float()
    analysis, synthesis = codec.klt.analysis, codec.klt.synthesis
    analysis.weight[first:] = (gain * basis @ weight).view_as(analysis.weight[first:])
    analysis.bias[first:] = gain * basis @ bias
    synthesis.weight[first:] = (basis / gain).view_as(synthesis.weight[first:])


def _start_contexts(before: Codec, codec: Codec, deviations: Tensor) -> None:
    """Each context from the old one that shares most channels with it; `deviations`: M, of the channels of y."""
    olds, news = (_ranges(c.preset.sizes) for c in (before, codec))
    for i, here in enumerate(news):
        j = max(range(len(olds)), key=lambda j: len(_common(olds[j], here)))  # noqa: B023
        there, shared = olds[j], _common(olds[j], here)
        context, source = codec.path.groups.contexts[i], before.path.groups.contexts[j]
        new, old = (slice(shared.start - group.start, shared.stop - group.start) for group in (here, there))
        for name, p in context.trunk.named_parameters():
            p.copy_(_leading(source.trunk.get_parameter(name), p))
        into, given = context.residual_head[0], source.residual_head[0]
        features = context.trunk[0].out_channels
        into.weight[:, :features], into.bias[:] = given.weight[:, :features], given.bias
        into.weight[:, features:] *= SMALL_START
        into.weight[:, features:][:, new] = given.weight[:, features:][:, old]
        context.head[0].load_state_dict(source.head[0].state_dict())
        for part, outputs in (("residual_head", 1), ("head", 2)):  # of a channel: a residual; mean and log-scale
            own, theirs = getattr(context, part), getattr(source, part)
            own[1:-1].load_state_dict(theirs[1:-1].state_dict())
            hush(own[-1])
            if outputs == 2:
                own[-1].bias[len(here) :] = deviations[here.start : here.stop].log()
            for name, p in own[-1].named_parameters():
                given = theirs[-1].get_parameter(name).unflatten(0, (outputs, -1))
                p.unflatten(0, (outputs, -1))[:, new] = given[:, old]


def _ranges(sizes: tuple[int, ...]) -> list[range]:
    """The channels of each group."""
    return [range(sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(len(sizes))]


def _common(a: range, b: range) -> range:
    start = max(a.start, b.start)
    return range(start, max(start, min(a.stop, b.stop)))
