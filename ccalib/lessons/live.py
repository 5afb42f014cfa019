"""Short trainings to watch: the package's own Trainer, and a dashboard that hears of its steps."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ccalib.images import from_tensor
from ccalib.lessons.widgets.dashboard import Dashboard
from ccalib.model.codec import Codec
from ccalib.model.gains import lambda_of
from ccalib.model.presets import Preset
from ccalib.training.data import Photos
from ccalib.training.loop import Trainer, _summary
from ccalib.training.losses import Objective, bits, distortion
from ccalib.training.schedule import Plan
from ccalib.training.settings import Settings


@dataclasses.dataclass(frozen=True)
class Point:
    """A codec on one photograph: bits per pixel by group and of z, estimated as coded (not noisy); D, MSE 0…255."""

    groups: tuple[float, ...]
    z: float
    d: float
    lam: float
    picture: Image.Image

    @property
    def bpp(self) -> float:
        return sum(self.groups) + self.z

    @property
    def psnr(self) -> float:
        return float(10 * torch.log10(torch.tensor(255**2 / self.d)))

    @property
    def loss(self) -> float:
        """R + λD."""
        return self.bpp + self.lam * self.d


@torch.inference_mode()
def point(codec: Codec, x: Tensor, quality: float) -> Point:
    """A codec in training, on a photograph 1×3×H×W in [0, 1], sides multiples of 64; the codec stays as it is."""
    codec = copy.deepcopy(codec).eval()
    codec.update(force=True, update_quantiles=True)  # the tables of this moment: bits are those of symbols in a file
    out, pixels = codec(x, torch.tensor([float(quality)])), x.shape[2] * x.shape[3]
    groups = bits(out["likelihoods"]["y"], codec.preset.sizes)[0] / pixels
    x_hat = out["x_hat"].clamp(0, 1)
    z, lam = bits(out["likelihoods"]["z"]).item() / pixels, float(lambda_of(codec.preset, quality))
    return Point(tuple(groups.tolist()), z, distortion(x, x_hat).item(), lam, from_tensor(x_hat))


def checkpoint_of(codec: Codec) -> dict:
    """What `Trainer(state=...)` starts from, made of finished weights: step 0, optimizers that remember nothing."""
    fresh, own = Codec(codec.preset), dict(codec.named_parameters())
    with torch.no_grad():
        for name, p in fresh.named_parameters():
            p.copy_(own[name])
    settings = {"loss": "plain"}
    return {"settings": settings, "objective": Objective(fresh, "plain").state_dict(), "optimizers": {}, "step": 0,
            "average": AveragedModel(fresh).state_dict(), "seconds": 0.0}  # fmt: skip


class Watched(Trainer):
    """A Trainer that tells a dashboard of its steps, and shows it what the averaged weights make of a photograph.

    Args:
        dashboard: filled while `train` runs.
        x: the photograph, 1×3×H×W in [0, 1]; quality: at which it is coded.
        every: steps whose means are one record. shots: after how many steps a picture is made, besides the last.
    """

    def __init__(
        self, run: Path, preset: Preset, photos: Photos, settings: Settings, plan: Plan, dashboard: Dashboard,
        x: Tensor, quality: float, every: int = 5, shots: Collection[int] = (0,), state: dict | None = None,
    ) -> None:  # fmt: skip
        super().__init__(run, preset, photos, settings, plan=plan, state=state, progress=False)
        self.dashboard, self.x, self.quality, self.every, self.shots = dashboard, x, quality, every, shots
        self.points: dict[int, Point] = {}
        self._window: list[dict] = []

    def train(self) -> Codec:
        self.dashboard.running = True
        try:
            codec = super().train()
            self._show()
        finally:
            self.dashboard.running = False
        return codec

    def _step(self) -> tuple[dict, float]:
        if self.step in self.shots:
            self._show()
        rate = self._rate() * self.settings.lr
        terms, norm = super()._step()
        self._window.append(terms)
        if (self.step + 1) % self.every == 0:
            self.dashboard.add(self.step + 1, _summary(self._window), rate)
            self._window = []
        return terms, norm

    def _show(self) -> None:
        self.points[self.step] = found = point(self.averaged(), self.x, self.quality)
        self.dashboard.show(self.step, found.picture, found.psnr, found.bpp)
