"""Write validation.txt: 64 of the training photographs, balanced over sources, the same ones on every machine.

Run `python data/weights/choose_validation.py`; it reads MANIFEST.tsv beside it and needs only the standard library.
"""

import csv
import hashlib
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
COUNT, SEED, ALWAYS = 64, "ccalib-validation-1", 10  # a source of at least ALWAYS photographs gives at least one

HEADER = f"""\
# The {COUNT} validation photographs, taken out of the training set (MANIFEST.tsv); never trained on, and all choices
# are made on them. Written by choose_validation.py: each source gives its share of {COUNT} by the largest-remainder
# method (at least one if it has {ALWAYS} photographs or more); within a source the files with the smallest
# SHA-256("{SEED}:" + name) are taken.
"""


def choose() -> list[str]:
    sources = defaultdict(list)
    with open(HERE / "MANIFEST.tsv", encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            sources[row["source"]].append(row["file"])
    total = sum(map(len, sources.values()))
    exact = {name: COUNT * len(files) / total for name, files in sources.items()}
    quota = {name: max(int(share), int(len(sources[name]) >= ALWAYS)) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (quota[name] - exact[name], name))
    for name in by_remainder[: COUNT - sum(quota.values())]:
        quota[name] += 1
    order = lambda file: hashlib.sha256(f"{SEED}:{file}".encode()).hexdigest()  # noqa: E731
    return sorted(file for name, files in sources.items() for file in sorted(files, key=order)[: quota[name]])


if __name__ == "__main__":
    (HERE / "validation.txt").write_text(HEADER + "\n".join(choose()) + "\n", encoding="utf-8")
