"""Refinement: the latents of one image, improved by gradient before they are coded. The format knows nothing of it.

The analysis gives every image good latents and none its best (the amortization gap), and the nearest integer need not
be the symbol that R + λD would choose (the discretization gap). Both can be closed by search, with decoder and entropy
path frozen:

    y = g_a(x); ẑ = round(h_a(y)), fixed from here on
    for τ falling from 0.2 to 0.08, `effort` steps:
        for each latent, in the group loop:
            low = ⌊y − μ⌋; f = y − μ − low                        # it lies between the symbols low and low + 1
            w = sigmoid((atanh f − atanh(1 − f)) / τ)             # how far it leans to the upper one
            bits += (1 − w) R(low) + w R(low + 1)                 # expected rate of so choosing
            bits += ½ h w (1 − w)                                 # λ times the choice's variance, seen through g_s
            ŷ = low + w + μ + residual                            # expected latent: later groups and g_s read it
        y −= Adam(∇(bits + 1.4 λD))
        sometimes, and at the end: code y as the file will be; keep the cheapest so far, the first y among them

The choice between two neighbors, its odds and the falling temperature are stochastic Gumbel annealing (Yang, Bamler and
Mandt, "Improving Inference for Neural Image Compression", NeurIPS 2020), which samples it, for thousands of steps. Here
its expectation stands in for the samples, which leaves no noise to average out.

After a search, R + λD is lowest at the gains of a lower quality than the λ was trained with (by 0.4 or so). Turned
around: at the gains of a quality, the λ of a higher one is what to search by, and its distortion counts 1.4 times. ẑ
stays, since moving it too gained nothing in as many steps.
"""

from __future__ import annotations

import itertools
import numbers
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model.coders import Estimate
from ccalib.model.gains import lambda_of

if TYPE_CHECKING:
    from ccalib.model.codec import Codec
    from ccalib.model.entropy import LatentGaussian

# Chosen on middles of four validation photographs at two qualities; `ccalib.evaluation.effort` measures what they give.
TEMPERATURES = (0.2, 0.08)  # first, last
RATE = 0.15  # largest move of a latent in a step, where 1 is the distance between symbols; falls to a tenth of it
SMALLEST = 2.0  # bits per latent step, Adam's epsilon: well below this a move is proportional to the gradient
CURVATURES = (16.0, 9.0)  # bits, h above: of the first group and of the last
WORTH = 1.4  # of distortion, where 1 is λ of the quality
CHECK = 10  # steps from one true cost to the next
LIMIT = 10_000  # steps
TILE, HALO = 768, 64  # pixels: larger images are refined tile by tile, each inside surroundings that stay as they are


class Leaning:
    """A coder for refinement: the expected latent and the expected rate of a soft choice between two symbols."""

    def __init__(self, gaussian: LatentGaussian, groups: int, temperature: float) -> None:
        self.gaussian, self.temperature, self.bits = gaussian, temperature, 0.0
        self.curvatures = torch.linspace(*CURVATURES, groups).tolist()

    def __call__(self, group: int, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        low = torch.floor(y - mean).detach()
        f = (y - mean - low).clamp(1e-5, 1 - 1e-5)
        w = torch.sigmoid((torch.atanh(f) - torch.atanh(1 - f)) / self.temperature)
        below, above = (-torch.log2(self.gaussian.likelihood(low + i + mean, mean, scale)) for i in (0, 1))
        self.bits = self.bits + ((1 - w) * below + w * above + self.curvatures[group] / 2 * w * (1 - w)).sum()
        return low + w + mean


def steps_of(effort: int) -> int:
    """The number of steps. Raises CcaError where it is no whole number in 0 … 10,000."""
    if not isinstance(effort, numbers.Integral) or not 0 <= effort <= LIMIT:
        raise CcaError(f"effort: {effort!r} is no whole number of steps in 0 … {LIMIT}")
    return int(effort)


def record(effort: int) -> dict:
    """What files depend on that are made with so many steps, for results to say."""
    return {"effort": effort, "temperatures": list(TEMPERATURES), "rate": RATE, "smallest": SMALLEST,
            "curvatures": list(CURVATURES), "worth": WORTH}  # fmt: skip


class Part:
    """An image or a tile of one, B×3×H×W in [0, 1], its ẑ, and the height and width that are no padding."""

    def __init__(self, codec: Codec, x: Tensor, z_hat: Tensor, quality: Tensor | None, size: tuple[int, int]) -> None:
        self.codec, self.z_hat, self.quality, self.size = codec, z_hat, quality, size
        self.x = x[:, :, : size[0], : size[1]]
        self.lam = WORTH * lambda_of(codec.preset, 0.0 if quality is None else quality)
        with torch.no_grad():
            self.hyper = codec.path.h_s(z_hat)

    def _squares(self, decoded: list[Tensor]) -> Tensor:
        """λD, in bits per image, by the search's λ: a unit of MSE (0…255) per pixel costs λ, whence the 3 (colors)."""
        x_hat = self.codec.synthesize(torch.cat(decoded, dim=1), self.quality)
        error = self.x - x_hat[:, :, : self.size[0], : self.size[1]].clamp(0, 1)
        return self.lam * 255**2 / 3 * error.square().sum(dim=(1, 2, 3))

    @torch.no_grad()
    def cost(self, y: Tensor) -> Tensor:
        """Bits of y, plus λD, per image, of what a file would hold: true rounding in exact arithmetic."""
        coder = Estimate(self.codec.gaussian)
        decoded = self.codec.coding_path().walk(self.z_hat, coder, y)
        bits = sum(-torch.log2(p).sum(dim=(1, 2, 3)) for p in coder.likelihoods)
        return bits + self._squares(decoded)

    def descend(self, y: Tensor, steps: int, moving: Tensor) -> Tensor:
        """The cheapest y among those seen on the way down, per image. `moving` is 1 where y may move, else 0."""
        best, lowest = y, self.cost(y)
        y = y.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([y], lr=RATE, betas=(0.9, 0.95), eps=SMALLEST)
        high, low = TEMPERATURES
        for step in range(steps):
            t = step / max(steps - 1, 1)
            optimizer.param_groups[0]["lr"] = RATE * (1 - 0.9 * t)
            coder = Leaning(self.codec.gaussian, self.codec.preset.groups, high * (low / high) ** t)
            squares = self._squares(self.codec.path.groups.walk(self.hyper, coder, y))
            y.grad = moving * torch.autograd.grad(coder.bits + squares.sum(), y)[0]
            optimizer.step()
            if (step + 1) % CHECK == 0 or step + 1 == steps:
                cost = self.cost(y)
                best = torch.where((cost < lowest)[:, None, None, None], y.detach(), best)
                lowest = torch.minimum(cost, lowest)
        return best


def refine(
    codec: Codec, x: Tensor, y: Tensor, z_hat: Tensor, quality: Tensor | None, effort: int,
    size: tuple[int, int] | None = None,
) -> Tensor:  # fmt: skip
    """Latents that cost no more than `y` in R + 1.4 λD, rounded as the file will have them. Deterministic.

    Args:
        x: B×3×H×W in [0, 1], as padded for the codec; y, z_hat: its latents (gained) and quantized hyper-latents.
        effort: steps of gradient descent; of each tile, where a side is above TILE pixels, so that memory is bounded.
        size: height and width without the padding, whose distortion doesn't count.
    Raises:
        CcaError: the effort is no whole number in 0 … 10,000.
    """
    steps, size = steps_of(effort), size or tuple(x.shape[2:])
    if not steps:
        return y
    with torch.inference_mode(False), torch.enable_grad():  # its tensors have no gradients, their clones do
        x, start, z_hat = (t.detach().clone() for t in (x, y, z_hat))
        y, quality = start.clone(), None if quality is None else quality.clone()
        for top, left in itertools.product(range(0, x.shape[2], TILE), range(0, x.shape[3], TILE)):
            inner = torch.zeros_like(y)
            _cut(inner, 16, top, left, TILE).fill_(1)
            at = (max(top - HALO, 0), max(left - HALO, 0), TILE + 2 * HALO)  # one halo more at the image's edges
            part = Part(codec, _cut(x, 1, *at), _cut(z_hat, 64, *at), quality, (size[0] - at[0], size[1] - at[1]))
            _cut(y, 16, *at).copy_(part.descend(_cut(y, 16, *at), steps, _cut(inner, 16, *at)))
        whole = Part(codec, x, z_hat, quality, size)  # tiles were judged one by one
        return torch.where((whole.cost(y) < whole.cost(start))[:, None, None, None], y, start)


def _cut(t: Tensor, stride: int, top: int, left: int, side: int) -> Tensor:
    """The view of a square of so many pixels in a tensor at 1/stride of the resolution."""
    top, left, side = top // stride, left // stride, side // stride
    return t[:, :, top : top + side, left : left + side]
