"""The command: `python -m ccalib.lessons.teaching sheet [--check]`, `… exam --seed 7 --copies 30 -o FOLDER` and
`… grade FOLDER -o marks.csv`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ccalib.errors import CcaError


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 1 where something can't be read or written, or a stored page is not what the command writes."""
    parser = argparse.ArgumentParser(prog="python -m ccalib.lessons.teaching", description="What a teacher prints.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    page = kinds.add_parser("sheet", help="write the page that needs no computer, and its solutions")
    page.add_argument("--check", action="store_true", help="write nothing; say whether the stored pages are up to date")
    test = kinds.add_parser("exam", help="write exams with permuted numbers, and their key")
    test.add_argument("--seed", type=int, required=True, help="the same seed gives the same exam; keep it to yourself")
    test.add_argument("--copies", type=int, default=1, metavar="N", help="one for each student (default: %(default)s)")
    test.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="where the pages go")
    marks = kinds.add_parser("grade", help="points for handed-in exercises; runs the students' code")
    marks.add_argument("folder", type=Path, help="with the notebooks, such as FOLDER/name/01_transforms.ipynb")
    marks.add_argument("-o", "--out", type=Path, default=Path("marks.csv"), help="a row a check (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if options.kind == "exam":
            from ccalib.lessons.teaching import exam

            print(*exam.write(options.out, options.seed, options.copies), sep="\n")
            return 0
        if options.kind == "grade":
            from ccalib.lessons.teaching import grade

            for name, (got, of) in grade.grade(options.folder, options.out).items():
                print(f"{name}: {got} of {of}")
            return 0
        from ccalib.lessons.teaching import sheet

        if options.check:
            stale = sheet.stale()
            print(*[f"{name}: not up to date" for name in stale] or ["the printed pages are up to date"], sep="\n")
            return int(bool(stale))
        print(*sheet.write(), sep="\n")
    except CcaError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
