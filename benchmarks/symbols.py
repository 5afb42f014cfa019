"""Do all machines decode the same symbols (DESIGN 6)? What one setting writes is read in every other, and counted.

python benchmarks/symbols.py ../shared/kodak --python /tmp/torch2/bin/python          (stopped, it goes on from there)

A setting is a process of its own: threads, layout, instruction sets, batch, torch release. Each encodes all photographs
at all qualities, then each decodes what all have written. Transforms run in ordinary floats, so two encoders may write
files that differ; but what was written must be read. Identical files are decoded once in a setting, and count for every
encoder that wrote them. All is done once more with the rounding off: the entropy path in 32-bit floats.

`--python` names an environment with another torch release; it needs torch, torchvision, compressai, safetensors, tqdm,
and numpy and pillow as here, but not ccalib.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from ccalib import images, weights
from ccalib.errors import CcaError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.symbols_worker import KINDS, REFERENCE, SETTINGS  # noqa: E402

SAME, CAUGHT, SILENT = "same", "caught", "silent"


def verdict(symbols: list[str], row: dict) -> str:
    """`same`: decoded as encoded; `caught`: refused with an error; `silent`: other symbols and no error."""
    if row["refused"] is not None:
        return CAUGHT
    return SAME if row["symbols"] == symbols else SILENT


def count(encoded: dict[str, dict], decoded: dict[str, dict]) -> dict:
    """Every encoder's files at every decoder.

    Args:
        encoded: per setting and photograph, the `file` that was written and the digests of its `symbols`.
        decoded: per setting and file, a row of `symbols_worker.read`.
    Returns:
        `pairs`: per encoder and decoder, how many files came out how; `all`, their sums; `across`, the sums without
        decoders in the encoder's own setting; `caught_in`: the segments that errors name.
    """
    pairs, everywhere, across, caught_in = {}, Counter(), Counter(), Counter()
    for writer, files in encoded.items():
        for reader, rows in decoded.items():
            own = [(file["symbols"], rows[file["file"]]) for file in files.values()]
            found = Counter(verdict(symbols, row) for symbols, row in own)
            caught_in.update(row["refused"] for _, row in own if row["refused"] is not None)
            pairs.setdefault(writer, {})[reader] = _tally(found)
            everywhere += found
            if writer != reader:
                across += found
    named = dict(sorted(caught_in.items()))
    return {"all": _tally(everywhere), "across": _tally(across), "caught_in": named, "pairs": pairs}


def _tally(found: Counter) -> dict[str, int]:
    return {"files": sum(found.values())} | {key: found[key] for key in (SAME, CAUGHT, SILENT)}


def pixels(encoded: dict[str, dict], decoded: dict[str, dict]) -> dict:
    """Per decoder, over distinct files: how many 8-bit values differ from the reference's, and by how much at most."""
    marks = sorted({row["file"] for files in encoded.values() for row in files.values()})
    result = {}
    for reader, rows in decoded.items():
        own = [rows[mark] for mark in marks if "values" in rows[mark]]
        result[reader] = {
            "files": len(own), "files_that_differ": sum(row["differ"] > 0 for row in own),
            "values": sum(row["values"] for row in own), "differ": sum(row["differ"] for row in own),
            "largest": max((row["largest"] for row in own), default=0),
        }  # fmt: skip
    return result


def summarize(work: Path, names: list[str], wanted: set[str]) -> dict:
    """What goes into the JSON, from what the processes of `names` left in `work`.

    Args:
        wanted: photographs with their qualities, as rows are named ("kodim01 q3"); what else is there doesn't count.
    Raises:
        CcaError: the model's code changed in between.
    """
    encodes, decodes = ({n: json.loads((work / way / f"{n}.json").read_text()) for n in names}
                        for way in ("encode", "decode"))  # fmt: skip
    if len({r["versions"]["code"] for rows in (encodes, decodes) for r in rows.values()}) > 1:
        raise CcaError(f"{work}: ccalib/model changed between two processes; the same command does anew what is old")
    bits = {n: {k: v == encodes[REFERENCE]["probe"][k] for k, v in encodes[n]["probe"].items()} for n in names}
    seconds = sum(r["cpu_seconds"] for rows in (encodes, decodes) for r in rows.values())
    result = {
        "settings": {
            n: dataclasses.asdict(SETTINGS[n]) | encodes[n]["versions"] | {"bits_of_the_reference": bits[n]}
            for n in names
        },
        "cpu_minutes": round(seconds / 60, 1),
    }  # fmt: skip
    for kind in KINDS:
        encoded = {n: {key: row for key, row in encodes[n][kind].items() if key in wanted} for n in names}
        decoded = {n: decodes[n][kind] for n in names}
        first = encoded[REFERENCE]
        result[kind] = {
            "distinct_files": len({row["file"] for rows in encoded.values() for row in rows.values()}),
            "bytes_of_the_reference": {
                n: sum(row["file"] == first[key]["file"] for key, row in rows.items()) for n, rows in encoded.items()
            },
        } | count(encoded, decoded)  # fmt: skip
    result["exact"]["pixels"] = pixels(*({n: rows[n]["exact"] for n in names} for rows in (encodes, decodes)))
    return result


def report(result: dict) -> str:
    """The counts in words."""
    points = len(result["images"]) * len(result["qualities"])
    lines = [f"{len(result['settings'])} settings, {points} files each ({result['set']})"]
    for kind in KINDS:
        found = result[kind]
        lines.append(
            f"{kind}: {found['across'][SAME]} of {found['across']['files']} decode to the symbols that another setting "
            f"encoded; {found['across'][CAUGHT]} refused, {found['across'][SILENT]} wrong without an error "
            f"({found['distinct_files']} distinct files)"
        )
    for name, found in result["exact"]["pixels"].items():
        lines.append(f"  {name}: {found['differ']} of {found['values']} 8-bit values differ, by {found['largest']}")
    return "\n".join(lines + [f"left out: {name}: {why}" for name, why in result["left_out"].items()])


def launch(name: str, way: str, args: argparse.Namespace, photos: list[Path]) -> None:
    """One process in one setting. Raises CcaError if it fails."""
    setting = SETTINGS[name]
    model = str(weights.find(args.model).resolve())
    task = {"setting": name, "way": way, "work": str(args.work), "model": model, "qualities": args.qualities}
    task["photos"] = [str(p.resolve()) for p in photos]
    python = args.python if setting.other_torch else sys.executable
    command = [python, ROOT / "benchmarks/symbols_worker.py", json.dumps(task)]
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)} | setting.environment).returncode:
        raise CcaError(f"{name}: its process failed to {way}; the same command goes on from there")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+", help="folders of photographs, or single ones")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "data/results/symbols.json")
    parser.add_argument("--qualities", type=float, nargs="+", default=[1.0, 3.0, 5.0], help="(default: 1 3 5)")
    parser.add_argument("--model", default="small", help="name, path or fingerprint of weights (default: small)")
    parser.add_argument("--python", help="Python of an environment with another torch release")
    parser.add_argument("--work", type=Path, help="folder for files and rows (default: below the temporary folder)")
    parser.add_argument(
        "--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS), metavar="NAME",
        help=f"some of: {', '.join(SETTINGS)} (default: all; the first is always there)",
    )  # fmt: skip
    return parser.parse_args()


def main() -> None:
    from ccalib.evaluation.evaluate import save
    from ccalib.evaluation.kodak import is_kodak, pixel_hash
    from ccalib.training.export import hardware

    args = arguments()
    photos, codec = images.find(args.photos), weights.load(args.model)
    hashes = {p.name: pixel_hash(images.load(p)) for p in photos}
    stems = [p.stem for p in photos]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise CcaError(f"{twice[0]}: two photographs of that name, and rows go by names; rename one")
    these = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]  # other folders may have the same names
    args.work = (args.work or Path(tempfile.gettempdir()) / "ccalib-symbols") / codec.fingerprint / these
    names = [name for name in SETTINGS if name in (REFERENCE, *args.settings)]
    left_out = {n: "no --python was given" for n in names if SETTINGS[n].other_torch and not args.python}
    names = [name for name in names if name not in left_out]
    for way in ("encode", "decode"):
        for name in names:  # the reference first: others compare their pixels with its
            launch(name, way, args, photos)
    result = {
        "set": "Kodak" if is_kodak(hashes) else f"{len(photos)} photographs, not the whole of a known set",
        "images": hashes, "qualities": args.qualities, "weights": codec.preset.name, "fingerprint": codec.fingerprint,
        "hardware": hardware(), "command": " ".join(["python", *sys.argv]), "left_out": left_out,
    }  # fmt: skip
    result |= summarize(args.work, names, {f"{p.stem} q{q:g}" for p in photos for q in args.qualities})
    save(args.output, result)
    print(report(result))


if __name__ == "__main__":
    try:
        main()
    except CcaError as error:
        sys.exit(f"symbols: {error}")
