"""ccalib: a course in learned image compression around one real codec.

data = ccalib.encode("photo.png", quality=3)   # bytes of a .cca file
image = ccalib.decode(data)                    # a Pillow image
info = ccalib.inspect(data)                    # header and bytes per group
codec = ccalib.load("small")                   # the model, a torch module
image = PIL.Image.open("a.cca")                # Pillow reads and writes .cca files, once ccalib is imported
"""

from __future__ import annotations

import warnings

from ccalib.errors import CcaError
from ccalib.files import pillow as _pillow  # noqa: F401 - registers itself

# compressai compiles a function on import with what newer torch calls deprecated; a reader can do nothing about it
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)

__version__ = "0.1.0"
__all__ = ["CcaError", "decode", "encode", "images", "inspect", "load", "official", "weights"]

_HOMES = {"encode": "files.coding", "decode": "files.coding", "inspect": "files.coding", "load": "weights"}


def __getattr__(name: str):
    # torch and compressai load on first use, so that `ccalib --help` answers at once
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(f"ccalib.{_HOMES[name]}"), name)
    if name in ("images", "official", "weights"):
        return importlib.import_module(f"ccalib.{name}")
    raise AttributeError(f"module 'ccalib' has no attribute {name!r}")
