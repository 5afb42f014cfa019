"""Peak memory of one codec, in processes of its own: one that encodes, one that decodes.

What is read is the operating system's high-water mark of resident memory (VmHWM on Linux, else ru_maxrss), which
counts what C libraries and torch allocate. A run is the difference between the mark after it and before it, when
libraries are imported and the image is in memory; weights are loaded within the run.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from ccalib.errors import CcaError
from ccalib.evaluation.summary import OURS

MEANING = "highest resident memory of a fresh process; *_mb is what the run added to base_mb; 1 MB = 10^6 bytes"


def peak_bytes() -> int:
    """This process's highest resident memory so far."""
    try:  # not ru_maxrss: on Linux a child begins with its parent's mark
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Let the mark begin again at what is resident now; only Linux can, elsewhere imports may hide a small run."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measure(name: str, quality: float, image: Image.Image, model: Path | str | None = None, effort: int = 0) -> dict:
    """Megabytes that encoding and decoding `image` take: `base_mb`, `encode_mb`, `decode_mb`, and what was measured.

    Args:
        name: a live codec, or ours with `model`, and with `effort` steps of refinement.
    Raises:
        CcaError: a process failed; the message is its last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        picture, data = Path(folder) / "image.png", Path(folder) / "data"
        image.save(picture)
        found = {}
        for way in ("encode", "decode"):
            command = [sys.executable, "-m", __name__, way, name, f"{quality:g}", picture, data, model or "", effort]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            if done.returncode:
                raise CcaError(f"{name}: measuring memory failed: {(done.stderr.strip() or '?').splitlines()[-1]}")
            found[way] = json.loads(done.stdout)
    return {
        "base_mb": found["encode"]["base"], "encode_mb": found["encode"]["run"], "decode_mb": found["decode"]["run"],
        "quality": quality, "width": image.width, "height": image.height, "meaning": MEANING,
    }  # fmt: skip


def _worker(way: str, name: str, quality: str, picture: str, data: str, model: str, effort: str) -> None:
    from ccalib import images, weights
    from ccalib.evaluation import codecs
    from ccalib.files import coding

    image, path = images.load(picture), Path(data)
    if name != OURS:
        codecs.LIVE[name].load()
    forget_peak()
    before = peak_bytes()
    if name == OURS:
        codec = weights.load(Path(model))
        if way == "encode":
            path.write_bytes(coding.encode(image, float(quality), codec, int(effort)))
        else:
            coding.decode(path.read_bytes(), model=codec)
    elif way == "encode":
        path.write_bytes(codecs.LIVE[name].encode(image, float(quality)))
    else:
        codecs.decode(path.read_bytes())
    print(json.dumps({"base": round(before / 1e6, 1), "run": round((peak_bytes() - before) / 1e6, 1)}))


if __name__ == "__main__":
    _worker(*sys.argv[1:])
