"""Exam questions with permuted numbers, from pixels to groups (lessons 00 to 06). Answers by the package's functions.

A maker takes a random generator and returns a question; it draws again until the numbers are worth asking for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ccalib.evaluation.metrics import mse, psnr
from ccalib.files import container
from ccalib.lessons.bought import Purchase
from ccalib.lessons.coding import entropy, table_bits
from ccalib.lessons.filling import fill
from ccalib.lessons.teaching import byhand
from ccalib.lessons.toy import rotation_gain, variances
from ccalib.model.groups import group_sizes
from ccalib.model.layers import ste_round
from ccalib.model.rans import Tables

Answer = float | int | str | tuple


@dataclass(frozen=True)
class Part:
    """One thing asked. `digits` after the decimal point are wanted; an answer may be several numbers, or words."""

    ask: str
    answer: Answer
    unit: str = ""
    digits: int = 2

    def __str__(self) -> str:
        values = self.answer if isinstance(self.answer, tuple) else (self.answer,)
        told = (v if isinstance(v, str) else f"{v + 0.0:.{0 if isinstance(v, int) else self.digits}f}" for v in values)
        return f"{', '.join(told)} {self.unit}".strip()


@dataclass(frozen=True)
class Question:
    """A question of one lesson.

    Attributes:
        given: the numbers that its answers depend on, for whoever wants to check them.
        table: rows of text, the first of them headings. figure: SVG.
    """

    kind: str
    lesson: str
    title: str
    text: str
    parts: tuple[Part, ...]
    given: dict
    table: Sequence[Sequence[str]] = ()
    figure: str = ""


Maker = Callable[[np.random.Generator], Question]


def drawn(draw: Callable[[], object], good: Callable[[object], bool]) -> object:
    """The first draw that is good."""
    while not good(found := draw()):
        pass
    return found


def pixels(rng: np.random.Generator) -> Question:
    original = rng.integers(60, 200, (2, 4))
    error = drawn(lambda: rng.integers(-4, 5, (2, 4)), lambda e: (e != 0).sum() > 4)
    pictures = [Image.fromarray(values.astype(np.uint8)) for values in (original, original + error)]
    found = psnr(*pictures)
    table = [["original", *map(str, original.ravel())], ["decoded", *map(str, (original + error).ravel())]]
    parts = (
        Part("the mean squared error", mse(*pictures), "", 3),
        Part("the PSNR", found, "dB", 1),
        Part("the PSNR after the error has been halved", found - 10 * math.log10(0.5), "dB", 1),
    )
    text = "Eight gray pixels (0 … 255), before and after a codec."
    return Question("pixels", "00", "Error and PSNR", text, parts, {"original": original, "error": error}, table)


def transform(rng: np.random.Generator) -> Question:
    variance, rho = float(rng.choice([1, 2, 4, 5])), float(rng.choice([0.6, 0.7, 0.75, 0.8, 0.9]))
    angle = int(rng.choice([15, 20, 30, 45]))
    covariance = variance * np.array([[1, rho], [rho, 1]])
    high, low = variances(covariance)
    parts = (
        Part("the variances along the two KLT axes, the larger first", (high, low)),
        Part("the share of the energy on the first axis", 100 * high / (high + low), "%", 0),
        Part(f"both axes are turned by {angle}°: the gain I at a fine step, in bits",
             rotation_gain(math.radians(angle), covariance), "bits"),
        Part("by how many bits the file of a pair changes through this turn, at a fine step", 0.0, "bits", 0),
    )  # fmt: skip
    text = (f"Two neighboring pixels vary alike: each has variance {variance:g}, their correlation is {rho:g}. "
            "Turned by φ from the KLT, I = ½ log₂(1 + (λ₁ − λ₂)² sin² 2φ / (4 λ₁ λ₂)).")  # fmt: skip
    given = {"variance": variance, "rho": rho, "angle": angle}
    return Question("transform", "01, 05", "Two pixels, two axes", text, parts, given)


def code_length(rng: np.random.Generator) -> Question:
    chances = rng.permutation([8, 4, 2, 2])
    counts = drawn(lambda: rng.permutation([4, 2, 1, 1]), lambda c: (c * 2 != chances).any())
    message = rng.permutation(np.repeat(np.arange(4), counts))
    # the coder's table: 16-bit chances of the four symbols, and a last entry that is never used
    cdf = np.append(np.concatenate(([0], np.cumsum(chances) * 4096))[:4], [2**16 - 1, 2**16])
    cdf = cdf[None].astype(np.int32)
    tables = Tables(cdf, np.array([6], np.int32), np.array([0], np.int32))
    cost = round(float(table_bits(message, np.zeros_like(message), tables).sum()), 2)
    least = len(message) * entropy(counts)
    parts = (
        Part("the bits of the message, for a coder that believes in these chances", cost, "bits", 0),
        Part("the bits for a coder that believes in the message's own shares", least, "bits", 0),
        Part("the fine for the wrong belief, KL(q‖p), in bits a symbol", (cost - least) / len(message), "bits"),
    )
    letters = "".join("abcd"[s] for s in message)
    table = [["symbol", *"abcd"], ["believed chance", *(f"{n}/16" for n in chances)]]
    text = f"The message is <b>{letters}</b>."
    given = {"chances": chances, "message": message}
    return Question("code_length", "02", "The length of a code", text, parts, given, table)


def centered(rng: np.random.Generator) -> Question:
    far = lambda values: (np.abs(values - np.floor(values) - 0.5) > 0.05).all()
    draw = lambda: np.stack([rng.integers(-30, 60, 2), rng.integers(-30, 60, 2)]) / 10
    off = lambda values: (np.abs(values - np.round(values)) > 0.05).all()
    lost = lambda values: np.square(values - np.round(values)).sum()

    def good(pair: np.ndarray) -> bool:
        y, rest = pair[0], pair[0] - pair[1]
        clear = all(far(v) and off(v) for v in (y, rest))
        return clear and np.abs(rest).max() < 2.4 and abs(lost(y) - lost(rest)) > 0.03

    y, mean = drawn(draw, good)
    symbols = ste_round(torch.from_numpy(y - mean)).numpy()
    plain = ste_round(torch.from_numpy(y)).numpy()
    parts = (
        Part("the symbols, rounded around the mean", tuple(int(s) for s in symbols)),
        Part("what the decoder takes for the two latents", tuple(symbols + mean), "", 1),
        Part("the squared error of both together", float(np.square(symbols + mean - y).sum()), "", 2),
        Part("the squared error with plain rounding, round(y)", float(np.square(plain - y).sum()), "", 2),
    )
    table = [["latent y", *(f"{v:.1f}" for v in y)], ["predicted mean μ", *(f"{v:.1f}" for v in mean)]]
    text = "Two latents and what z predicts for them."
    return Question("centered", "03", "Rounding around the mean", text, parts, {"y": y, "mean": mean}, table)


def table_of_two(rng: np.random.Generator) -> Question:
    def good(counts: np.ndarray) -> bool:
        found = byhand.joint(counts)
        return counts.min() > 0 and 0.05 < found.gain < 0.7 and abs(found.a - found.b) > 0.02

    counts = drawn(lambda: rng.multinomial(16, rng.dirichlet(np.ones(4))).reshape(2, 2), good)
    found = byhand.joint(counts.tolist())
    parts = (
        Part("H(A) and H(B)", (found.a, found.b), "bits"),
        Part("H(A, B)", found.both, "bits"),
        Part("H(B|A)", found.b_given_a, "bits"),
        Part("the information gain I(A; B)", found.gain, "bits"),
    )
    table = [["", "B = 0", "B = 1"], *([f"A = {a}", *map(str, row)] for a, row in enumerate(counts))]
    text = "Sixteen cells of a photograph, counted. (A: on an edge; B: a latent that is not zero.)"
    return Question("table_of_two", "04", "What A tells about B", text, parts, {"counts": counts}, table)


def file_bytes(rng: np.random.Generator) -> Question:
    width, height = int(rng.choice([512, 640, 768])), int(rng.choice([384, 448, 512]))
    z, *groups = lengths = [int(4 * n) for n in np.sort(rng.integers(20, 900, 6))]
    payloads = [bytes(n) for n in lengths]
    steps = 64 * int(rng.integers(1, 7))  # quality in steps of 1/64
    data = container.pack("00" * 8, steps, width, height, payloads, [np.zeros(1, np.int64)] * 6)
    info = container.parse(data)
    inside = int(rng.integers(2, 5))  # the cut lies inside this group, from 1
    at = info.segments[inside].start + int(rng.integers(1, groups[inside - 1]))
    cut = container.parse(data[:at])
    parts = (
        Part("the bytes of the header, and of the whole file", (info.header, info.size)),
        Part("its rate", info.bpp, "bits per pixel", 3),
        Part(f"the file is cut after {at} bytes: the groups that can be decoded", cut.groups),
        Part("the bytes of the cut file that are of no use", cut.dropped),
    )
    table = [["segment", "z", "g1", "g2", "g3", "g4", "g5"], ["bytes", *map(str, lengths)]]
    text = (f"A .cca file of a photograph of {width}×{height} pixels. Its header: 4 bytes of magic and version, 8 of "
            f"the weights' fingerprint; four numbers (quality, stored as {steps}, width, height, groups); for z and "
            "each of the five groups its length and 6 bytes of checksums; at last 2 bytes of checksum. A number takes "
            "a byte for each 7 bits. The segments:")  # fmt: skip
    given = {"lengths": lengths, "width": width, "height": height, "steps": steps, "at": at}
    return Question("file_bytes", "00, 02", "The bytes of a file", text, parts, given, table)


def rulers(rng: np.random.Generator) -> Question:
    with_ = rng.integers(40, 120, 5) / 1000
    gain = np.array([0, *rng.integers(2, 30, 4)]) / 1000
    error = float(rng.choice([-1, 1])) * int(rng.integers(1, 3)) / 1000
    without = with_ + gain + np.array([error, 0, 0, 0, 0])
    z_only = without + np.array([0, 0, *rng.integers(3, 25, 3)]) / 1000
    bought = Purchase("", "", 0, "", 0, 1, with_, without, z_only)
    context = float((z_only - with_)[1:].sum())
    parts = (
        Part("what the group before bought, for g2 to g5", tuple(bought.gain[1:]), "bpp", 3),
        Part("the ruler's error, in % of the bits of g1 by the model that reads all",
             100 * abs(bought.gain[0]) / with_[0], "%", 1),
        Part("the sum of these gains", float(bought.gain[1:].sum()), "bpp", 3),
        Part("what all context is worth, for g2 to g5 together", context, "bpp", 3),
    )  # fmt: skip
    rows = {"all earlier groups": with_, "all but the group before": without, "z only": z_only}
    table = [["a model that reads", "g1", "g2", "g3", "g4", "g5"]]
    table += [[name, *(f"{v:.3f}" for v in values)] for name, values in rows.items()]
    text = "Three models, fitted to one frozen latent in the same way. Bits per pixel of each group (invented figures):"
    given = {"with": with_, "without": without, "z": z_only}
    return Question("rulers", "04", "Read a table: what did the group before buy?", text, parts, given, table)


def schedule(rng: np.random.Generator) -> Question:
    def draw() -> tuple[int, int, int]:
        return int(rng.choice([64, 80, 100, 128, 150, 192, 240, 320])), int(rng.integers(3, 6)), int(rng.integers(1, 3))

    channels, groups, k = drawn(draw, lambda d: d[0] >= 3 * sum(i ** d[2] for i in range(1, d[1] + 1)))
    sizes = group_sizes(channels, groups, k)
    parts = (
        Part("the channels of each group", sizes),
        Part("the channels of earlier groups that the last group's context reads", sum(sizes[:-1])),
        Part("the sequential steps of the decoder, z included", groups + 1),
    )
    text = (f"{channels} channels, {groups} groups, k = {k}: group i gets a share of i<sup>{k}</sup>, rounded down, "
            "the last one what is left.")  # fmt: skip
    return Question("schedule", "06", "A schedule", text, parts, {"M": channels, "G": groups, "k": k})


def water(rng: np.random.Generator) -> Question:
    def draw() -> tuple[np.ndarray, int]:
        return 4.0 ** np.sort(rng.choice(6, 4, replace=False))[::-1], int(rng.integers(3, 8))

    def good(pair: tuple[np.ndarray, int]) -> bool:
        rates, level = fill(*pair)
        return 2 <= (rates > 0).sum() < 4 and (np.abs(np.log2(pair[0] / level)) > 0.1).all()

    values, bits = drawn(draw, good)
    rates, level = fill(values, bits)
    parts = (Part("the bits of each component", tuple(rates), "bits"), Part("the level θ", level, "", 2))
    told = ", ".join(f"{v:.0f}" for v in values)
    text = f"Four uncorrelated normal components have the variances {told}. Spend {bits} bits by reverse water-filling."
    return Question("water", "06", "Water-filling", text, parts, {"variances": values, "bits": bits})
