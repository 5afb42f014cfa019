"""One process, one setting: encode photographs, or decode what all settings have written (for `symbols.py`)."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.files import coding, container
from ccalib.lessons.orders import with_path
from ccalib.model import rans
from ccalib.model.codec import STRIDE, Codec
from ccalib.model.coders import Estimate
from ccalib.model.entropy import EntropyPath
from ccalib.model.gains import STEPS, stored_quality

KINDS = ("exact", "floats")  # the entropy path as it ships, and in 32-bit floats


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a process computes. `environment` is read by libraries when they load; the rest `Worker` sets."""

    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    threads: int = 1
    layout: str = ""  # what every convolution's weights and input are brought into; none: as the package has it
    onednn: bool = True
    batch: int = 1
    other_torch: bool = False


REFERENCE = "as installed"
SETTINGS = {
    REFERENCE: Setting(),
    "2 threads": Setting(threads=2),
    "contiguous": Setting(layout="contiguous_format"),
    "channels-last": Setting(layout="channels_last"),
    "ATen default": Setting({"ATEN_CPU_CAPABILITY": "default"}),
    "ATen AVX2": Setting({"ATEN_CPU_CAPABILITY": "avx2"}),
    "oneDNN SSE4.1": Setting({"ONEDNN_MAX_CPU_ISA": "SSE41", "DNNL_MAX_CPU_ISA": "SSE41"}),
    "oneDNN off": Setting(onednn=False),
    # oneDNN has no 64-bit convolutions: on x86, those of the exact path are MKL's products of matrices
    "MKL SSE4.2": Setting({"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
    "MKL AVX2": Setting({"MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
    "batch 4": Setting(batch=4),
    "other torch": Setting(other_torch=True),
}


@torch.inference_mode()
def write(codec: Codec, pictures: list[Image.Image], quality: float) -> list[tuple[bytes, list[str]]]:
    """Files of equally large pictures, encoded in one batch, with the digests of their symbols."""
    steps = stored_quality(codec.preset, quality)
    x = torch.cat([images.pad(images.to_tensor(p), STRIDE) for p in pictures])
    strings, symbols = codec.encode(x, torch.full((len(pictures),), steps / STEPS))
    result = []
    for i, p in enumerate(pictures):
        own = [s[i : i + 1] for s in symbols]
        data = container.pack(codec.fingerprint, steps, p.width, p.height, [s[i] for s in strings], own)
        result.append((data, digests(own)))
    return result


def read(codec: Codec, files: list[bytes]) -> list[dict]:
    """Decode files of equally large pictures in one batch, as `ccalib.decode` does one; per file a row.

    A row has `refused`, the segment that the reader names in its error or None, and then `symbols` (digests) and
    `pixels` (H×W×3 uint8).
    """
    infos = [container.parse(data) for data in files]
    height, width = infos[0].height, infos[0].width
    parts = range(len(infos[0].segments))
    strings = [[container.payload(data, info.segments[i]) for data, info in zip(files, infos)] for i in parts]

    def check(i: int, symbols: np.ndarray) -> None:
        for info, own in zip(infos, symbols):
            container.check_symbols(info.segments[i], own)

    try:
        shape = (-(-height // STRIDE), -(-width // STRIDE))
        x_hat, symbols = codec.decode(strings, shape, torch.tensor([info.quality for info in infos]), check)
    except CcaError as error:
        if len(set(files)) > 1:  # a batch of copies tells which file it was
            return [read(codec, [data] * len(files))[0] for data in files]
        return [{"refused": segment_of(str(error))} for _ in files]
    rows = []
    for n in range(len(files)):
        pixels = np.asarray(images.from_tensor(x_hat[n : n + 1, :, :height, :width]))
        rows.append({"refused": None, "symbols": digests([s[n : n + 1] for s in symbols]), "pixels": pixels})
    return rows


def digests(symbols: list[np.ndarray]) -> list[str]:
    """A hash per segment: z, then the groups."""
    return [_hash(s.astype("<i4").tobytes()) for s in symbols]


def segment_of(message: str) -> str:
    """The segment that an error of `Codec.decode` names: z, g1, g2 …"""
    named = re.match(r"(z|g(?:roup )?(\d+)):", message)
    return "unnamed" if named is None else f"g{named[2]}" if named[2] else "z"


def chunks(names: list[str], sizes: dict[str, tuple[int, int]], batch: int) -> list[list[str]]:
    """Names in batches of equal sizes; the last batch of a size is filled up with copies."""
    result = []
    for size in sorted({sizes[n] for n in names}):
        same = [n for n in names if sizes[n] == size]
        parts = [same[i : i + batch] for i in range(0, len(same), batch)]
        result += [part + part[-1:] * (batch - len(part)) for part in parts]
    return result


@torch.inference_mode()
def probe(codec: Codec, batch: int) -> dict[str, str]:
    """Hashes of ŷ for a fixed random y and z: by the path in floats of 32 and of 64 bits, and by the exact one.

    A setting that changes no bit of a float proves nothing; this tells whether it does.
    """
    generator = torch.Generator().manual_seed(0)
    z = torch.round(2 * torch.randn(1, codec.preset.hyper, 8, 12, generator=generator))
    y = 4 * torch.randn(1, codec.preset.latent, 32, 48, generator=generator)
    paths = {"float32": codec.path, "float64": copy.deepcopy(codec.path).double(), "exact": codec.coding_path()}

    def outcome(path: EntropyPath) -> str:
        z_hat, latent = (t.to(next(path.parameters()).dtype).repeat(batch, 1, 1, 1) for t in (z, y))
        y_hat = torch.cat(path.walk(z_hat, Estimate(codec.gaussian), latent), dim=1)[:1]
        return _hash(y_hat.contiguous().numpy().tobytes())

    return {name: outcome(path) for name, path in paths.items()}


def lay_out(codec: Codec, layout: torch.memory_format) -> None:
    """Bring weights and input of every convolution into a layout, in place; copies of the entropy path follow."""
    for layer in codec.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.to(memory_format=layout)
            layer.register_forward_pre_hook(lambda _, given: (given[0].contiguous(memory_format=layout),))


def distinct(work: Path) -> dict[str, list[str]]:
    """The files that all settings have written, each once, by kind."""
    results = [json.loads(path.read_text()) for path in sorted((work / "encode").glob("*.json"))]
    return {kind: sorted({row["file"] for r in results for row in r[kind].values()}) for kind in KINDS}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class Worker:
    """Encodes or decodes everything in one setting, and keeps what it finds in `work`/encode or `work`/decode.

    Args:
        work: its `files/` has every file under the hash of its bytes, `pixels/` how the reference decodes it.
    """

    def __init__(self, name: str, work: Path, model: str | Path) -> None:
        self.name, self.work, self.setting = name, work, SETTINGS[name]
        torch.set_num_threads(self.setting.threads)
        torch.backends.mkldnn.set_flags(self.setting.onednn)
        codec = copy.deepcopy(weights.load(model))
        if self.setting.layout:
            lay_out(codec, getattr(torch, self.setting.layout))
        self.codecs = {"exact": codec, "floats": with_path(codec, codec.path)}
        for folder in ("encode", "decode", "files", "pixels"):
            (work / folder).mkdir(parents=True, exist_ok=True)

    def run(self, way: str, photos: list[Path], qualities: list[float]) -> None:
        """Do what is missing of `way`, "encode" or "decode"; stopped, it keeps what it has. What other versions left is
        done again."""
        output, versions = self.work / way / f"{self.name}.json", self._versions()
        result = json.loads(output.read_text()) if output.exists() else {}
        if result.get("versions") != versions:
            result = {"versions": versions, "cpu_seconds": 0.0} | {kind: {} for kind in KINDS}
        start = time.process_time()
        try:
            if way == "decode":
                self._decode(result)
            else:
                result.setdefault("probe", probe(self.codecs["exact"], self.setting.batch))
                self._encode(result, photos, qualities)
        finally:
            result["cpu_seconds"] += time.process_time() - start
            coding.write(output, json.dumps(result).encode())

    def _versions(self) -> dict[str, str]:
        return {
            "torch": torch.__version__, "numpy": np.__version__, "python": sys.version.split()[0],
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "code": _hash(b"".join(p.read_bytes() for p in sorted(Path(rans.__file__).parent.glob("*.py")))),
        }  # fmt: skip

    def _encode(self, result: dict, photos: list[Path], qualities: list[float]) -> None:
        pictures = {p.stem: images.load(p) for p in photos}
        sizes = {name: p.size for name, p in pictures.items()}
        plan = [(kind, quality) for kind in KINDS for quality in qualities]
        with tqdm(total=len(plan) * len(pictures), desc=f"{self.name}: encode", unit="file") as bar:
            for kind, quality in plan:
                missing = [name for name in pictures if f"{name} q{quality:g}" not in result[kind]]
                bar.update(len(pictures) - len(missing))
                for part in chunks(missing, sizes, self.setting.batch):
                    files = write(self.codecs[kind], [pictures[name] for name in part], quality)
                    for name, (data, symbols) in zip(part, files):
                        coding.write(self.work / "files" / f"{_hash(data)}.cca", data)
                        result[kind][f"{name} q{quality:g}"] = {"file": _hash(data), "symbols": symbols}
                    bar.update(len(set(part)))

    def _decode(self, result: dict) -> None:
        missing = {k: [mark for mark in marks if mark not in result[k]] for k, marks in distinct(self.work).items()}
        with tqdm(total=sum(map(len, missing.values())), desc=f"{self.name}: decode", unit="file") as bar:
            for kind, marks in missing.items():
                data = {mark: (self.work / "files" / f"{mark}.cca").read_bytes() for mark in marks}
                infos = {mark: container.parse(d) for mark, d in data.items()}
                sizes = {mark: (info.width, info.height) for mark, info in infos.items()}
                for part in chunks(marks, sizes, self.setting.batch):
                    for mark, row in zip(part, read(self.codecs[kind], [data[mark] for mark in part])):
                        pixels = row.pop("pixels", None)
                        if kind == "exact" and row["refused"] is None:
                            row |= self._compare(mark, pixels)
                        result[kind][mark] = row
                    bar.update(len(set(part)))

    def _compare(self, mark: str, pixels: np.ndarray) -> dict[str, int]:
        """How many 8-bit values differ from the reference setting's, and by how much at most."""
        path = self.work / "pixels" / f"{mark}.npy"
        if self.name == REFERENCE:
            np.save(path, pixels)
        off = np.abs(pixels.astype(np.int16) - np.load(path))
        return {"values": off.size, "differ": int((off > 0).sum()), "largest": int(off.max())}


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    worker = Worker(task["setting"], Path(task["work"]), task["model"])
    worker.run(task["way"], [Path(p) for p in task["photos"]], task["qualities"])
