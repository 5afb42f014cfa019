"""The students' copy of the course as a zip: `python -m ccalib.lessons.student [-o ccalib-student.zip]`.

Everything in the last commit but for what a teacher keeps: solutions and the scripts that hold them, the teaching kit,
the tests. (Not what lies on the disk: half of a change would be a broken course.) A commit always gives the same bytes.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from ccalib.errors import CcaError
from ccalib.lessons.build import ROOT

TOP = "ccalib-student"  # the folder in the zip
KEPT = (  # what a teacher keeps: files, and folders with all that is in them
    "notebooks/solutions",
    "notebooks/source/exercises",
    "notebooks/teaching",
    "ccalib/lessons/teaching",
    "tests",
    ".ci",
    ".gitattributes",
)
NOTE = """> **This is the students' copy** of the course. `make lab` opens it; `make test` runs its notebooks and
> compares what they print. Left out: the solutions of the exercises, the tests of the package and the teacher's kit;
> where this page speaks of those, it speaks of the full repository.
"""
DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold; no clock in the bytes


def committed(root: Path = ROOT) -> dict[str, bytes]:
    """Path from the root -> content, of all files of the last commit, sorted.

    Raises:
        CcaError: no git, or no repository with a commit of the course.
    """
    if not shutil.which("git"):
        raise CcaError(f"{root}: git is not installed, and only git knows which files belong to the course")
    command = ["git", "-c", "safe.directory=*", "archive", "--format=tar", "HEAD"]
    done = subprocess.run(command, cwd=root, capture_output=True)
    if done.returncode or not (root / ".git").exists():
        raise CcaError(f"{root}: not a git repository; a students' copy is made from a clone of the course")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    return dict(sorted(files.items()))


def handed_out(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the files that students get, with a note in the README."""
    kept = lambda name: any(name == one or name.startswith(f"{one}/") for one in KEPT)
    given = {name: data for name, data in files.items() if not kept(name)}
    return given | {"README.md": with_note(files["README.md"].decode("utf-8")).encode("utf-8")}


def with_note(readme: str) -> str:
    """The README with a paragraph below its title that says which copy this is."""
    title, rest = readme.split("\n", 1)
    return f"{title}\n\n{NOTE}{rest}"


def pack(out: Path, root: Path = ROOT) -> int:
    """Write the zip. Returns the number of files in it.

    Raises:
        CcaError: there is no commit to pack, or the zip can't be written.
    """
    files = handed_out(committed(root))
    part = out.with_name(f"{out.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, data in files.items():
                entry = zipfile.ZipInfo(f"{TOP}/{name}", DATE)
                entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, data)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CcaError(f"{out}: cannot be written ({error.strerror})") from error
    return len(files)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns 0, or 1 when there is nothing to pack."""
    parser = argparse.ArgumentParser(prog="python -m ccalib.lessons.student", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("ccalib-student.zip"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        count = pack(options.out)
    except CcaError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.out}: {count} files, {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
