"""What did the previous group buy? Bits of each group with and without it, by a ruler; the gains as maps and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ccalib.errors import CcaError
from ccalib.images import to_tensor
from ccalib.lessons.inspection import Inspection
from ccalib.model.ruler import Rulers

REFITTED, TRAINING, MASKED = "refitted", "training-time", "masked"
SCORED = {  # ruler -> names in `ccalib.evaluation.rulers.SCORES`: with the previous group, without it
    REFITTED: ("main_coded", "auxiliary_coded"),
    TRAINING: ("codec_plain", "training"),
    MASKED: ("codec_plain", "masked"),
}
WIDTH, ENDS = 0.5, 12.0  # bits; the histogram's bins, and where they end (what lies beyond is in the last ones)
EDGES = np.arange(-ENDS - WIDTH / 2, ENDS + WIDTH, WIDTH)


@dataclasses.dataclass(frozen=True, eq=False)
class Purchase:
    """One photograph under one ruler: bits of each group, and what the group before it bought.

    Attributes:
        image, arm, seed, ruler, step: whose they are (arm: how the codec was trained; step: of its training).
        pixels: of the original photograph.
        with_, without: bits of each group. The first has no group before it: its difference is the ruler's error.
        z_only: bits of each group by a model that reads ẑ alone, fitted like the other two (refitted ruler), or None.
        gains: G×h×w bits bought at each cell, or None where only rates are known.
        counts: G×bins latents by what each gained, for bins between `EDGES`; or None.
        negative: G shares of latents that cost more with the previous group; or None.
    """

    image: str
    arm: str
    seed: int
    ruler: str
    step: int
    pixels: int
    with_: np.ndarray
    without: np.ndarray
    z_only: np.ndarray | None = None
    gains: np.ndarray | None = None
    counts: np.ndarray | None = None
    negative: np.ndarray | None = None

    @property
    def gain(self) -> np.ndarray:
        """G bits that the previous group bought; the first is the ruler's error."""
        return self.without - self.with_

    @property
    def share(self) -> np.ndarray:
        """The gain as a share of R_y, the bits of all groups."""
        return self.gain / self.with_.sum()


def from_bits(
    with_: np.ndarray, without: np.ndarray, z_only: np.ndarray | None, sizes: Sequence[int], pixels: int, image: str,
    ruler: str = REFITTED, arm: str = "plain", seed: int = 0, step: int = 0,
) -> Purchase:  # fmt: skip
    """From bits of each latent, M×h×w, with groups of `sizes` channels."""
    at = np.cumsum(sizes)[:-1]
    gains = np.split(without - with_, at)
    clipped = [np.clip(gain, -ENDS, ENDS).ravel() for gain in gains]
    sums = lambda bits: np.array([group.sum() for group in np.split(bits, at)])
    return Purchase(
        image, arm, seed, ruler, step, pixels, sums(with_), sums(without), None if z_only is None else sums(z_only),
        gains=np.stack([gain.sum(axis=0) for gain in gains]),
        counts=np.stack([np.histogram(gain, EDGES)[0] for gain in clipped]),
        negative=np.array([(gain < 0).mean() for gain in gains]),
    )  # fmt: skip


def from_rates(
    rates: Mapping[str, Sequence[float]], pixels: int, image: str, ruler: str = REFITTED, arm: str = "plain",
    seed: int = 0, step: int = 0,
) -> Purchase:  # fmt: skip
    """From bits per pixel of each group by model, as `data/results/rulers_*.json` have them: no maps, no counts.

    Raises:
        CcaError: the models that this ruler compares are not among them.
    """
    names = SCORED[ruler]
    if ruler == REFITTED and names[0] not in rates:
        names = ("main", "auxiliary")
    missing = [name for name in names if name not in rates]
    if missing:
        raise CcaError(f"{image}: {ruler} ruler: no rates of {', '.join(missing)}")
    with_, without = (pixels * np.asarray(rates[name], dtype=np.float64) for name in names)
    alike = ruler == REFITTED and "hyperprior" in rates
    z_only = pixels * np.asarray(rates["hyperprior"], dtype=np.float64) if alike else None
    return Purchase(image, arm, seed, ruler, step, pixels, with_, without, z_only)


def purchases(
    inspection: Inspection, rulers: Rulers | None = None, arm: str = "plain", seed: int = 0, step: int = 0
) -> list[Purchase]:
    """By the refitted ruler, as the inspector has it; with `rulers`, by the masked and (if the codec has an auxiliary
    model) the training-time ruler, too.
    """
    pixels = inspection.size[0] * inspection.size[1]
    z_only = None if inspection.hyper_only is None else inspection.hyper_only.bits
    whose = {"image": inspection.name, "arm": arm, "seed": seed, "step": step}

    def one(ruler: str, with_: np.ndarray, without: np.ndarray) -> Purchase:
        alike = z_only if ruler == REFITTED else None
        return from_bits(with_, without, alike, inspection.sizes, pixels, ruler=ruler, **whose)

    found = [one(REFITTED, inspection.with_.bits, inspection.without.bits)]
    if rulers is not None:
        from ccalib.evaluation.rulers import per_latent

        x, quality = to_tensor(inspection.photo), torch.tensor([inspection.info.quality])
        bits = {name: one[0].numpy() for name, one in per_latent(inspection.codec, rulers, x, quality)[1].items()}
        for ruler in (TRAINING, MASKED):
            if set(SCORED[ruler]) <= set(bits):
                found.append(one(ruler, *(bits[name].astype(np.float64) for name in SCORED[ruler])))
    return found
