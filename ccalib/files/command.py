"""`ccalib encode`, `ccalib decode`, `ccalib info`."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from ccalib.errors import CcaError

EFFORT = """steps of search for better latents of each image (default: 0): a smaller file at equal PSNR, and decoding
takes no longer. At one quality number a searched file is about as large, and better. A step takes about 0.7 s on two
cores for 768×512 pixels with `small`, and memory grows by some hundred megabytes;
`python -m ccalib.evaluation.effort PHOTOS` measures what steps buy"""

PICTURES = """\
What becomes of a picture: EXIF orientation is applied; colors are converted to sRGB by the ICC profile, if there is one
that fits; transparency is laid on white; 16-bit gray keeps its upper 8 bits; of several frames the first counts.
Profiles and metadata are not kept. Pictures over Pillow's limit against decompression bombs are refused.

A picture that can't be read or written is named, and the others go on; the exit code is then 1. Files appear whole or
not at all, so Ctrl-C (exit code 130) keeps all that are there; the same command with --force begins again.
"""


BF16 = """analysis and synthesis in bfloat16, where the processor has units for it; files are read with it and
without. `python -m benchmarks.speed --only bf16` measures whether it pays"""


def add_encode(parser: argparse.ArgumentParser) -> None:
    parser.epilog = PICTURES
    _add_paths(parser, "images or folders of images; of two names the second, if it ends in .cca, is the output")
    parser.add_argument("-q", "--quality", type=float, help="0 (small) to 6 (good), any number between (default: 3)")
    parser.add_argument("--model", default="small", help="name, path or fingerprint of weights (default: small)")
    parser.add_argument("--effort", type=int, default=0, metavar="N", help=EFFORT)
    parser.add_argument("--bf16", action="store_true", help=BF16)


def add_decode(parser: argparse.ArgumentParser) -> None:
    _add_paths(parser, ".cca files or folders of them; of two names the second, if it ends in .png …, is the output")
    parser.add_argument("-g", "--groups", type=int, help="decode only the first so many groups")
    parser.add_argument("--model", help="weights: name, path or fingerprint (default: those that the file names)")
    parser.add_argument("--suffix", default=".png", help="kind of image where no output is named (default: .png)")
    parser.add_argument("--bf16", action="store_true", help=BF16)


def add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=".cca files or folders of them")
    parser.add_argument("--json", action="store_true", help="one JSON object per file")


def _add_paths(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=text)
    parser.add_argument("-o", "--output", type=Path, help="output file, or a folder (made if needed)")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite outputs whose names were not given")


def run_encode(args: argparse.Namespace) -> int:
    from ccalib import images, weights
    from ccalib.files.coding import encode, inspect, write
    from ccalib.model.refine import steps_of

    steps_of(args.effort)  # before the first image
    jobs = _jobs(args, images.find, ".cca", {".cca"})
    codec = weights.load(args.model, args.bf16)

    for _, target in jobs:
        if target.suffix.lower() in images.SUFFIXES:
            raise CcaError(f"{target}: the name of a picture; name the output something.cca")

    def work(source: Path, target: Path) -> str:
        data = encode(source, args.quality, codec, args.effort)
        write(target, data)
        return f"{source} → {target}: {len(data)} bytes, {inspect(data).bpp:.3f} bpp"

    return _each(jobs, work, "encoding")


def run_decode(args: argparse.Namespace) -> int:
    from PIL import Image

    from ccalib import images
    from ccalib.files.coding import decode, write

    found = Image.registered_extensions().items()
    kinds = {k: v for k, v in found if v in Image.SAVE and v != "CCA"}  # to pixels, not to .cca again
    if args.suffix.lower() not in kinds:
        raise CcaError(f"--suffix: Pillow writes no {args.suffix}")
    jobs = _jobs(args, find_cca, args.suffix, images.SUFFIXES)

    def work(source: Path, target: Path) -> str:
        if target.suffix.lower() not in kinds:
            raise CcaError(f"{target}: Pillow writes no {target.suffix or 'file without a suffix'}")
        image = decode(source, args.groups, args.model, bf16=args.bf16)
        try:
            pixels = images.to_bytes(image, format=kinds[target.suffix.lower()])
        except Exception as error:  # a kind without colors, or too small for it: Pillow's writers raise many
            raise CcaError(f"{target}: Pillow can't write this picture so ({error})") from error
        write(target, pixels)
        return f"{source} → {target}: {image.width}×{image.height}"

    return _each(jobs, work, "decoding")


def run_info(args: argparse.Namespace) -> int:
    from ccalib.files.coding import inspect

    failed = 0
    for path in find_cca(args.paths):
        try:
            info = inspect(path)
        except CcaError as error:
            print(f"ccalib info: {error}", file=sys.stderr)
            failed = 1
            continue
        if args.json:
            entry = dataclasses.asdict(info) | {"file": str(path), "bpp": info.bpp, "dropped": info.dropped}
            print(json.dumps(entry))
        else:
            print(describe(info, str(path)))
    return failed


def describe(info, name: str) -> str:
    """A table whose bytes add up to the file's size."""
    lines = [
        f"{name}: {info.width}×{info.height}, quality {info.quality:g}, weights {info.fingerprint}",
        f"  {'part':<8}{'bytes':>9}{'share':>8}{'bpp':>8}",
    ]
    rows = [("header", info.header)]
    rows += [(s.name, s.length) if s.present else (f"{s.name} -", 0) for s in info.segments]
    rows += [("cut off", info.dropped)] if info.dropped else []
    rows.append(("file", sum(n for _, n in rows)))
    pixels = info.width * info.height
    lines += [f"  {part:<8}{n:>9}{n / info.size:>8.1%}{8 * n / pixels:>8.4f}" for part, n in rows]
    missing = [s.name for s in info.segments if not s.present]
    if missing:
        lines.append(f"  cut: {', '.join(missing)} missing; the first {info.groups} groups decode")
    return "\n".join(lines)


def find_cca(paths: list[Path]) -> list[Path]:
    """`.cca` files among paths, folders searched. Raises CcaError."""
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise CcaError(f"{path}: no such file or folder")
        files += sorted(path.glob("*.cca")) if path.is_dir() else [path]
    if not files:
        raise CcaError(f"{', '.join(map(str, paths))}: no .cca files")
    return files


def _jobs(args, find: Callable, suffix: str, outputs: set[str]) -> list[tuple[Path, Path]]:
    """Pairs of input and output; nothing is touched yet. Raises CcaError where outputs would collide."""
    paths, output = list(args.paths), args.output
    if output is None and len(paths) == 2 and paths[1].suffix.lower() in outputs:
        output = paths.pop()
    sources = find(paths)
    single = len(sources) == 1 and not paths[0].is_dir() and output is not None
    if single and not output.is_dir() and output.suffix:
        if output.resolve() == sources[0].resolve():
            raise CcaError(f"{output}: input and output at once; name another output")
        return [(sources[0], output)]
    if output is not None:
        if not output.is_dir() and (output.exists() or output.suffix.lower() in outputs | {suffix}):
            raise CcaError(f"{output}: the name of a file; for what is in a folder, or several files, name a folder")
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CcaError(f"{output}: can't be made ({error.strerror})") from error
    jobs = [(s, (output or s.parent) / (s.stem + suffix)) for s in sources]
    count, own = collections.Counter(target for _, target in jobs), {source.resolve() for source in sources}
    for source, target in jobs:
        if target.resolve() in own:
            raise CcaError(f"{target}: input and output at once; name another output")
        if count[target] > 1:
            raise CcaError(f"{target}: would be written for several inputs, {source} among them; give -o for each")
        if target.exists() and not args.force:
            raise CcaError(f"{target}: exists; name another output, or add --force")
    return jobs


def _each(jobs: list[tuple[Path, Path]], work: Callable[[Path, Path], str], verb: str) -> int:
    """Run all jobs; one that fails is reported and does not stop the others. 1 if any failed."""
    failed = 0
    for source, target in tqdm(jobs, desc=verb, unit="file", disable=None if len(jobs) > 1 else True):
        try:
            tqdm.write(work(source, target))
        except CcaError as error:
            failed += 1
            tqdm.write(f"ccalib: {error}", file=sys.stderr)
    return 1 if failed else 0
