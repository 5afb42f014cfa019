"""`ccalib doctor`: versions, weights, a real encode and decode; and what to do where something is wrong."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from pathlib import Path

PACKAGES = (
    "torch",
    "compressai",
    "numpy",
    "pillow",
    "jupyterlab",
    "ipywidgets",
    "anywidget",
    "matplotlib",
    "safetensors",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="small", help="weights to try (default: small)")


def run(args: argparse.Namespace) -> int:
    """Print a line per check; 1 if any failed."""
    checks = [("Python 3.10–3.12", _python), ("packages", _packages), ("weights", lambda: _weights(args.model)),
              ("a photograph there and back", lambda: _round_trip(args.model))]  # fmt: skip
    failed = 0
    for name, check in checks:
        try:
            print(f"ok    {name}: {check()}")
        except Exception as error:  # noqa: BLE001 - the doctor reports whatever it meets
            failed += 1
            print(f"FAIL  {name}: {error}")
    print("All is well: `make lab` opens the course." if not failed else "See README.md, section Set-up.")
    return 1 if failed else 0


def _python() -> str:
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        raise RuntimeError(f"this is {platform.python_version()}; compressai has wheels for 3.10, 3.11 and 3.12")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _packages() -> str:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        raise RuntimeError(f"missing: {', '.join(missing)}; run `make .venv`, or `pip install -e .`")
    return ", ".join(found)


def _weights(model: str) -> str:
    from ccalib import weights

    path = weights.find(model)
    codec = weights.load(path)
    data = os.environ.get("CCALIB_DATA")
    note = f"; but CCALIB_DATA={data}: no such folder" if data and not Path(data).expanduser().is_dir() else ""
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB, fingerprint {codec.fingerprint}){note}"


def _round_trip(model: str) -> str:
    import numpy as np

    from ccalib.files.coding import decode, encode

    rows, columns = np.mgrid[0:256, 0:384]
    waves = [np.sin(columns / (9 + c)) + np.cos(rows / (7 + c)) for c in range(3)]
    picture = ((np.stack(waves, axis=-1) + 2) * 63).astype(np.uint8)
    start = time.perf_counter()
    data = encode(picture, None, model)
    middle = time.perf_counter()
    image = decode(data, model=model)
    if image.size != (384, 256):
        raise RuntimeError(f"decoded to {image.size}")
    return f"{len(data)} bytes, encoded in {middle - start:.2f} s, decoded in {time.perf_counter() - middle:.2f} s"
