"""The runs of the ablation (issue 5): what each changes, and how one is trained.

A run is a family (a change of the preset), an arm (a change of the loss) and a seed: `k1.7-honest-falling-s2`. The same
seed means the same initial weights where shapes match, the same crops, qualities and noise; all runs have equally many
steps. Only `longer` has more: plain, trained for as long as the slowest loss takes, is what arms are compared with at
equal time. It goes on from the end of plain's constant phase, which is the same as training it from the start.

α* is chosen by `ccalib.evaluation.ablation.choose_alpha` on the validation photographs, among runs of a seed that no
other comparison uses. **The rule, written down before the runs**: an effect is claimed only if the 95 % t interval of
its paired BD-rate differences, one per seed, excludes 0.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import shutil
import tempfile
from pathlib import Path

from ccalib import weights
from ccalib.errors import CcaError
from ccalib.files.coding import write
from ccalib.model.codec import Codec
from ccalib.model.presets import TINY, Preset
from ccalib.training import checkpoint
from ccalib.training.data import Photos
from ccalib.training.export import hardware
from ccalib.training.loop import Trainer
from ccalib.training.pace import seconds_per_step
from ccalib.training.schedule import Plan, plan_for
from ccalib.training.settings import Settings

RULE = (
    "An effect is claimed only if the 95 % t interval of its paired BD-rate differences, one per seed, excludes 0; n "
    "is stated. alpha* is the alpha of the exploratory runs with the lowest BD-rate against plain of their seed, on "
    "the validation photographs. Both were written down before the runs."
)
FAMILIES = {
    "k1.7": {}, "even": {"k": 0.0}, "k0.5": {"k": 0.5}, "k1": {"k": 1.0}, "k2.5": {"k": 2.5},
    "noklt": {"klt": False, "hyper_klt": False},
    "g1": {"groups": 1, "hyper_out": 96}, "g2": {"groups": 2}, "g10": {"groups": 10},
    "weak": {"context_width": 8, "context_blocks": 0, "head_widths": (8,)},  # an entropy model that can do little
}  # fmt: skip
CHOSEN = None  # stands for α*
ARMS = {
    "plain": {}, "longer": {}, "released": {"loss": "released"},
    "honest-constant": {"loss": "honest", "alpha": CHOSEN},
    "honest-falling": {"loss": "honest", "alpha": CHOSEN, "alpha_fall": 0.7},
    "honest-0.05": {"loss": "honest", "alpha": 0.05},
    "honest-0.2": {"loss": "honest", "alpha": 0.2},
    "honest-1": {"loss": "honest", "alpha": 1.0},
}  # fmt: skip
EXPLORATORY_SEED = 4
MAIN_ARMS = ("plain", "honest-constant", "honest-falling", "released")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the table."""

    family: str
    arm: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.family}-{self.arm}-s{self.seed}"

    @property
    def preset(self) -> Preset:
        return dataclasses.replace(TINY, **FAMILIES[self.family])

    @property
    def waits(self) -> bool:
        """Whether the run needs α*."""
        return "alpha" in ARMS[self.arm] and ARMS[self.arm]["alpha"] is CHOSEN

    @property
    def snapshots(self) -> int:
        """How many times a run stores its weights on the way, for a lesson to scrub through."""
        return 8 if self in RULED else 0

    def against(self, arm: str = "plain", family: str | None = None) -> Run:
        """The run that this one is paired with: the same seed."""
        return Run(family or self.family, arm, self.seed)


def _table() -> list[Run]:
    exploratory = ("plain", "honest-0.05", "honest-0.2", "honest-1")
    runs = [Run("k1.7", arm, EXPLORATORY_SEED) for arm in exploratory]
    runs += [Run("k1.7", arm, seed) for seed in range(4) for arm in MAIN_ARMS]
    runs += [Run("even", arm, seed) for seed in range(3) for arm in ("plain", "honest-falling")]
    runs += [Run("noklt", arm, seed) for seed in range(2) for arm in ("plain", "honest-falling")]
    runs += [Run(family, "plain", seed) for seed in range(2) for family in ("k0.5", "k1", "k2.5")]
    runs += [Run(family, "plain", 0) for family in ("g1", "g2", "g10")]
    runs += [Run("weak", arm, seed) for arm in ("plain", "honest-0.2") for seed in range(3)]
    longer = {"k1.7": 4, "even": 3, "noklt": 2}  # where a loss is compared with plain
    return runs + [Run(family, "longer", seed) for family, seeds in longer.items() for seed in range(seeds)]


TABLE = _table()
RULED = [r for r in TABLE if r.arm != "longer" and r.family != "weak"]  # measured by rulers, along training too
KEPT = ("k1.7-plain-s0", "k1.7-honest-constant-s0")  # weights that notebooks need; the others stay in the runs' folder


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all runs share, measured and written down once before the first.

    Attributes:
        steps: of every run but `longer`.
        seconds_per_step: by loss, measured in turns on one machine; their ratios define equal time.
        settings: changes to the training's defaults, for all runs.
        photographs: fingerprints of those trained on and held out; "" in plans from before they were kept.
    """

    steps: int
    seconds_per_step: dict[str, float]
    settings: dict
    hardware: str
    rule: str = RULE
    photographs: str = ""

    @property
    def slowest(self) -> float:
        """The largest `cost` of all arms."""
        return max(map(self.cost, ARMS))

    def cost(self, arm: str) -> float:
        """Time of an arm's step over plain's, at least 1."""
        loss = ARMS[arm].get("loss", "plain")
        return max(self.seconds_per_step[loss] / self.seconds_per_step["plain"], 1.0)

    def steps_of(self, run: Run) -> int:
        return round(self.steps * self.slowest) if run.arm == "longer" else self.steps

    def plan(self, run: Run) -> Plan:
        """`longer` warms up as plain does: its first steps are plain's."""
        s = self.train_settings(run, 0.0)
        plan = plan_for(self.steps_of(run), s.warmup, s.decay)
        return dataclasses.replace(plan, warmup=plan_for(self.steps, s.warmup, s.decay).warmup)

    def train_settings(self, run: Run, alpha: float | None) -> Settings:
        """The training's settings of a run.

        Args:
            alpha: α*, used where the run waits for it.
        """
        chosen = ARMS[run.arm] | ({"alpha": alpha} if run.waits else {})
        shared = {"log_every": max(self.steps // 40, 1)} | self.settings
        return Settings(**(shared | chosen | {"seed": run.seed}))

    def seconds(self, run: Run) -> float:
        """Expected seconds of training."""
        return self.seconds_per_step["plain"] * self.cost(run.arm) * self.steps_of(run)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Bench:
        """Raises CcaError."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise CcaError(f"{path}: not the plan of an ablation ({error})") from error


def measure_bench(
    photos: Photos, settings: dict, minutes: float | None, steps: int | None, blocks: int = 5, block: int = 8
) -> Bench:
    """Time the three losses in turns (so that what else the machine does hits all alike), and fix the steps.

    Args:
        minutes: of a plain run, turned into steps; or `steps` at once.
        blocks, block: how many turns of how many steps; medians over the turns count, after one to warm up.
    """
    trainers = {}
    with tempfile.TemporaryDirectory() as folder:
        for loss in ("plain", "honest", "released"):
            chosen = Settings(**(settings | {"loss": loss, "alpha": 0.2 if loss == "honest" else 0.0}))
            plan = plan_for(10**6, 0, 0.0)
            trainers[loss] = Trainer(Path(folder) / loss, TINY, photos, chosen, plan=plan, progress=False)
        seconds = seconds_per_step(trainers, blocks, block)
    if steps is None:
        steps = math.ceil(minutes * 60 / seconds["plain"])
    return Bench(steps, {loss: round(s, 5) for loss, s in seconds.items()}, settings, hardware())


class _Trainer(Trainer):
    """A trainer that stores its averaged weights every `every` steps."""

    every = 0

    def _step(self):
        if self.every and self.step % self.every == 0:
            weights.save(copy.deepcopy(self.averaged()), self.run / "snapshots" / f"{self.step:06d}.safetensors")
        return super()._step()


def train_run(
    run: Run, bench: Bench, alpha: float | None, photos: Photos, runs: Path, progress: bool
) -> tuple[Codec, float]:
    """Train a run in `runs`/NAME, or go on with it.

    Returns:
        the averaged codec, its auxiliary model with it, and the seconds that training took.

    Raises:
        Stopped: after Ctrl-C, with a checkpoint written.
        CcaError: the folder holds a run of other settings.
    """
    folder, settings, plan = runs / run.name, bench.train_settings(run, alpha), bench.plan(run)
    last, constant, state = folder / "last.pt", runs / run.against().name / "constant.pt", None
    if resume := last.exists():
        state = _own(last, settings, plan, photos)
    elif run.arm == "longer" and constant.exists():
        state = _own(constant, settings, bench.plan(run.against()), photos)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(constant.with_name("log.jsonl"), folder / "log.jsonl")
    trainer = _Trainer(folder, run.preset, photos, settings, plan=plan, state=state, resume=resume, progress=progress)
    trainer.every = math.ceil(plan.total / run.snapshots) if run.snapshots else 0
    return trainer.train(), trainer.seconds


def _own(path: Path, settings: Settings, plan: Plan, photos: Photos) -> dict:
    """A checkpoint of the run that it should be of. Raises CcaError."""
    state = checkpoint.load(path)
    if (Settings(**state["settings"]), state["plan"], state["photos"]) != (
        settings, dataclasses.asdict(plan), photos.fingerprint,
    ):  # fmt: skip
        raise CcaError(f"{path}: of other settings, steps or photographs; remove {path.parent}")
    return state
