"""A stand-in for fitted rulers: fresh models, so that with, without and the codec's own all differ."""

from __future__ import annotations

import torch

from ccalib.model.ruler import Rulers, lean


def fresh_rulers(codec, models=("main", "auxiliary", "hyperprior"), seed: int = 3) -> Rulers:
    """Rulers of a codec's shape whose heads are shaken: they predict badly, and each otherwise."""
    torch.manual_seed(seed)
    rulers = Rulers(lean(codec.preset), models)
    with torch.no_grad():
        for model in rulers.models.values():
            for context in model.groups.contexts:
                for p in context.head.parameters():
                    p.add_(0.05 * torch.randn_like(p))
    return rulers.requires_grad_(False).eval()
