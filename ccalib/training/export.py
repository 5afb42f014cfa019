"""From a finished run to weights that ship: the file, its log, and what the model card says."""

from __future__ import annotations

import dataclasses
import json
import platform
import re
import shlex
import shutil
from pathlib import Path

import torch

from ccalib import weights
from ccalib.files.coding import write
from ccalib.model.codec import Codec


def hardware() -> str:
    """Processor, threads and accelerator, for labels beside measured figures."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = lines[0] if lines else model
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{model}, {torch.get_num_threads()} threads, {accelerator}"


def export(codec: Codec, path: Path, run: Path, trainer, photos: Path) -> None:
    """Write the averaged codec of a run to `path`, and the run's log beside it."""
    commands = (run / "commands.txt").read_text().splitlines() if (run / "commands.txt").exists() else []
    card = {
        "data": f"{len(trainer.photos)} photographs of {photos.name}",
        "steps": trainer.step,
        "minutes": round(trainer.seconds / 60, 1),
        "hardware": hardware(),
        "torch": torch.__version__,
        "commands": commands,
        "settings": dataclasses.asdict(trainer.settings),
    }
    weights.save(codec, path, card)
    if (run / "log.jsonl").exists():
        shutil.copyfile(run / "log.jsonl", path.with_suffix(".log.jsonl"))


def carry_history(origin: Path, run: Path) -> None:
    """Log and commands of what a run branches from, into its folder: a checkpoint's neighbors, or what weights hold."""
    if origin.suffix != weights.SUFFIX and origin.resolve().parent == run.resolve():
        return  # a run that was stopped before its first checkpoint begins again: they are there
    log, commands = origin.with_name("log.jsonl"), origin.with_name("commands.txt")
    if origin.suffix == weights.SUFFIX:
        log = origin.with_suffix(".log.jsonl")
        card = json.loads(weights.metadata(origin).get("card", "{}"))
        lines = card.get("commands", [])
        if lines and " # from step " not in lines[-1] and "hardware" in card:
            lines[-1] += f"  # to step {card['steps']:,} on {card['hardware']}, torch {card['torch']}"
        (run / "commands.txt").write_text("".join(f"{line}\n" for line in lines))
    elif commands.exists():
        shutil.copyfile(commands, run / "commands.txt")
    if log.exists():
        shutil.copyfile(log, run / "log.jsonl")


def first_step(line: str) -> int:
    """The step from which a line of `commands.txt` went on; 0 where it doesn't say."""
    found = re.search(r"  # from step ([\d,]+) on ", line)
    return int(found[1].replace(",", "")) if found else 0


def machine() -> str:
    """This machine as `commands.txt` names it: hardware and torch."""
    return f"{hardware()}, torch {torch.__version__}"


def note_command(run: Path, words: list[str], step: int, resume: bool) -> None:
    """A run's command, its first step and its machine, into `commands.txt`; a --resume only on another machine.

    A new run leaves out what began at its first step or later: none of that is in what it goes on from.
    """
    path, here = run / "commands.txt", machine()
    lines = path.read_text().splitlines() if path.exists() else []
    if not resume:
        lines = [line for line in lines if first_step(line) < step]
    if not (resume and lines and lines[-1].endswith(here)):
        lines.append(f"ccalib {shlex.join(words)}  # from step {step:,} on {here}")
        write(path, "".join(f"{line}\n" for line in lines).encode())
