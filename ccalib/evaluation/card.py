"""The model card beside the weights, and the picture in the README: both rewritten from data, by `make card`.

python -m ccalib.evaluation.card small data/results/kodak.json
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from PIL import Image

from ccalib import images, weights
from ccalib.errors import CcaError
from ccalib.evaluation import complexity, dead_zone, trials
from ccalib.evaluation.jpeg import jpeg_of_size
from ccalib.evaluation.metrics import bd_rate, psnr
from ccalib.evaluation.summary import OURS, overlap, percent, report, summarize
from ccalib.files.coding import decode, encode, write
from ccalib.model.codec import Codec

ROOT = Path(__file__).resolve().parent.parent.parent
OTHERS = ("complexity", "minutes", "endings", "effort", "ablation", "dead_zone")  # results, as `card` takes them
MARKS = "<!-- {} by `make card` -->"


def card(
    path: Path, result: dict | None, title: str, costs: dict | None = None, minutes: list[dict] | None = None,
    endings: list[dict] | None = None, effort: dict | None = None, trained: dict | None = None,
    zone: dict | None = None,
) -> str:  # fmt: skip
    """Markdown: data, minutes, hardware, commands, cost, validation, and the figures of `ccalib evaluate`, of
    `ccalib.evaluation.complexity`, of `ccalib.evaluation.trials` (from the start, and from where the decay began), of
    `ccalib.evaluation.effort`, of `ccalib ablation` and of `ccalib.evaluation.dead_zone`."""
    meta = weights.metadata(path)
    facts, codec = json.loads(meta["card"]), weights.load(path)
    kmac = complexity.kmac_per_pixel(Codec(codec.preset))
    count = sum(p.numel() for p in codec.parameters())
    lines = [
        f"# `{path.name}`",
        "",
        "Written by `make card` from the weights' metadata, the training log and the results; not by hand.",
        "",
        f"- Fingerprint `{meta['fingerprint']}`, {path.stat().st_size / 1e6:.2f} MB, {count:,} parameters.",
        f"- Cost in kMAC/pixel: {', '.join(f'{part} {value:.1f}' for part, value in kmac.items())}.",
        f"- Data: {facts['data']}; attribution in [MANIFEST.tsv](MANIFEST.tsv), held out: "
        "[validation.txt](validation.txt).",
        f"- Training: {facts['steps']:,} steps in {facts['minutes']} minutes, the last of them on {facts['hardware']}, "
        f"torch {facts['torch']}; the log is [{path.stem}.log.jsonl]({path.stem}.log.jsonl).",
        f"- Settings of the last phase (with `--decay-from` all of its steps decay, whatever `decay` says): "
        f"`{json.dumps(facts['settings'])}`.",
        "- Commands:",
        "",
        *(f"      {command}" for command in facts["commands"]),
        "",
    ]
    if path.with_name("history.md").exists():
        lines += ["What they don't say (corrected minutes, a changed shape) is in [history.md](history.md).", ""]
    log = path.with_suffix(".log.jsonl")
    entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    validations = [e for e in entries if e["kind"] == "validation"]
    for entry in validations[-1:]:
        lines += [
            f"Validation: {entry['images']} photographs' middles of 384×256, estimated rate "
            f"(mean ln(R + λD) {entry['objective']:.4f}):",
            "",
            "| quality | λ | bpp | PSNR (dB) | R + λD |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {p['quality']:g} | {p['lambda']:.4f} | {p['bpp']:.3f} | {p['psnr']:.2f} | {p['loss']:.3f} |"
            for p in entry["points"]
        ]
        lines += ["", *fall(validations)]
    if result is not None:
        lines += [f"By real file bytes ({title}):", "", "```", report(result), "```", ""]
    if effort is not None:
        lines += ["## Search in the encoder (`ccalib encode --effort`), by `ccalib.evaluation.effort`", ""]
        lines += [*efforts(effort), ""]
    if zone is not None:
        lines += ["## A dead zone in the encoder (not used), by `ccalib.evaluation.dead_zone`", ""]
        lines += [dead_zone.table(zone), ""]
    if trained is not None:
        lines += ["## Does the CCA loss help? (`make ablation`, lesson 05)", "", *helps(trained), ""]
    if costs is not None:
        lines += ["## Cost", "", complexity.table(costs), ""]
    if minutes is not None:
        title = "## What pays per minute: trainings of equal time (`make trials`)"
        lines += [title, "", trials.table(minutes), ""]
    if endings is not None:
        title = "## How the training might have ended: decays of equal time from where its own began (`make endings`)"
        lines += [title, "", trials.table(endings), ""]
    return "\n".join(lines)


def efforts(result: dict) -> list[str]:
    """A table of the steps of search: BD-rate against none, and times the encoder's seconds; of `effort.json`."""
    seconds = {name: sum(p["encode_s"] for p in curve) for name, curve in result["curves"].items()}
    lines = [f"On {len(result['images'])} middles of {result['set']} photographs, real file bytes, against none:", "",
             "| steps | BD-rate | encoding takes |", "|---|---|---|"]  # fmt: skip
    for name, entries in result["bd_rate_refined"].items():
        steps, times = result["settings"][name]["effort"], seconds[name] / seconds[OURS]
        lines.append(f"| {steps} | {_mean(entries[OURS])} | {times:.0f} times as long |")
    return lines


def helps(summary: dict) -> list[str]:
    """What the ablation says of each loss at the paper's grouping: BD-rate against plain, with its interval."""
    lines = [f"Preset `tiny`, {summary['steps']:,} steps a run, pairs of the same seed. {summary['rule']}", "",
             "| loss | at | rate | BD-rate against plain | 95 % interval | n | claimed |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for c in _of_the_loss(summary):
        cells = (c["arm"], c["at"], c["rate"], percent(c["mean"]), _interval(c), str(c["n"]), _effect(c))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def answer(summary: dict) -> str:
    """The same in a sentence, at equal steps and by real file bytes."""
    found = [c for c in _of_the_loss(summary) if c["at"] == "equal steps" and c["rate"] == "files"]
    counts = sorted({c["n"] for c in found})
    pairs = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else counts[0]
    each = (f"{c['arm']} {percent(c['mean'])} ({_interval(c)}: {_effect(c)})" for c in found)
    return (
        "Does the paper's loss help a codec of this size? BD-rate against plain R + λD, preset `tiny`, "
        f"{pairs} pairs of the same seed, equal steps, mean and 95 % interval: {'; '.join(each)}."
        f"{_moves(summary, [c['arm'] for c in found])} Lesson 05 has the rest: equal time, the reasons, and what the "
        "groups buy each other."
    )


def _moves(summary: dict, arms: list[str]) -> str:
    """Whether bits move between groups, in sentences; empty where nothing has an interval."""
    shares = {arm: summary["moved_bits"].get(f"k1.7-{arm}", []) for arm in arms}
    moves = [(arm, i, e) for arm, entries in shares.items() for i, e in enumerate(entries, 1) if e["low"] is not None]
    if not moves:
        return ""
    sure = [f"group {i} ({arm}: {e['mean']:+.2f} points)" for arm, i, e in moves if e["claimed"]]
    claim = f"differ in {', '.join(sure)}" if sure else "differ in no group, as far as may be claimed"
    arm, i, e = max(moves, key=lambda move: abs(move[2]["mean"]))
    interval = f"{e['low']:+.2f} to {e['high']:+.2f}"
    return (
        f" Does it move bits between groups? Their shares of y's bits {claim}; the largest mean difference from plain "
        f"is {e['mean']:+.2f} points ({interval}; {arm}, group {i})."
    )


def _of_the_loss(summary: dict) -> list[dict]:
    pairs = [c for c in summary["comparisons"] if (c["family"], c["against"]) == ("k1.7", "k1.7-plain")]
    return [c for c in pairs if c["low"] is not None and c["arm"] != "longer"]


def _interval(c: dict) -> str:
    return f"{c['low']:+.1f} to {c['high']:+.1f} %"


def _effect(c: dict) -> str:
    return "no effect claimed" if not c["claimed"] else "worse" if c["mean"] > 0 else "better"


def fall(validations: list[dict], most: int = 12) -> list[str]:
    """A table of how the validation curve still fell: of at most `most` entries of the log, the last among them.

    Minutes are of training, from the first step on; BD-rates are against the last entry: it has 0, and an earlier one
    above 0 had more bits at equal PSNR. Empty where fewer than two entries have enough points.
    """
    entries = [v for v in validations if len(v["points"]) >= 4]
    if len(entries) < 2:
        return []
    kept = [entries[i] for i in sorted({round(i * (len(entries) - 1) / (most - 1)) for i in range(most)})]
    curves = [[(p["bpp"], p["psnr"]) for p in entry["points"]] for entry in kept]
    lines = [
        "How it fell, BD-rate against the last line. (The end of a decay lies below a constant rate beside it, and a",
        "change of shape or of λ moves the curve: the commands say where.)",
        "", "| steps | minutes | mean ln(R + λD) | BD-rate |", "|---|---|---|---|",
    ]  # fmt: skip
    for entry, curve in zip(kept, curves):
        bd = percent(bd_rate(curves[-1], curve)["percent"])
        lines.append(f"| {entry['step']:,} | {entry['seconds'] / 60:.0f} | {entry['objective']:+.4f} | {bd} |")
    earlier = [entry for entry in entries if entry["seconds"] <= entries[-1]["seconds"] - 3600]
    if earlier:  # was it still falling at the end?
        first = [(p["bpp"], p["psnr"]) for p in earlier[-1]["points"]]
        fell, took = bd_rate(first, curves[-1])["percent"], (entries[-1]["seconds"] - earlier[-1]["seconds"]) / 60
        told = f"the curve still moved by {percent(fell)} (BD-rate against where it was; below 0 is better)."
        lines += ["", f"In the last {took:.0f} minutes of training {told}"]
    return [*lines, ""]


def picture(model: str, source: Path, quality: float, crop: tuple[int, int, int, int], path: Path) -> str:
    """A part of a photograph: original, `.cca` file, and the smallest JPEG of as many bytes. Gives the caption."""
    original = images.load(source)
    data = encode(original, quality, model)
    ours, rival = decode(data), jpeg_of_size(original, len(data))
    width, height = crop[2] - crop[0], crop[3] - crop[1]
    sheet = Image.new("RGB", (3 * width + 16, height), "white")
    for i, shown in enumerate((original, ours, rival.image)):
        sheet.paste(shown.crop(crop), (i * (width + 8), 0))
    write(path, images.to_bytes(sheet, format="PNG", optimize=True))
    pixels = original.width * original.height
    texts = [
        f"{name}, {len(file):,} bytes, {8 * len(file) / pixels:.3f} bpp, {psnr(original, image):.2f} dB"
        for name, file, image in (("`.cca`", data, ours), ("JPEG", rival.data, rival.image))
    ]
    return f"A part of `{source.name}`: the original; {texts[0]}; {texts[1]}."


def fill(readme: Path, name: str, text: str) -> None:
    """Replace what stands between two marks in a file. Raises CcaError where the marks are missing."""
    begin, end = MARKS.format(f"{name}: written"), MARKS.format(f"{name}: end; written")
    content = readme.read_text()
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(content):
        raise CcaError(f"{readme}: the marks {begin} … {end} are missing")
    write(readme, pattern.sub(lambda _: f"{begin}\n{text}\n{end}", content).encode())


def table(result: dict) -> str:
    """BD-rates as Markdown: against what was run here, and in a table of its own against the literature."""
    refined = result.get("bd_rate_refined", {})
    more = "".join(f" BD-rate with {name.rpartition(', ')[2]} |" for name in refined)
    rule = "|---" * (4 + len(refined)) + "|"
    rows = [f"| run here | BD-rate of mean curves | over | mean of per-image BD-rates |{more}", rule]
    for name, entry in result["bd_rate_psnr"].items():
        single = entry["per_image"]
        cells = [name, _mean(entry), overlap(entry), f"{percent(single['percent'])} ({single['images']} images)"]
        rows.append(f"| {' | '.join([*cells, *(_mean(entries[name]) for entries in refined.values())])} |")
    if "why" in result["sourced"]:
        return "\n".join(rows)
    refined = result["sourced"].get("bd_rate_refined", {})
    rows += ["", f"| from the literature, not run here | BD-rate of mean curves | over | source |{more}", rule]
    for name, entry in result["sourced"]["bd_rate_psnr"].items():
        cells = [f"{entry['label']}: {entry['paper']}", _mean(entry), overlap(entry), f"`{entry['source']}`"]
        rows.append(f"| {' | '.join([*cells, *(_mean(entries[name]) for entries in refined.values())])} |")
    return "\n".join(rows)


def _mean(entry: dict) -> str:
    """The BD-rate of an entry's mean curves, or a dash."""
    return percent(entry["mean_curves"] and entry["mean_curves"]["percent"])


def same_weights(path: Path, results: Path, result: dict) -> None:
    """Raises CcaError: results that are of other weights than those at `path`."""
    of = result["fingerprint"] if "fingerprint" in result else result["settings"][OURS]["fingerprint"]
    own = weights.metadata(path)["fingerprint"]
    if of != own:
        raise CcaError(f"{results}: of weights {of}, and {path.name} is {own}: measure them (--again) before the card")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("results", type=Path)
    args = parser.parse_args(argv)
    try:
        _rewrite(args)
    except CcaError as error:
        print(f"card: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"card: {args.results}, or a file beside it, is no such result ({error!r})", file=sys.stderr)
        return 1
    return 0


def _rewrite(args: argparse.Namespace) -> None:
    path, result = weights.find(args.model), json.loads(args.results.read_text())
    same_weights(path, args.results, result)
    summarize(result)  # by what the package knows now
    others = {name: args.results.with_name(f"{name}.json") for name in OTHERS}
    known = {name: json.loads(other.read_text()) if other.exists() else None for name, other in others.items()}
    for name in ("effort", "dead_zone"):
        if known[name]:
            same_weights(path, others[name], known[name])
    if cost := (known["complexity"] or {"presets": {}})["presets"].get(path.stem):
        same_weights(path, others["complexity"], {"fingerprint": cost["weights"]})
    write(path.with_suffix(".md"), card(path, result, f"`{args.results.name}`", *known.values()).encode())
    thread = json.loads((ROOT / "data/images/thread.json").read_text())["file"]
    caption = picture(
        args.model, ROOT / "data/images" / thread, 1, (160, 96, 480, 336), ROOT / "data/results/readme.png"
    )
    fill(ROOT / "README.md", "picture", caption)
    fill(ROOT / "README.md", "results", table(result))
    if known["ablation"]:
        fill(ROOT / "README.md", "answer", answer(known["ablation"]))
    print(caption, table(result), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
