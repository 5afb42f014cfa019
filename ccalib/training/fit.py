"""Fit rulers: every model on the same batches and the same noise, so that the frozen codec runs once for all.

The rate is constant, then falls linearly to zero. If the first group, which has the same support with and without the
previous group, still costs the two differently, another round follows, up to a stated number.
"""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.model.codec import Codec
from ccalib.model.gains import lambda_of
from ccalib.model.ruler import MODELS, Rulers, freeze, lean
from ccalib.training import checkpoint
from ccalib.training.clock import Clock
from ccalib.training.data import Crops, Photos
from ccalib.training.rulers import calibrate, first_group_error, start
from ccalib.training.schedule import Plan


@dataclasses.dataclass(frozen=True)
class Fit:
    """How rulers are fitted. Stored beside the results.

    Attributes:
        steps: of the first round; each further one has half as many.
        rounds: the most rounds.
        tolerance: the first group's gain, as a share of its bits, that ends the fit (at the worst quality).
        decay: share of a round in which the rate falls to zero.
        weight_power: each image's bits are weighted by (λ/λ_ref)^−power, as in the codec's training.
    """

    models: tuple[str, ...] = MODELS
    steps: int = 4000
    rounds: int = 4
    tolerance: float = 0.01
    batch: int = 4
    crop: int = 256
    lr: float = 2e-3
    warmup: int = 100
    decay: float = 0.6
    clip: float = 1.0
    weight_power: float = 0.5
    seed: int = 0
    log_every: int = 50
    checkpoint_minutes: float = 5.0

    def check(self) -> Fit:
        """This fit, if it can begin. Raises CcaError: names the option."""
        for name in ("steps", "rounds", "batch"):
            if getattr(self, name) < 1:
                raise CcaError(f"--{name}: at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise CcaError(f"--seed: from 0 to 4294967295, not {self.seed}")
        if not self.lr > 0:
            raise CcaError(f"--lr: above 0, not {self.lr}")
        return self


class Interrupted(Exception):
    """Ctrl-C or SIGTERM, after a checkpoint was written."""


class Fitter:
    """One fit in one folder: `last.pt`, `log.jsonl`. A checkpoint of the same fit that is there already goes on.

    Args:
        rulers: to go on from instead of new ones (they are changed in place).
        validation: photographs whose middles decide whether the first group's error is small enough.
    """

    def __init__(
        self, codec: Codec, photos: Photos, validation: Photos, fit: Fit, run: Path, rulers: Rulers | None = None,
        progress: bool = True,
    ) -> None:  # fmt: skip
        self.codec, self.validation, self.fit, self.run, self.progress = codec, validation, fit, run, progress
        self.crops = Crops(photos, codec.preset, fit.crop, fit.batch, fit.seed)
        self.origin = {"codec": codec.fingerprint, "photos": photos.fingerprint, "fit": dataclasses.asdict(fit)}
        self.rulers = (rulers or self._new()).requires_grad_(True).train()
        self.optimizer = torch.optim.Adam(self.rulers.parameters(), lr=fit.lr, fused=True)
        self.step, self.seconds, self.errors = 0, 0.0, []
        self._signal = False
        with checkpoint.writing(run):
            run.mkdir(parents=True, exist_ok=True)
        if (run / "last.pt").exists():
            self._restore(checkpoint.load(run / "last.pt"))

    def _new(self) -> Rulers:
        rulers = Rulers(lean(self.codec.preset), self.fit.models)
        start(rulers, self.codec, *calibrate(self.codec, self.crops), self.fit.seed)
        return rulers.to(memory_format=torch.channels_last)

    def _restore(self, state: dict) -> None:
        if state.get("origin") != self.origin:
            raise CcaError(f"{self.run}: holds another fit (other weights, photographs, options), or none; remove it")
        self.rulers.load_state_dict(state["rulers"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.errors = state["step"], state["seconds"], state["errors"]

    def save(self) -> None:
        state = {"origin": self.origin, "rulers": self.rulers.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"step": self.step, "seconds": self.seconds, "errors": self.errors}
        checkpoint.save(self.run / "last.pt", state)

    def plan(self, number: int) -> Plan:
        """The rate over round `number`, from 0."""
        f = self.fit
        length = f.steps if number == 0 else max(f.steps // 2, 1)
        first = 0 if number == 0 else f.steps + (number - 1) * length
        return Plan(min(f.warmup, f.steps // 10), first + length - round(f.decay * length), first + length)

    def run_all(self) -> Rulers:
        """Fit until the first group's error is within the tolerance, or for `rounds` rounds.

        The rulers' card says steps, seconds, the error after each round, and whether it was met.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM; the same call goes on.
        """
        log = checkpoint.Log(self.run / "log.jsonl", self.step)
        handlers = {s: signal.signal(s, self._remember) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in range(self.fit.rounds):
                self._round(self.plan(number), log)
                if len(self.errors) == number:
                    self.errors.append(first_group_error(self.codec, self.rulers, self.validation, self.progress))
                    log.write(kind="error", step=self.step, **self.errors[-1])
                    self.save()
                if self.errors[number]["worst"] <= self.fit.tolerance:
                    break
        finally:
            log.close()
            for sign, handler in handlers.items():
                signal.signal(sign, handler)
        self.rulers.card = {
            "steps": self.step, "seconds": round(self.seconds, 1), "fit": dataclasses.asdict(self.fit),
            "first_group_errors": self.errors, "met": self.errors[-1]["worst"] <= self.fit.tolerance,
        }  # fmt: skip
        return self.rulers.requires_grad_(False).eval()

    def _remember(self, number: int, frame) -> None:
        self._signal = True

    def _round(self, plan: Plan, log: checkpoint.Log) -> None:
        clock, saved, window = Clock(self.seconds), self.seconds, []
        bar = tqdm(total=plan.total, initial=self.step, unit="step", desc="rulers", dynamic_ncols=True,
                   disable=None if self.progress else True)  # fmt: skip
        while self.step < plan.total:
            window.append(self._step(plan.rate(self.step)))
            self.step += 1
            self.seconds = clock.step()
            if self.step % self.fit.log_every == 0:
                means = torch.stack(window).mean(dim=0).tolist()
                rates = dict(zip(self.rulers.names, means, strict=True))
                log.write(kind="fit", step=self.step, bpp=rates, seconds=self.seconds)
                bar.set_postfix({name[:4]: f"{rate:.3f}" for name, rate in rates.items()})
                window = []
            bar.update()
            if self._signal or self.seconds - saved > 60 * self.fit.checkpoint_minutes:
                self.save()
                saved = self.seconds
            if self._signal:
                bar.close()
                raise Interrupted(f"stopped at step {self.step}; the same command goes on")
        bar.close()

    def _step(self, rate: float) -> Tensor:
        """One step of all models; their bits per pixel, weighted."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.fit.lr * rate
        x, quality = self.crops.at(self.step)
        latent = freeze(self.codec, x, quality, exact=False, noise=True)
        preset = self.codec.preset
        weight = (lambda_of(preset, quality) / preset.reference_lambda) ** -self.fit.weight_power
        predictions = self.rulers(latent)
        rates = torch.stack([(weight * p.bits.sum(dim=(1, 2, 3))).mean() for p in predictions.values()])
        rates = rates / x.shape[2:].numel()
        if not torch.isfinite(rates).all():
            raise CcaError(f"rulers: the rate is not finite at step {self.step}; try a lower --lr (now {self.fit.lr})")
        rates.sum().backward()
        for model in self.rulers.models.values():  # each by its own norm: no model hears of another
            torch.nn.utils.clip_grad_norm_(model.parameters(), self.fit.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return rates.detach()
