"""What the course takes from CompressAI: entropy models, their range coder, the base class of its models.

`import compressai` takes as long as torch itself: its datasets and transforms, also those of point clouds, import
pandas, torchvision and torch_geometric, and with them torch's compiler. Nothing here needs those, so they are put off:
`compressai.datasets` and `compressai.transforms` load when something in them is asked for. Its table of transforms by
name (for training from configuration files, which ccalib has none of) lacks those of torchvision and torch_geometric;
who wants it whole imports compressai before ccalib, and then nothing is put off.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterator

LATER = ("compressai.datasets", "compressai.transforms")
TABLED = ("torchvision", "torch_geometric")  # `compressai.registry` lists the names in their `transforms`


@contextlib.contextmanager
def lean() -> Iterator[None]:
    """Inside, `import compressai` loads no datasets and no transforms; afterwards imports do what they always do."""
    found = importlib.util.find_spec("compressai")
    if "compressai" in sys.modules or found is None:
        yield
        return
    for name in LATER:
        sys.modules[name] = _on_demand(name, found.submodule_search_locations)
    empty = {}
    for name in TABLED:
        if name not in sys.modules:
            empty[name], empty[f"{name}.transforms"] = types.ModuleType(name), types.ModuleType(f"{name}.transforms")
            empty[name].transforms = empty[f"{name}.transforms"]
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]


def _on_demand(name: str, where: list[str]) -> types.ModuleType:
    """A package of CompressAI that runs when an attribute is asked for that it hasn't got yet."""
    spec = importlib.machinery.PathFinder.find_spec(name, where)
    module = importlib.util.module_from_spec(spec)

    def load(attribute: str) -> object:
        del module.__getattr__
        spec.loader.exec_module(module)
        return getattr(module, attribute)

    module.__getattr__ = load
    return module


with lean():
    from compressai import ans
    from compressai.entropy_models import EntropyBottleneck, GaussianConditional
    from compressai.entropy_models.entropy_models import EntropyModel
    from compressai.models import CompressionModel, JointAutoregressiveHierarchicalPriors, ScaleHyperprior
    from compressai.models.utils import remap_old_keys
    from compressai.ops import LowerBound

__all__ = ["CompressionModel", "EntropyBottleneck", "EntropyModel", "GaussianConditional",
           "JointAutoregressiveHierarchicalPriors", "LowerBound", "ScaleHyperprior", "ans",
           "remap_old_keys"]  # fmt: skip
