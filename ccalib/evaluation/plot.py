"""The rate–distortion plot of `ccalib evaluate`."""

from __future__ import annotations

from pathlib import Path

from ccalib.evaluation.evaluate import OURS

# Okabe and Ito's colours, safe for colour-blind readers; markers tell curves apart without colour
STYLES = {OURS: ("#0072B2", "o"), "jpeg": ("#D55E00", "s"), "webp": ("#009E73", "^"), "jpeg2000": ("#CC79A7", "D"),
          "avif": ("#E69F00", "v")}  # fmt: skip


def plot_curves(result: dict, path: Path) -> None:
    """Mean PSNR over mean rate of every codec in the results, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in result["curves"].items():
        color, marker = STYLES.get(name, ("#444444", "x"))
        axes.plot([p["bpp"] for p in curve], [p["psnr"] for p in curve], marker=marker, color=color, label=name)
    axes.set(xlabel="bits per pixel (real files)", ylabel="PSNR (dB)", xlim=(0, 1.6), title=f"{result['set']}, means")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
