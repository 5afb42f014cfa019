import dataclasses
import math

import pytest

from ccalib import CcaError
from ccalib.training import command
from ccalib.training.settings import Settings


def test_what_can_be_trained_with_is_given_back():
    for settings in (Settings(), Settings(loss="honest", alpha=1, freeze=1.0, klt_rate=0, warmup=0)):
        assert settings.check() is settings


@pytest.mark.parametrize(
    "name, value, why",
    [
        ("loss", "kind", "--loss: plain, honest or released, not kind"), ("optimizer", "sgd", "--optimizer: adam"),
        ("crop", 100, "--crop: a multiple of 64"), ("crop", -64, "--crop: a multiple"), ("batch", 0, "--batch: at"),
        ("batch", 2.5, "--batch: a whole number"), ("batch", True, "--batch: a whole"), ("seed", -1, "--seed: from 0"),
        ("seed", 2**32, "--seed: from 0"),
        ("lr", 0, "--lr: above 0"), ("lr", math.nan, "--lr: a number"), ("lr", "1", "--lr: a number"),
        ("ema", 1.0, "--ema: from 0 to"), ("alpha_fall", 1.1, "--alpha-fall: a share"), ("bf16", 1, "--bf16: t"),
        ("freeze", -0.1, "--freeze: a share from 0 to 1"), ("log_every", 0, "--log-every: at least 1"),
    ],
)  # fmt: skip
def test_what_cannot_is_refused_by_its_option(name, value, why):
    with pytest.raises(CcaError) as error:
        dataclasses.replace(Settings(), **{name: value}).check()
    assert str(error.value).startswith(why)


def test_options_are_settings():
    fields = {field.name: type(field.default) for field in dataclasses.fields(Settings)}
    assert {name: kind for name, (kind, _) in command.SETTINGS.items()}.items() <= fields.items()
