import subprocess
import sys

from ccalib.model.borrowed import lean

HEAVY = {"pandas", "torch._dynamo", "torch_geometric", "torchvision"}
PUT_OFF = f"""
import sys
import ccalib.model.borrowed
assert not {HEAVY} & sys.modules.keys(), "loaded at once"
import compressai
from compressai.datasets import ImageFolder  # now they are asked for
import torchvision.transforms
assert compressai.transforms.RGB2YCbCr.__module__ == "compressai.transforms.transforms"
assert torchvision.transforms.ToTensor and compressai.zoo.bmshj2018_factorized
from compressai.registry import DATASETS, MODELS, TRANSFORMS
assert DATASETS["ImageFolder"] is ImageFolder and "bmshj2018-factorized" in MODELS and "SamplePointsV2" in TRANSFORMS
"""


def test_what_is_put_off_is_there_when_asked_for():
    subprocess.run([sys.executable, "-W", "ignore", "-c", PUT_OFF], check=True)


def test_an_import_before_is_left_alone():
    before = dict(sys.modules)
    with lean():
        assert sys.modules == before
