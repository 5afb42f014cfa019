"""Exam questions with permuted numbers on seeds, training, judging and cost (lessons 06 to 09); see `questions`."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import nn

from ccalib.evaluation.ablation import t_interval
from ccalib.evaluation.complexity import count_macs
from ccalib.evaluation.metrics import bd_rate
from ccalib.lessons.teaching.questions import Part, Question, drawn
from ccalib.model.gains import Gains, lambda_of
from ccalib.model.presets import SMALL

QUANTILES = {2: "12.71", 3: "4.30", 4: "3.18"}  # told to the students; the answers come from `t_interval`
Curve = list[tuple[float, float]]


def seeds(rng: np.random.Generator) -> Question:
    def draw() -> np.ndarray:
        n, center = int(rng.integers(3, 5)), float(rng.choice([-2.5, -1.5, -1.0, -0.4]))
        return np.round(center + rng.normal(0, 0.6, n), 1)

    def good(values: np.ndarray) -> bool:
        found = t_interval(values)
        half = found["high"] - found["mean"]
        return found["mean"] < -0.15 and half > 0.2 and abs(half + found["mean"]) > 0.15 and (values != 0).all()

    values = drawn(draw, good)
    found = t_interval(values)
    parts = (
        Part("the mean", found["mean"], "%", 2),
        Part("both ends of the 95 % t interval", (found["low"], found["high"]), "%", 1),
        Part("may a smaller file be claimed? (yes or no)", "yes" if found["claimed"] else "no"),
    )
    told = ", ".join(f"{v:+.1f}" for v in values)
    text = (f"A new schedule against the old one, the same seed each time; BD-rates in %: {told}. The interval is the "
            f"mean ± {QUANTILES[len(values)]} · s/√n, s the standard deviation (n − 1).")  # fmt: skip
    return Question("seeds", "06", "Do the seeds tell?", text, parts, {"values": values})


def one_training(rng: np.random.Generator) -> Question:
    low = float(rng.choice([0.001, 0.0015, 0.002, 0.0025, 0.003, 0.004, 0.005]))
    high = low * float(rng.choice([9, 16, 25, 36, 49, 64]))
    q = int(rng.choice([2, 4]))
    preset = dataclasses.replace(SMALL, lambdas=(low, high))
    gain = lambda quality: float(Gains(preset).forward_gain(torch.tensor([float(quality)]))[0, 0].detach())
    parts = (
        Part("λ at quality 3", lambda_of(preset, 3), "", 4),
        Part(f"λ at quality {q}", lambda_of(preset, q), "", 4),
        Part("the gain at quality 6 over the gain at quality 0", gain(6) / gain(0), "", 1),
        Part("how many bits more a strong latent costs at quality 6 than at 0", math.log2(gain(6) / gain(0)), "bits"),
    )
    text = (f"One codec serves qualities 0 … 6; λ goes from {low:g} to {high:g}, evenly on a log scale. Gains before "
            "training are as theory at fine steps wants them: proportional to √λ.")  # fmt: skip
    given = {"low": low, "high": high, "q": q}
    return Question("one_training", "02, 07", "One training, every rate", text, parts, given)


def curves(rng: np.random.Generator) -> Question:
    """Two codecs whose rate doubles every so many dB, so that both lines are straight on a log axis."""

    def draw() -> tuple[Curve, Curve]:
        sides = []
        for _ in range(2):
            slope, start = float(rng.choice([2, 2.5, 3])), float(rng.integers(28, 32))
            exponent = int(rng.integers(-4, -1))
            sides.append([(2.0 ** (exponent + i), start + slope * i) for i in range(4)])
        return sides[0], sides[1]

    def good(pair: tuple[Curve, Curve]) -> bool:
        low, high = max(c[0][1] for c in pair), min(c[-1][1] for c in pair)
        return high - low >= 4 and pair[0] != pair[1] and 8 < abs(bd_rate(*pair)["percent"]) < 60

    anchor, test = drawn(draw, good)
    found, back = bd_rate(anchor, test), bd_rate(test, anchor)
    parts = (
        Part("from which to which PSNR the two can be compared", (found["low"], found["high"]), "dB", 1),
        Part("the BD-rate of B against A", found["percent"], "%", 0),
        Part("the BD-rate of A against B", back["percent"], "%", 0),
    )
    text = ("Read both curves off the figure; between the points they are straight lines on this log scale. (The mean "
            "of a straight line is its value in the middle.)")  # fmt: skip
    return Question("curves", "08", "Read a figure: BD-rate", text, parts, {"A": anchor, "B": test},
                    figure=_plot({"A": anchor, "B": test}))  # fmt: skip


def _plot(found: dict[str, Curve]) -> str:
    """PSNR over log₂ rate as SVG, with a grid at every doubling and every dB."""
    points = [p for curve in found.values() for p in curve]
    left, right = (round(f(math.log2(r) for r, _ in points)) for f in (min, max))
    low, high = math.floor(min(db for _, db in points)), math.ceil(max(db for _, db in points))
    x = lambda rate: 40 + 260 * (math.log2(rate) - left) / (right - left)
    y = lambda db: 10 + 170 * (high - db) / (high - low)
    label = "; ".join(f"{n}: " + ", ".join(f"{r:g} bpp {db:g} dB" for r, db in curve) for n, curve in found.items())
    out = [f'<svg viewBox="0 0 330 215" width="120mm" role="img" aria-label="{label}">']
    for e in range(left, right + 1):
        out.append(f'<path d="M{x(2.0**e):.1f} 10V180" stroke="#bbb" stroke-width=".6"/>')
        out.append(f'<text x="{x(2.0**e):.1f}" y="192" font-size="9" text-anchor="middle">{2.0**e:g}</text>')
    for db in range(low, high + 1):
        out.append(f'<path d="M40 {y(db):.1f}H300" stroke="#bbb" stroke-width=".6"/>')
        out.append(f'<text x="35" y="{y(db) + 3:.1f}" font-size="9" text-anchor="end">{db}</text>')
    for dash, (name, curve) in zip(("", ' stroke-dasharray="5 3"'), found.items()):
        path = "L".join(f"{x(r):.1f} {y(db):.1f}" for r, db in curve)
        out.append(f'<path d="M{path}" fill="none" stroke="#000" stroke-width="1.4"{dash}/>')
        out += [f'<circle cx="{x(r):.1f}" cy="{y(db):.1f}" r="2.6"/>' for r, db in curve]
        out.append(f'<text x="{x(curve[-1][0]) + 6:.1f}" y="{y(curve[-1][1]) + 3:.1f}" font-size="11">{name}</text>')
    out.append('<text x="170" y="207" font-size="9" text-anchor="middle">bits per pixel</text>')
    return "".join([*out, '<text x="4" y="18" font-size="9">dB</text></svg>'])


def work(rng: np.random.Generator) -> Question:
    first, second, latent = (int(rng.choice(c)) for c in ([16, 24, 32, 48], [32, 64, 96], [96, 128, 192]))
    kernel = int(rng.choice([3, 5]))
    layers = [nn.Conv2d(3, first, kernel, 2, kernel // 2), nn.Conv2d(first, second, kernel, 2, kernel // 2),
              nn.Conv2d(second, latent, 1)]  # fmt: skip
    net, side = nn.Sequential(*layers), 16
    with torch.inference_mode():
        macs = count_macs({str(i): layer for i, layer in enumerate(layers)}, lambda: net(torch.zeros(1, 3, side, side)))
    kmac = tuple(n / side**2 / 1000 for n in macs.values())
    parts = (
        Part("kMAC a pixel of each layer", kmac, "kMAC", 2),
        Part("their sum", sum(kmac), "kMAC", 2),
        Part("the sum if all numbers of channels but the 3 colors double", _doubled(layers, side), "kMAC", 2),
    )
    text = (f"An analysis: a {kernel}×{kernel} convolution with stride 2 from 3 to {first} channels, another one from "
            f"{first} to {second}, and a 1×1 convolution from {second} to {latent}.")  # fmt: skip
    given = {"kernel": kernel, "channels": (3, first, second, latent)}
    return Question("work", "09", "Multiplications", text, parts, given)


def _doubled(layers: list[nn.Conv2d], side: int) -> float:
    """kMAC a pixel of the same layers with twice the channels everywhere but at the colors."""
    twice = lambda n: n if n == 3 else 2 * n
    net = nn.Sequential(
        *(nn.Conv2d(twice(c.in_channels), twice(c.out_channels), c.kernel_size, c.stride, c.padding) for c in layers)
    )
    with torch.inference_mode():
        return count_macs({"all": net}, lambda: net(torch.zeros(1, 3, side, side)))["all"] / side**2 / 1000
