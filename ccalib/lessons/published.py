"""Costs of codecs that others published: facts with their sources, not counted or run here.

Sources count in their own ways, so that their last tenth is not comparable. Curves are those of
`ccalib.evaluation.reference`, and the few below from the same collection.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from torch import nn

from ccalib.errors import CcaError
from ccalib.evaluation import reference
from ccalib.evaluation.metrics import bd_rate
from ccalib.model.borrowed import JointAutoregressiveHierarchicalPriors, ScaleHyperprior

SURVEY = "github.com/NJUVISION/TinyLIC@39b4508:README.md, table 1.3"
HPCM_TABLE = "table 1 of arXiv 2507.19125, as quoted by en.papernotes.org"
ANCHOR = "vtm"

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Published:
    """A codec of the literature.

    Attributes:
        name, year: as it is called, and when it was published.
        curve: its name among the curves.
        parameters: millions; kmac: thousands of multiply–accumulates for each pixel, writing and reading together. None
            where no source is known to us.
        source: of these two.
    """

    name: str
    year: int
    curve: str
    parameters: float | None
    kmac: float | None
    source: str


CODECS = (
    Published("scale hyperprior", 2018, "hyperprior", 11.81, 208.97, SURVEY),
    Published("joint autoregressive", 2018, "mbt2018", 25.50, 224.80, SURVEY),
    Published("ELIC", 2022, "elic", 36.93, 573.88, SURVEY),
    Published("TCM-Large", 2023, "tcm", 76.57, 1823.58, SURVEY),
    Published("FTIC", 2024, "ftic", 70.97, 1096.04, SURVEY),
    Published("CCA", 2024, "cca", None, None, "counted in this lesson"),
    Published("DCAE", 2025, "dcae", None, None, "no source known to us"),
    Published("HPCM-Base", 2025, "hpcm", 68.50, 918.57, HPCM_TABLE),
    Published("HPCM-Large", 2025, "hpcm-large", 89.71, 1261.29, SURVEY),
)

# (bpp, dB) over Kodak as published, for the curves that `reference.json` leaves out; and where from
MORE_CURVES = {
    "ftic": (
        [(0.1294, 29.64), (0.2003, 31.132), (0.2993, 32.702), (0.4372, 34.42), (0.6158, 36.17), (0.842, 37.918)],
        "github.com/qingshi9974/ICLR2024-FTIC@e0d4886:README.md",
    ),
    "dcae": (
        [(0.109, 29.24), (0.175, 30.74), (0.292, 32.68), (0.426, 34.41), (0.593, 36.11), (0.811, 37.87)],
        "github.com/LabShuHangGU/DCAE@bd00306:RD_data.json",
    ),
    "hpcm-large": (
        [(0.0951, 28.9135), (0.1537, 30.449), (0.2438, 32.1219), (0.3778, 33.9923), (0.5516, 35.8511),
         (0.7843, 37.748)],
        "github.com/lyq133/LIC-HPCM@c271cfe:README.md",
    ),
}  # fmt: skip

# Mean seconds for a Kodak image, over the published qualities; one machine, CompressAI's, whose kind it does not name
TIMES_SOURCE = "github.com/InterDigitalInc/CompressAI@869a9f5:results/image/kodak/*.json"
TIMES = {"hyperprior": (0.0442, 0.0292), "mbt2018": (2.7885, 5.9992), "vtm": (125.8698, 0.1324)}


def curve(name: str) -> Points:
    """A published curve over Kodak. Raises CcaError if there is none."""
    if name in MORE_CURVES:
        return MORE_CURVES[name][0]
    kept = json.loads(reference.PATH.read_text())["curves"]
    if name not in kept:
        raise CcaError(f"curve: no {name!r}; there are {', '.join([*kept, *MORE_CURVES])}")
    return [tuple(point) for point in kept[name]["points"]]


def networks() -> dict[str, nn.Module]:
    """Two of these codecs, by the names of their curves, as CompressAI builds them, with random weights."""
    return {"hyperprior": ScaleHyperprior(192, 320), "mbt2018": JointAutoregressiveHierarchicalPriors(192, 320)}


def against_vtm(points: Points) -> float:
    """BD-rate (percent; below 0 is better) against the published curve of VTM, whoever measured `points`."""
    return bd_rate(curve(ANCHOR), points)["percent"]
