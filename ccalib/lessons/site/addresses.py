"""Where a link of a notebook leads on the site."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ccalib.lessons.build import ROOT


@dataclass
class Addresses:
    """Turns addresses of the repository into addresses of the site.

    Args:
        out: the site. pages: notebook or text -> its page. notebooks: their folder.
        partial: not all lessons are built; a link to one that is not leads to the list of lessons.
    """

    out: Path
    pages: Mapping[Path, str]
    notebooks: Path
    partial: bool = False

    def on(self, page: str, folder: Path) -> Callable[[str], str]:
        """What to do with an address in a text of `folder` that stands on `page`; files are copied."""

        def resolve(address: str) -> str:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or not parts.path:
                return address
            fragment = f"#{quote(unquote(parts.fragment))}" if parts.fragment else ""
            target = (folder / unquote(parts.path)).resolve()
            if target in self.pages:
                found = self.pages[target] + fragment
            elif self.partial and target.suffix == ".ipynb" and target.is_relative_to(self.notebooks.resolve()):
                found = "index.html#lessons"
            elif target.is_file() and target.is_relative_to(ROOT):
                found = f"files/{target.relative_to(ROOT).as_posix()}"
                (self.out / found).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(target, self.out / found)
            else:
                return address  # dead; the crawl says so
            return os.path.relpath(found, os.path.dirname(page) or ".")

        return resolve
