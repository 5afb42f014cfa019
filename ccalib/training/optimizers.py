"""Which optimizer steps which parameter, at which rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ccalib.training.losses import Objective
from ccalib.training.muon import ConvMuon, is_matrix

if TYPE_CHECKING:
    from ccalib.training.settings import Settings

BETAS = (0.9, 0.99)  # with 0.999 a parameter whose gradient suddenly grows jumps 30 learning rates, and a run blew up


def optimizers(objective: Objective, settings: Settings) -> dict[str, torch.optim.Optimizer]:
    """`codec`, `quantiles`, and for the honest loss `auxiliary`: each parameter is in exactly one."""
    quantiles, klt, gains, rest, auxiliary, matrices = [], [], [], [], [], []
    for name, p in objective.named_parameters():
        part = name.split(".")[1]
        own = part == "auxiliary" and settings.loss == "honest"
        home = auxiliary if own else {"klt": klt, "hyper_klt": klt, "gains": gains}.get(part, rest)
        home = klt if ".h_s.linear." in name else home
        if settings.optimizer == "muon" and home is rest and is_matrix(p):
            home = matrices
        (quantiles if name.endswith("quantiles") else home).append(p)
    groups = [{"params": rest, "lr": settings.lr}]
    groups += [{"params": klt, "lr": settings.lr * settings.klt_rate}] if klt else []
    groups += [{"params": gains, "lr": settings.lr * settings.gain_rate}] if gains else []
    result = {"codec": torch.optim.Adam(groups, betas=BETAS, fused=True)}
    result["quantiles"] = torch.optim.Adam([{"params": quantiles, "lr": settings.quantile_lr}])
    if matrices:
        result["matrices"] = ConvMuon([{"params": matrices, "lr": settings.lr}])
    if auxiliary:
        result["auxiliary"] = torch.optim.Adam([{"params": auxiliary, "lr": settings.lr}], betas=BETAS, fused=True)
    return result
