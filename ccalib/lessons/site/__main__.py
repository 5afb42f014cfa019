"""The command: `python -m ccalib.lessons.site -o site/ [--notebooks NAME ...] [--stale]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ccalib.errors import CcaError
from ccalib.lessons.build import NOTEBOOKS
from ccalib.lessons.site.build import Site


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 1 when a notebook failed, a link is dead or a page is too heavy (what there is, is written)."""
    parser = argparse.ArgumentParser(prog="python -m ccalib.lessons.site", description="The lessons as static HTML.")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("site"), help="the folder (default: %(default)s); emptied"
    )
    parser.add_argument(
        "--notebooks", nargs="+", metavar="NAME", default=[], help="only these lessons, such as 00_tour"
    )
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="where the notebooks are (default: %(default)s)")
    stale = "take a remembered run of the same script even if the package has changed since"
    parser.add_argument("--stale", action="store_true", help=stale)
    options = parser.parse_args(arguments)
    try:
        if options.out.exists() and any(options.out.iterdir()) and not (options.out / "assets" / "host.js").is_file():
            raise CcaError(f"{options.out}: not empty, and not a site; it would be emptied")
        site = Site(options.out, options.folder, [Path(name).stem for name in options.notebooks], options.stale)
        problems = site.build()
    except CcaError as error:
        print(error, file=sys.stderr)
        return 1
    for name, weight in site.weights.items():
        print(f"{name}.html: {weight / 1e6:.2f} MB with all that it loads")
    print(*problems, sep="\n", file=sys.stderr)
    print(f"{len(site.entries)} pages, {'no dead link' if not problems else f'{len(problems)} problems'}: "
          f"{(options.out / 'index.html').resolve().as_uri()}")  # fmt: skip
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
