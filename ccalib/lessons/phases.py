"""Where the CCA loss takes the two scalars, over α and λ: `python -m ccalib.lessons.phases` rewrites the map.

For each α and λ the smallest J = R + λD − αI, counted exactly, is looked for in three valleys: *upright* (two arrows at
right angles, any lengths, turned at will), *scissors* (two alike arrows around the strong axis) and *copy* (two alike
arrows in one direction, where R₂|₁ = 0 and I = R₁). Scissors are then let go, in angles and lengths both.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import matplotlib
import matplotlib.colors
import numpy as np
from scipy.optimize import minimize, minimize_scalar
from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.files.coding import write
from ccalib.lessons.toy import RHO, Count, arrows, count, scissors_angle

RESULT = Path(__file__).resolve().parents[2] / "data" / "results" / "toy_phases.json"
ALPHAS = [round(0.05 * i, 2) for i in range(20)]  # 0 … 0.95
LAMBDAS = [round(2**e, 3) for e in np.arange(-1, 8.01, 0.5)]  # 0.5 … 256
GAIN = math.log(0.02), math.log(20.0)  # arrows are looked for between these lengths
VALLEYS = ("upright", "scissors", "copy")
TIE = 2e-4  # bits; of valleys as low as each other the first is named (without the reward many poses are)
NARROW = math.radians(1.0)  # arrows closer than this are one


def counted(place: np.ndarray) -> Count:
    """The pose at (angle₁, angle₂, ln gain₁, ln gain₂)."""
    return count(arrows(place[:2], np.exp(np.clip(place[2:], *GAIN))))


def loss(place: np.ndarray, lam: float, alpha: float) -> float:
    """J there; outside the lengths allowed it rises."""
    over = np.abs(place[2:] - np.clip(place[2:], *GAIN)).sum()
    return counted(place).cca(lam, alpha) + 10 * over


def downhill(start: np.ndarray, size: float, lam: float, alpha: float) -> np.ndarray:
    """The bottom of the valley around a start, by Nelder and Mead's simplex of a given size."""
    simplex = np.vstack([start, start + size * np.eye(4)])
    options = {"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-6, "maxfev": 400}
    return minimize(loss, start, args=(lam, alpha), method="Nelder-Mead", options=options).x


def valleys(lam: float, alpha: float) -> dict[str, np.ndarray]:
    """The lowest place of each valley; no scissors where they close by themselves."""
    fine = float(np.clip(0.5 * math.log(2 * math.log(2) * lam / 6), *GAIN))  # log of the gain at a fine step
    one = minimize_scalar(lambda g: loss(np.array([0, 0, g, g]), lam, alpha), bounds=GAIN, method="bounded").x
    found = {"copy": np.array([0, 0, one, one])}
    upright = [np.array([turn, turn + math.pi / 2, fine, fine]) for turn in (0, math.pi / 4)]
    upright.append(np.array([0, math.pi / 2, one, GAIN[0]]))  # the second one dead

    def straight(place: np.ndarray) -> float:
        return loss(np.array([place[0], place[0] + math.pi / 2, *place[1:]]), lam, alpha)

    ends = [minimize(straight, p[[0, 2, 3]], method="Nelder-Mead", options={"maxfev": 250, "fatol": 1e-6})
            for p in upright]  # fmt: skip
    turn, first, second = min(ends, key=lambda end: end.fun).x
    found["upright"] = np.array([turn, turn + math.pi / 2, first, second])

    def mirrored(place: np.ndarray) -> float:
        return loss(np.array([-place[0], place[0], place[1], place[1]]), lam, alpha)

    half = scissors_angle(alpha) / 2
    start = [half, fine - math.log(math.sin(2 * half))]
    half, gain = minimize(mirrored, start, method="Nelder-Mead", options={"maxfev": 200, "fatol": 1e-6}).x
    free = downhill(np.array([-half, half, gain, gain]), 0.05, lam, alpha)
    if opening(free) > NARROW and counted(free).r2_given_1 > 0.02:
        found["scissors"] = free
    return found


def opening(place: np.ndarray) -> float:
    """Angle between both arrows' lines, 0 … π/2."""
    apart = abs(place[0] - place[1]) % math.pi
    return min(apart, math.pi - apart)


def point(lam: float, alpha: float) -> dict:
    """What the map holds at one place: J of each valley (None: there is none), and all about the lowest."""
    found = valleys(lam, alpha)
    losses = {name: loss(place, lam, alpha) for name, place in found.items()}
    best = next(v for v in VALLEYS if losses.get(v, math.inf) < min(losses.values()) + TIE)
    c, place = counted(found[best]), found[best]
    return {
        "valley": best, "j": [round(losses[v], 4) if v in losses else None for v in VALLEYS],
        "opening": round(math.degrees(opening(place)), 1),
        "scissors": round(math.degrees(opening(found["scissors"])), 1) if "scissors" in found else None,
        "angles": [round(math.degrees(a), 1) for a in place[:2]],
        "gains": [round(float(g), 3) for g in np.exp(np.clip(place[2:], *GAIN))],
        "rate": round(c.rate, 4), "gain": round(max(c.gain, 0.0), 4), "d": round(c.d, 5),
        "plain": round(c.rate + lam * c.d, 4),
    }  # fmt: skip


def load_phases(path: Path = RESULT) -> dict:
    """The stored map: `alphas`, `lambdas`, `valleys`, and `points`, a row for each λ.

    Raises:
        CcaError: it isn't there, or isn't a map.
    """
    try:
        phases = json.loads(path.read_text())
        complete = [len(row) for row in phases["points"]] == [len(phases["alphas"])] * len(phases["lambdas"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CcaError(f"{path}: no map of phases; `python -m ccalib.lessons.phases` makes it ({error})") from error
    if not complete:
        raise CcaError(f"{path}: points: not one for each alpha and lambda")
    return phases


def opening_color(degrees: float) -> str:
    """What an angle between the arrows is drawn in, 0 … 90°: cividis, from blue to yellow."""
    return matplotlib.colors.to_hex(matplotlib.colormaps["cividis"](degrees / 90))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ccalib.lessons.phases", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=RESULT, help="default: %(default)s")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args()
    bar = tqdm([(lam, alpha) for lam in LAMBDAS for alpha in ALPHAS], disable=args.quiet or None, unit="point")
    points = [point(lam, alpha) for lam, alpha in bar]
    rows = [points[i : i + len(ALPHAS)] for i in range(0, len(points), len(ALPHAS))]
    result = {"rho": RHO, "alphas": ALPHAS, "lambdas": LAMBDAS, "valleys": VALLEYS, "points": rows}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write(args.output, (json.dumps(result, separators=(",", ":")) + "\n").encode())
    print(f"{args.output}: {len(points)} points")


if __name__ == "__main__":
    main()
