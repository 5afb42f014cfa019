"""The training loop: crops → objective → one backward pass → clip → step → average → log, checkpoint.

ccalib train PHOTOS --run runs/a --minutes 60      a plan of warm-up, constant rate, linear decay
ccalib train PHOTOS --run runs/a --resume          goes on after Ctrl-C, a kill, a crash: bit for bit
ccalib train PHOTOS --run runs/b --decay-from runs/a/constant.pt --minutes 20
"""

from __future__ import annotations

import dataclasses
import math
import signal
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.model.codec import Codec
from ccalib.model.presets import Preset
from ccalib.training import checkpoint
from ccalib.training.clock import Clock
from ccalib.training.data import Crops, Photos
from ccalib.training.losses import Objective
from ccalib.training.optimizers import optimizers
from ccalib.training.schedule import Plan, plan_for
from ccalib.training.settings import Settings
from ccalib.training.start import freeze_analysis, new_codec, start_auxiliary
from ccalib.training.validate import validate

TIMED_STEPS = (10, 30)  # between these steps the speed is measured that turns minutes into steps
PATIENCE = 10  # steps in a row whose gradient isn't finite end a run


class Stopped(Exception):
    """Ctrl-C or SIGTERM, after a checkpoint was written."""


class Trainer:
    """One run in one folder: `last.pt`, `constant.pt` (end of the constant phase), `log.jsonl`.

    Args:
        plan: None to measure the speed first and plan for `minutes`.
        state: a checkpoint to start from; `resume` if it is this run's own.
        decay_only: the measured plan has no constant phase.
    """

    def __init__(
        self, run: Path, preset: Preset, photos: Photos, settings: Settings, *, plan: Plan | None = None,
        minutes: float | None = None, state: dict | None = None, resume: bool = False, decay_only: bool = False,
        validation: Photos | None = None, progress: bool = True,
    ) -> None:  # fmt: skip
        self.run, self.preset, self.photos, self.settings = run, preset, photos, settings
        self.plan, self.minutes, self.validation, self.progress = plan, minutes, validation, progress
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        if settings.freeze and self.accelerator.num_processes > 1:  # they would wait for gradients that never come
            raise CcaError("--freeze: with one process only")
        codec = new_codec(preset, photos if state is None else None, settings.seed)
        objective = Objective(codec, settings.loss, settings.weight_power)
        if objective.auxiliary is not None:
            start_auxiliary(codec, settings.seed + 1)
        objective = objective.to(self.accelerator.device, memory_format=torch.channels_last)
        codec.bf16 = settings.bf16
        self.objective = objective
        self.optimizers = optimizers(objective, settings)
        self.average = AveragedModel(codec, multi_avg_fn=get_ema_multi_avg_fn(settings.ema))
        self.rates = {name: [g["lr"] for g in o.param_groups] for name, o in self.optimizers.items()}
        self.step, self.seconds, self.decay_only = 0, 0.0, decay_only
        self.skipped = self._in_row = 0
        if state is not None:
            self._restore(state, resume)
        self.cold, self.began = checkpoint.is_cold(state), self.step  # a run's warm-up counts from where it began
        if resume:
            self.cold, self.began = state.get("cold", self.cold), state.get("began", self.began)
        self.wrapped, *prepared = self.accelerator.prepare(objective, *self.optimizers.values())
        self.prepared = dict(zip(self.optimizers, prepared, strict=True))
        self.first = self.step  # where the timing of a plan counts from
        self.crops = Crops(photos, preset, settings.crop, settings.batch, settings.seed, self.accelerator.num_processes)
        self.main = self.accelerator.is_main_process
        self._signal: int | None = None
        if self.main:
            with checkpoint.writing(run):
                run.mkdir(parents=True, exist_ok=True)

    # ---- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict:
        return {
            "preset": self.preset.to_json(),
            "settings": dataclasses.asdict(self.settings),
            "plan": dataclasses.asdict(self.plan) if self.plan else None,
            "minutes": self.minutes,
            "decay_only": self.decay_only,
            "photos": self.photos.fingerprint,
            "processes": self.accelerator.num_processes,
            "cold": self.cold,
            "began": self.began,
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "objective": self.objective.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }

    def _restore(self, state: dict, resume: bool) -> None:
        if resume and state["photos"] != self.photos.fingerprint:
            raise CcaError("photographs: not those of this run; --resume needs the same folder and --validation")
        if resume and state["processes"] != self.accelerator.num_processes:
            raise CcaError(f"--resume: this run was started with {state['processes']} processes; use as many")
        strict = state["settings"]["loss"] == self.settings.loss  # another loss forks: its auxiliary model starts anew
        for module, part in ((self.objective, "objective"), (self.average, "average")):
            tensors = {k: v for k, v in state[part].items() if strict or ".auxiliary." not in k}
            module.load_state_dict(tensors, strict=strict)
        if not strict and self.objective.auxiliary is not None:
            start_auxiliary(self.objective.codec, self.settings.seed + 1)
            self.average.module.auxiliary.load_state_dict(self.objective.auxiliary.state_dict())
        for name, optimizer in self.optimizers.items():
            stored = state["optimizers"].get(name)
            if stored and _shape(stored) == _shape(optimizer.state_dict()):
                optimizer.load_state_dict(stored)
        self.step, self.seconds, self.skipped = state["step"], state["seconds"], state.get("skipped", 0)

    def save(self, name: str = "last.pt") -> None:
        if self.main:
            checkpoint.save(self.run / name, self.state())

    # ---- the loop ---------------------------------------------------------------------------------------------------

    def train(self) -> Codec:
        """Train to the end of the plan and give the averaged codec.

        A step whose gradient isn't finite changes nothing; it is said on standard error, logged (kind "skipped") and
        counted, and the next step sees other crops.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, with a checkpoint written.
            CcaError: such steps, `PATIENCE` in a row, or a file that can't be written (a full disk); the last
                checkpoint is left as it was.
        """
        log = checkpoint.Log(self.run / "log.jsonl", self.step) if self.main else None
        handlers = {s: signal.signal(s, self._remember) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._train(log)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if log:
                log.close()

    def _remember(self, number: int, frame) -> None:
        self._signal = number

    def _train(self, log: checkpoint.Log | None) -> Codec:
        s, window, clipped = self.settings, [], 0
        clock = Clock(self.seconds)
        saved = validated = last = self.seconds
        bar = tqdm(total=self.plan.total if self.plan else None, initial=self.step, unit="step",
                   disable=None if self.progress and self.main else True, dynamic_ncols=True)  # fmt: skip
        self.objective.train()
        while self.plan is None or self.step < self.plan.total:
            terms, norm = self._step()
            self.step += 1
            if self._usable(norm, log):
                window += [terms] if self.main else []
                clipped, shown = clipped + (norm > s.clip), norm
            now = self.seconds = clock.step()
            if self.plan is None:
                self._plan(now)
                bar.total = self.plan.total if self.plan else None
            if self.step % s.log_every == 0 and self.main and window:
                entry = _summary(window) | {"clipped": clipped / len(window), "norm": shown, "lr": self._rate() * s.lr}
                entry |= {"steps_per_second": len(window) / (now - last), "seconds": self.seconds}
                log.write(kind="train", step=self.step, **entry)
                bar.set_postfix(loss=f"{entry['loss']:.3f}", bpp=f"{sum(entry['groups']) + entry['rate_z']:.3f}")
                window, clipped, last = [], 0, now
            bar.update()
            if self.plan and self.step == self.plan.decay_start:
                self.save("constant.pt")
            if s.validate_minutes and now - validated > 60 * s.validate_minutes:
                self._validate(log)
                validated = clock.between()
                last += validated - now
            stop = self._stop()
            if stop or now - saved > 60 * s.checkpoint_minutes:
                self.save()
                saved = now
            if stop:
                raise Stopped(f"stopped at step {self.step}; go on with --resume")
        self.save()
        bar.close()
        self._validate(log)
        return self.averaged()

    def _stop(self) -> bool:
        """Whether any process was told to stop: all leave after the same step."""
        if self.accelerator.num_processes == 1:
            return self._signal is not None
        flag = torch.tensor(float(self._signal is not None), device=self.accelerator.device)
        return self.accelerator.reduce(flag, "sum").item() > 0

    def _step(self) -> tuple[dict, float]:
        factor = self._rate()
        if self.plan and self.plan.polishes(self.step, self.settings.freeze) and not self.objective.codec.frozen:
            freeze_analysis(self.objective.codec)
        for name, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self.rates[name], strict=True):
                group["lr"] = rate * factor
        x, quality = (t.to(self.accelerator.device) for t in self.crops.at(self.step, self.accelerator.process_index))
        s = self.settings
        alpha = self.plan.alpha(self.step, s.alpha, s.alpha_fall) if self.plan else s.alpha
        total, terms = self.wrapped(x, quality, alpha)
        self.accelerator.backward(total)
        norms = {}
        for name in self.prepared:
            if name != "quantiles":
                parameters = [p for g in self.optimizers[name].param_groups for p in g["params"]]
                norms[name] = float(self.accelerator.clip_grad_norm_(parameters, s.clip))
        finite = all(map(math.isfinite, norms.values()))  # of the shared gradient: all processes decide alike
        for optimizer in self.prepared.values():
            if finite:
                optimizer.step()
            optimizer.zero_grad()
        if finite:
            self.average.update_parameters(self.objective.codec)
        return terms, norms["codec"] if finite else math.nan

    def _usable(self, norm: float, log: checkpoint.Log | None) -> bool:
        """Whether the step just done changed the weights; if not, say so, or give up."""
        if math.isfinite(norm):
            self._in_row = 0
            return True
        self.skipped, self._in_row = self.skipped + 1, self._in_row + 1
        if self.main:
            log.write(kind="skipped", step=self.step)
            tqdm.write(f"step {self.step}: not finite; skipped ({self.skipped} so far)", file=sys.stderr)
        if self._in_row == PATIENCE:
            raise CcaError(
                f"loss: loss or gradient not finite in {PATIENCE} steps in a row, the last of them step {self.step}. "
                f"The last checkpoint is untouched; start another run from it or from constant.pt (--continue-from) "
                f"with a lower --lr (now {self.settings.lr}) or --clip (now {self.settings.clip})"
            )
        return False

    def _rate(self) -> float:
        return (self.plan or plan_for(10**9, self.settings.warmup, 0.0, self.began, cold=self.cold)).rate(self.step)

    def _plan(self, now: float) -> None:
        """Turn minutes into steps, once, from the measured speed; all processes take the first one's plan."""
        (first, last), s = TIMED_STEPS, self.settings
        done = self.step - self.first
        if done == first:
            self._timed = now
        elif done == last:
            speed = (last - first) / (now - self._timed)
            steps = max(round(self.minutes * 60 * speed), self.step - self.began + 1)
            plan = plan_for(steps, s.warmup, s.decay, self.began, not self.decay_only, self.cold)
            self.plan = Plan(*broadcast_object_list([dataclasses.astuple(plan)])[0])

    def averaged(self) -> Codec:
        """The exponential average of the weights: what is evaluated and exported."""
        return self.average.module

    def _validate(self, log: checkpoint.Log | None) -> None:
        if self.main and self.validation is not None and len(self.validation):
            result = validate(self.averaged(), self.validation, progress=self.progress)
            which = self.validation.fingerprint
            log.write(kind="validation", step=self.step, seconds=self.seconds, photographs=which, **result)


def _shape(optimizer: dict) -> list[int]:
    """Parameters per group of an optimizer's state."""
    return [len(group["params"]) for group in optimizer["param_groups"]]


def _summary(window: list[dict]) -> dict:
    """Means of the terms over a window of steps, as numbers and lists of numbers."""
    return {name: torch.stack([t[name] for t in window]).mean(dim=0).tolist() for name in window[0]}
