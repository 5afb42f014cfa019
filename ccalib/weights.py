"""Weights on disk: safetensors with the preset, the integer CDF tables and a fingerprint; found by name or fingerprint.

What is stored is what is evaluated: the entropy path of exact presets as 16-bit integers (multiples of 2⁻¹⁰), other
large tensors in half precision, the rest in single. Tables are stored, never recomputed at decoding.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model import exact, rans
from ccalib.model.codec import Codec
from ccalib.model.presets import Preset

FORMAT = "ccalib-weights-1"
HALF_FROM = 1024  # elements; smaller tensors stay in single precision
TABLES = {"y": "gaussian", "z": "z_prior"}


def folders() -> list[Path]:
    """Where weights are looked for: $CCALIB_DATA/weights, the clone's data/weights, and `retired/` in each."""
    roots = [Path(os.environ["CCALIB_DATA"])] if os.environ.get("CCALIB_DATA") else []
    roots.append(Path(__file__).resolve().parent.parent / "data")
    return [root / "weights" / sub for root in roots for sub in ("", "retired")]


def save(codec: Codec, path: Path, card: dict | None = None) -> str:
    """Round the codec as it will be stored, build its tables, and write both. The codec becomes what is stored.

    Args:
        card: anything JSON that describes the training (kept in the file's metadata).
    Returns:
        the fingerprint, 16 hexadecimal digits.
    """
    codec.eval()
    stored: dict[str, Tensor] = {}
    with torch.no_grad():
        codec.update()
        if codec.preset.exact:
            exact.round_weights(codec.path)
        for name, p in codec.named_parameters():
            if codec.preset.exact and name.startswith("path."):
                stored[name] = (p / exact.WEIGHT_STEP).to(torch.int16)
            else:
                stored[name] = p.to(
                    torch.float16 if p.numel() >= HALF_FROM and not name.startswith("z_prior") else p.dtype
                )
                p.copy_(stored[name].float())
            stored[name] = stored[name].detach().contiguous().cpu()
    codec.eval()
    for name, table in codec.tables().items():
        rows = [row[:length] for row, length in zip(table.cdf, table.length, strict=True)]
        stored[f"tables.{name}.cdf"] = torch.from_numpy(np.concatenate(rows))
        stored[f"tables.{name}.length"] = torch.from_numpy(table.length)
        stored[f"tables.{name}.offset"] = torch.from_numpy(table.offset)
    mark = fingerprint(codec.preset, stored)
    metadata = {"format": FORMAT, "preset": codec.preset.to_json(), "fingerprint": mark, "card": json.dumps(card or {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
    save_file(stored, temporary, metadata)
    temporary.chmod(0o644)  # safetensors writes for the owner alone; a lab shares
    os.replace(temporary, path)
    codec.fingerprint = mark
    return mark


def fingerprint(preset: Preset, tensors: dict[str, Tensor]) -> str:
    """16 hexadecimal digits of SHA-256 over the preset and each stored tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(preset.to_json().encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()[:16]


def load(model: str | Path | Codec = "small") -> Codec:
    """A codec ready to encode and decode: a name such as "small", a fingerprint, a path, or a codec (given back).

    Raises:
        CcaError: not found (it says where it looked), damaged, or not ccalib weights.
    """
    if isinstance(model, Codec):
        return model
    path = find(model)
    return _read(path, path.stat().st_mtime_ns)


def find(model: str | Path) -> Path:
    """The file of a name, a fingerprint or a path. Raises CcaError."""
    if Path(model).suffix == ".safetensors":
        if not Path(model).is_file():
            raise CcaError(f"{model}: no such weights")
        return Path(model)
    for folder in folders():
        if (folder / f"{model}.safetensors").is_file():
            return folder / f"{model}.safetensors"
    for folder in folders():
        for file in sorted(folder.glob("*.safetensors")):
            if metadata(file).get("fingerprint") == str(model):
                return file
    looked = ", ".join(str(f) for f in folders())
    raise CcaError(
        f"weights: no model with name or fingerprint {model} in {looked} (set CCALIB_DATA to look elsewhere)"
    )


def metadata(path: Path) -> dict[str, str]:
    """The strings stored beside the tensors: format, preset, fingerprint, card. Raises CcaError."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CcaError(f"{path}: not a safetensors file, or damaged ({error})") from error


@functools.lru_cache(maxsize=4)
def _read(path: Path, modified: int) -> Codec:
    meta = metadata(path)
    if meta.get("format") != FORMAT:
        raise CcaError(f"{path}: not ccalib weights of format {FORMAT}")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    preset = Preset.from_json(meta["preset"])
    if fingerprint(preset, tensors) != meta.get("fingerprint"):
        raise CcaError(f"{path}: damaged: the fingerprint doesn't match the tensors")
    codec = Codec(preset)
    with torch.no_grad():
        for name, p in codec.named_parameters():
            if name not in tensors or tensors[name].shape != p.shape:
                raise CcaError(f"{path}: tensor {name}: missing, or of another shape than {tuple(p.shape)}")
            p.copy_(tensors[name].float() * (exact.WEIGHT_STEP if tensors[name].dtype == torch.int16 else 1))
    for name, module in TABLES.items():
        flat, length, offset = (tensors[f"tables.{name}.{part}"] for part in ("cdf", "length", "offset"))
        rows = [row.tolist() for row in flat.split(length.tolist())]
        longest = int(length.max())
        cdf = torch.tensor([row + [0] * (longest - len(row)) for row in rows], dtype=torch.int32)
        target = getattr(codec, module)
        target._quantized_cdf, target._cdf_length, target._offset = cdf, length.int(), offset.int()
        rans.Tables.of(target).check(f"{path}: tables of {name}")
    codec.requires_grad_(False).eval()
    codec.fingerprint = meta["fingerprint"]
    return codec
