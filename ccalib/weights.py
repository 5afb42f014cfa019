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
from ccalib.model.layers import has_bf16
from ccalib.model.presets import Preset

FORMAT = "ccalib-weights-1"
SUFFIX = ".safetensors"
CLONE = Path(__file__).resolve().parent.parent  # of an installed package: a folder without pyproject.toml
HALF_FROM = 1024  # elements; smaller tensors stay in single precision
TABLES = {"y": "gaussian", "z": "z_prior"}


def folders() -> list[Path]:
    """Where names and fingerprints are looked for, in this order: $CCALIB_DATA, the clone's `data`, `retired/` in each.

    $CCALIB_DATA holds `weights/`, or is such a folder itself. An installed package has no `data` of its own.
    """
    roots = [Path(os.environ["CCALIB_DATA"]).expanduser()] if os.environ.get("CCALIB_DATA") else []
    if (CLONE / "pyproject.toml").is_file():
        roots.append(CLONE / "data")
    homes = list(dict.fromkeys(root / "weights" if (root / "weights").is_dir() else root for root in roots))
    return homes + [home / "retired" for home in homes if (home / "retired").is_dir()]


def save(codec: Codec, path: str | Path, card: dict | None = None, half: bool = True) -> str:
    """Round the codec as it will be stored, build its tables, and write both. The codec becomes what is stored.

    Args:
        card: anything JSON that describes the training (kept in the file's metadata).
        half: large tensors in half precision; without, weights that came from elsewhere stay what they are.
    Returns:
        the fingerprint, 16 hexadecimal digits.
    Raises:
        CcaError: the file can't be written; what was there before is untouched.
    """
    path = Path(path)
    codec.eval()
    stored: dict[str, Tensor] = {}
    with torch.no_grad():
        codec.update(force=True, update_quantiles=not codec.updated)  # tables there: its quantiles are meant
        if codec.preset.exact:
            exact.round_weights(codec.path)
        for name, p in codec.named_parameters():
            if name.startswith("auxiliary."):
                continue  # nothing that is coded reads it
            if codec.preset.exact and name.startswith("path."):
                stored[name] = (p / exact.WEIGHT_STEP).to(torch.int16)
            else:
                stored[name] = p.to(
                    torch.float16 if half and p.numel() >= HALF_FROM and not name.startswith("z_prior") else p.dtype
                )
                p.copy_(stored[name].float())
            stored[name] = stored[name].detach().contiguous().cpu()
    codec.eval()
    for name, table in codec.tables().items():
        rows = [row[:length] for row, length in zip(table.cdf, table.length, strict=True)]
        stored[f"tables.{name}.cdf"] = torch.from_numpy(np.concatenate(rows))
        stored[f"tables.{name}.length"] = torch.from_numpy(table.length)
        stored[f"tables.{name}.offset"] = torch.from_numpy(table.offset)
    preset = codec.preset.to_json()
    mark = fingerprint(preset, stored)
    metadata = {"format": FORMAT, "preset": preset, "fingerprint": mark, "card": json.dumps(card or {})}
    write_tensors(path, stored, metadata)
    codec.fingerprint = mark
    return mark


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file, whole or not at all. Raises CcaError: it can't be written."""
    temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(tensors, temporary, metadata)
            temporary.chmod(0o644)  # safetensors writes for the owner alone; a lab shares
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise CcaError(f"{path}: can't be written ({error})") from error


def fingerprint(preset_text: str, tensors: dict[str, Tensor]) -> str:
    """16 hexadecimal digits of SHA-256 over the preset and each stored tensor's name, type, shape and bytes.

    The preset's JSON counts as it is stored, so that a field which presets gain later changes no old fingerprint.
    """
    digest = hashlib.sha256(preset_text.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()[:16]


def load(model: str | Path | Codec = "small", bf16: bool = False) -> Codec:
    """A codec ready to encode and decode: a name such as "small", a fingerprint, a path, or a codec (given back).

    Args:
        bf16: analysis and synthesis in bfloat16, the entropy path never; files are read by either kind.
            `python -m benchmarks.speed --only bf16` measures what it does to time, rate and PSNR on a machine.
    Raises:
        CcaError: not found (it says where it looked and what is there), damaged, or not ccalib weights; `bf16` on a
            machine without units for it, or of a codec that was loaded without.
    """
    if isinstance(model, Codec):
        if bf16 and not model.bf16_coding:
            raise CcaError("bf16: this codec was loaded without; ccalib.load(..., bf16=True) gives one with it")
        return model
    if bf16 and not has_bf16():
        raise CcaError("bf16: this machine has no units for bfloat16 (avx512_bf16 or amx_bf16); leave it out")
    path = find(model).resolve()
    return _read(path, path.stat().st_mtime_ns, bf16)


def find(model: str | Path) -> Path:
    """The file of a name, a fingerprint or a path.

    A `Path`, and text with a slash or with the suffix .safetensors, is a path (the suffix may be left out); other text
    is a name or a fingerprint, looked for in `folders()`, or else a file of the working directory. Of several files
    with one fingerprint the first serves: what they hold is the same. Raises CcaError.
    """
    text = str(model)
    if isinstance(model, Path) or os.sep in text or "/" in text or text.endswith(SUFFIX):
        return _at(Path(model))
    for folder in folders():
        if _is_file(folder / f"{text}{SUFFIX}"):
            return folder / f"{text}{SUFFIX}"
    for folder in folders():
        for file in sorted(folder.glob(f"*{SUFFIX}")):
            if _mark(file) == text.lower():
                return file
    if _is_file(Path(text)):
        return Path(text)
    looked = "; ".join(f"{folder} ({_holdings(folder)})" for folder in folders())
    raise CcaError(
        f"weights: no model with name or fingerprint {text!r}; looked in "
        f"{looked or 'no folder: this ccalib is installed without data, and CCALIB_DATA is not set'}. "
        "Set CCALIB_DATA to a folder that has the weights (of a clone of ccalib: data), or give a file's path"
    )


def _at(path: Path) -> Path:
    for file in (path, path.with_name(path.name + SUFFIX)) if path.name else ():
        if _is_file(file):
            return file
    if path.is_dir():
        raise CcaError(f"{path}: a folder, not weights; in it: {_holdings(path)}")
    raise CcaError(f"{path}: no such weights; in {path.parent}: {_holdings(path.parent)}")


def _holdings(folder: Path) -> str:
    """The weights in a folder, for messages."""
    if not folder.is_dir():
        return "no such folder"
    found = [(file.stem, _mark(file)) for file in sorted(folder.glob(f"*{SUFFIX}"))]
    return ", ".join(f"{name} {mark or '(foreign or damaged)'}" for name, mark in found) or "no weights"


def _mark(path: Path) -> str | None:
    """The fingerprint that a file claims; None if it has none or can't be read: another file may still serve."""
    try:
        return metadata(path).get("fingerprint")
    except CcaError:
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, or a folder that may not be read
        return False


def metadata(path: Path) -> dict[str, str]:
    """The strings stored beside the tensors: format, preset, fingerprint, card. Raises CcaError."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        if _is_checkpoint(path):
            raise CcaError(
                f"{path}: a PyTorch checkpoint, not weights. A run of ours that has ended has them beside it; else "
                f"`ccalib train PHOTOS --run RUN --minutes 60 --decay-from {path}` makes some. `ccalib.official.load` "
                "reads the released model's"
            ) from error
        raise CcaError(f"{path}: not a safetensors file, or damaged ({error})") from error


def _is_checkpoint(path: Path) -> bool:
    """Whether a file starts as torch.save's do: a zip archive, or a pickle in files before torch 1.6."""
    try:
        with open(path, "rb") as file:
            return file.read(2) in (b"PK", b"\x80\x02")
    except OSError:
        return False


@functools.lru_cache(maxsize=4)
def _read(path: Path, modified: int, bf16: bool) -> Codec:
    meta = metadata(path)
    if meta.get("format") != FORMAT:
        raise CcaError(f"{path}: not ccalib weights of format {FORMAT}")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    try:
        if fingerprint(meta.get("preset", ""), tensors) != meta.get("fingerprint"):
            raise CcaError("damaged: the fingerprint doesn't match the tensors")
        preset = Preset.from_json(meta.get("preset", ""))
    except TypeError as error:  # bfloat16, say, of which numpy knows nothing
        raise CcaError(f"{path}: tensors of a kind that no ccalib weights have ({error})") from error
    except CcaError as error:
        raise CcaError(f"{path}: {error}") from error
    with torch.device("meta"):  # a few bytes of text can't ask for gigabytes: first the shapes, then the memory
        shapes = {name: p.shape for name, p in Codec(preset).named_parameters()}
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            raise CcaError(f"{path}: tensor {name}: missing, or of another shape than {tuple(shape)}")
    codec = Codec(preset)
    with torch.no_grad():
        for name, p in codec.named_parameters():
            p.copy_(tensors[name].float() * (exact.WEIGHT_STEP if tensors[name].dtype == torch.int16 else 1))
    for name, module in TABLES.items():
        try:
            flat, length, offset = (tensors[f"tables.{name}.{part}"] for part in ("cdf", "length", "offset"))
            rows = [row.tolist() for row in flat.split(length.tolist())]
        except (KeyError, RuntimeError) as error:
            raise CcaError(f"{path}: tables of {name}: missing, or of another length than they say") from error
        longest = int(length.max())
        cdf = torch.tensor([row + [0] * (longest - len(row)) for row in rows], dtype=torch.int32)
        target = getattr(codec, module)
        target._quantized_cdf, target._cdf_length, target._offset = cdf, length.int(), offset.int()
        rans.Tables.of(target).check(f"{path}: tables of {name}")
    codec.requires_grad_(False).eval()
    codec.fingerprint, codec.bf16_coding = meta["fingerprint"], bf16
    return codec
