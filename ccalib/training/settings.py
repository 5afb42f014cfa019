"""What decides a run's result besides preset, photographs and plan."""

from __future__ import annotations

import dataclasses
import math

from ccalib.errors import CcaError

LOSSES = ("plain", "honest", "released")
OPTIMIZERS = ("adam", "muon")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Stored in each checkpoint; each field is an option of `ccalib train`."""

    loss: str = "plain"
    alpha: float = 0.0
    alpha_fall: float = 0.0
    seed: int = 0
    batch: int = 8
    crop: int = 128
    optimizer: str = "adam"
    lr: float = 1e-3
    klt_rate: float = 0.02  # factors of lr
    gain_rate: float = 0.1
    quantile_lr: float = 1e-2
    clip: float = 1.0
    ema: float = 0.99  # a longer average trails behind a decaying rate
    weight_power: float = 0.5
    warmup: int = 200
    decay: float = 0.3
    bf16: bool = False
    freeze: float = 0.0  # share of the decaying steps, the last of them, with a frozen analysis
    log_every: int = 50
    checkpoint_minutes: float = 5.0
    validate_minutes: float = 0.0  # 0: at the end only

    def check(self) -> Settings:
        """These settings, if a training can begin with them. Raises CcaError: names the option."""
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            number = not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
            if not (number if kind is float else type(value) is kind):
                raise CcaError(f"{_option(field.name)}: {KINDS[kind]}, not {value!r}")
        for names, allowed, text in RULES:
            for name in names.split():
                if not allowed(getattr(self, name)):
                    raise CcaError(f"{_option(name)}: {text}, not {getattr(self, name)}")
        return self


KINDS = {float: "a number", int: "a whole number", str: "a name", bool: "true or false"}
RULES = (
    ("loss", LOSSES.__contains__, "plain, honest or released"),
    ("optimizer", OPTIMIZERS.__contains__, "adam or muon"),
    ("crop", lambda v: v > 0 and v % 64 == 0, "a multiple of 64"),
    ("batch log_every", lambda v: v >= 1, "at least 1"),
    ("lr quantile_lr clip", lambda v: v > 0, "above 0"),
    ("ema", lambda v: 0 <= v < 1, "from 0 to below 1"),
    ("alpha_fall decay freeze", lambda v: 0 <= v <= 1, "a share from 0 to 1"),
    ("seed", lambda v: 0 <= v < 2**32, "from 0 to 4294967295"),
    ("alpha klt_rate gain_rate warmup checkpoint_minutes validate_minutes", lambda v: v >= 0, "0 or more"),
)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
