"""Rewrite the figures here from the full ones: python tests/official/make.py FOLDER

FOLDER holds what the authors' released code computes on regenerated weights: parity_parameters.tsv, and for each kind
of weights its JSON and NPZ. Of large arrays every STRIDE-th value is kept, of y and its parameters groups 1 and 5.
"""

import json
import sys
from pathlib import Path

import numpy as np

STRIDE = 13
KINDS = {"plain": "parity", "conditioned": "conditioned"}

if __name__ == "__main__":
    source, here = Path(sys.argv[1]), Path(__file__).parent
    (here / "parameters.tsv").write_text((source / "parity_parameters.tsv").read_text())
    for kind, name in KINDS.items():
        arrays = np.load(source / f"{name}.npz")
        np.savez_compressed(here / f"{kind}.npz", **{k: arrays[k].reshape(-1)[::STRIDE] for k in arrays.files})
        (here / f"{kind}.json").write_text(json.dumps(json.loads((source / f"{name}.json").read_text())) + "\n")
