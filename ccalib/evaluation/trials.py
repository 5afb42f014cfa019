"""Short runs compared on validation photographs: what decided a recipe. Written from the runs' own logs.

python -m ccalib.evaluation.trials runs/arms/a runs/arms/b -o data/results/trials.json      (the first is the reference)
`make trials` does it for trainings of equal time, one difference each: data/results/minutes.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ccalib.errors import CcaError
from ccalib.evaluation.metrics import bd_rate
from ccalib.evaluation.summary import percent
from ccalib.files.coding import write
from ccalib.files.lock import changing
from ccalib.training import checkpoint, command, export, pace


def read(run: Path) -> dict:
    """A run's preset, settings, steps and minutes, and its validation at the end.

    Steps and minutes count those of what it branched from, which are `from_steps` and `from_minutes`.

    Raises:
        CcaError: not a run, or one without validation.
    """
    state = checkpoint.load(run / "last.pt")
    try:
        entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        commands = [c for c in (run / "commands.txt").read_text().splitlines() if " --resume" not in c]
    except (OSError, ValueError) as error:
        raise CcaError(f"{run}: not a training run ({error})") from error
    done = [e for e in entries if e["kind"] == "validation"]
    if not done or not commands:
        raise CcaError(f"{run}: no validation; it hasn't ended, or ran without --validation")
    last, first = done[-1], export.first_step(commands[-1])
    if not first < last["step"] == (state.get("plan") or {}).get("total"):
        raise CcaError(f"{run}: it hasn't ended: its last validation is of step {last['step']:,}")
    before = max((e["seconds"] for e in entries if e["step"] <= first and "seconds" in e), default=0.0)
    keys = ("bpp", "psnr", "bpp_z", "bpp_groups", "lambda")
    return {
        "name": run.name, "command": commands[-1], "preset": json.loads(state["preset"]), "settings": state["settings"],
        "steps": last["step"], "minutes": round(last["seconds"] / 60, 1), "images": last["images"],
        "photographs": last.get("photographs"),  # logs of old don't say which
        "from_steps": first, "from_minutes": round(before / 60, 1),
        "points": [{key: point[key] for key in keys} for point in last["points"]],
    }  # fmt: skip


def compare(rows: list[dict]) -> list[dict]:
    """Rows of `read`, each with its BD-rate (PSNR, estimated bits) against the first. Raises CcaError."""
    names = ", ".join(row["name"] for row in rows)
    if len({row["images"] for row in rows}) > 1:
        raise CcaError(f"trials: validated on different numbers of photographs: {names}")
    if len({row.get("photographs") for row in rows} - {None}) > 1:
        raise CcaError(f"trials: validated on different photographs: {names}")
    curves = [[(p["bpp"], p["psnr"]) for p in row["points"]] for row in rows]
    return [row | {"bd_rate": bd_rate(curves[0], curve)["percent"]} for row, curve in zip(rows, curves, strict=True)]


def kept(output: Path) -> list[dict]:
    """The rows that `output` has, in their order; none where there is no such file. Raises CcaError."""
    if not output.exists():
        return []
    try:
        rows = json.loads(output.read_text())
        keys = {"name", "points", "images"}
        if isinstance(rows, list) and all(isinstance(row, dict) and keys <= row.keys() for row in rows):
            return rows
    except (OSError, ValueError) as error:
        raise CcaError(f"{output}: cannot be read ({error}); name another output") from error
    raise CcaError(f"{output}: not written by ccalib.evaluation.trials; name another output")


def paced(row: dict, found: dict, path: Path) -> dict:
    """`row` with the minutes that its own steps have by `found`, which is `pace.load(path)`, and the machine of those.

    Raises:
        CcaError: unknown there, or a run of other steps or options.
    """
    known = found["trainings"].get(row["name"])
    if known is None:
        raise CcaError(f"{row['name']}: not among the step times in {path}: {', '.join(found['trainings'])}")
    told = row["command"].partition("  # ")[0].removeprefix("ccalib train ")
    own = row["steps"] - row["from_steps"]
    if own != known["steps"] or _options(told) != _options(f"- --run - {known['options']}"):
        raise CcaError(
            f"{row['name']}: {own:,} steps of `{row['command']}`; in {path} it has {known['steps']:,}, with: "
            f"{known['options'] or 'no other options'}"
        )
    minutes = row["from_minutes"] + known["steps"] * known["seconds"] / 60
    return row | {"minutes": round(minutes, 1), "paced_on": found["hardware"], "seconds_per_step": known["seconds"]}


def _options(line: str) -> dict:
    """The options of a `ccalib train` that decide what a step costs and what it does: not where, nor how many steps."""
    chosen, _ = command.parsed(line, f"`{line}`, no options of ccalib train")
    names = command.SETTINGS.keys() - {"log_every", "checkpoint_minutes", "validate_minutes"}
    return {name: getattr(chosen, name) for name in (*names, "preset", "shape", "lambdas", "bf16")}


def same_pace(rows: list[dict]) -> None:
    """Equal time compares on one machine only. Raises CcaError where rows were timed on several, or not at all."""
    timed = {row.get("paced_on", "none") for row in rows}
    if len(timed) > 1:
        raise CcaError("trials: step times of several machines are no equal time: " + "; ".join(sorted(timed)))


def table(rows: list[dict]) -> str:
    """Markdown."""
    forks = {(row.get("from_steps", 0), row.get("from_minutes", 0.0)) for row in rows}
    steps, minutes = forks.pop() if len(forks) == 1 else (0, 0.0)
    fork = f"All go on from step {steps:,}, minute {minutes:.0f}. " if steps else ""
    lines = [
        f"{fork}On {rows[0]['images']} validation photographs, estimated rate; BD-rate against the first, below 0 is "
        "better" + (f" (minutes by step times on {timed})" if (timed := rows[0].get("paced_on")) else "") + ":",
        "", "| run | differs in | steps | minutes | BD-rate | z and first group (bpp, middle quality) |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        pairs = ((k, v, rows[0][part].get(k)) for part in ("preset", "settings") for k, v in row[part].items())
        differs = [f"{key} {value}" for key, value, reference in pairs if value != reference]
        middle = row["points"][len(row["points"]) // 2]
        first = middle["bpp_z"] + middle["bpp_groups"][0]
        cells = [row["name"], ", ".join(differs) or "the reference", f"{row['steps']:,}", f"{row['minutes']:.0f}"]
        lines.append(f"| {' | '.join([*cells, percent(row['bd_rate'])])} | {first:.3f} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs, the reference first")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON to write")
    parser.add_argument("--add", action="store_true", help="keep OUTPUT's other runs")
    parser.add_argument("--pace", type=Path, help="minutes and order by this output of ccalib.training.pace")
    args = parser.parse_args(argv)
    try:
        new = [read(run) for run in args.runs]
        times = pace.load(args.pace) if args.pace else None
        with changing(args.output):
            old = kept(args.output) if args.add else []
            same_pace(old + [row | ({"paced_on": times["hardware"]} if times else {}) for row in new])
            named = {row["name"]: row for row in old + new}  # one read anew keeps its place
            if times:  # the old ones too: they may be of step times that were measured anew since
                named = {name: paced(row, times, args.pace) for name, row in named.items()}
            order = [name for name in (times["trainings"] if times else ()) if name in named]
            rows = compare([named[name] for name in dict.fromkeys([*order, *named])])
            write(args.output, (json.dumps(rows, indent=1) + "\n").encode())
    except CcaError as error:
        print(f"trials: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
