"""Is every link of the site alive? All pages are read; every local address must exist, with its anchor."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Found(HTMLParser):
    """What one page holds: its ids, and the addresses in it, each with its attribute."""

    ids: Counter[str] = field(default_factory=Counter)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids[value] += 1
            elif name in ("href", "src") and value is not None:
                self.addresses.append(value)


def read(path: Path) -> Found:
    found = Found()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def local(address: str) -> bool:
    """Whether an address is one of the site's own."""
    return not urlsplit(address).scheme and not address.startswith("//")


def dead(site: Path) -> list[str]:
    """Every dead link, missing anchor and doubled id of all pages below a folder, as sentences; empty when all is well.

    Addresses of other sites are not asked for: there may be no network.
    """
    pages = {path: read(path) for path in sorted(site.rglob("*.html"))}
    problems = []
    for path, page in pages.items():
        where = path.relative_to(site)
        problems += [
            f"{where}: the id {name!r} is there {count} times" for name, count in page.ids.items() if count > 1
        ]
        for address in filter(local, page.addresses):
            parts = urlsplit(address)
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or not target.is_relative_to(site):
                problems.append(f"{where}: {address} leads nowhere")
            elif anchor and anchor not in (pages[target].ids if target in pages else ()):
                problems.append(f"{where}: {address}: no such place on that page")
    return problems


def weight(site: Path, page: Path, more: set[Path]) -> int:
    """Bytes of a page with all that it loads or can load: scripts, styles, pictures, and `more`."""
    files = {page, *more}
    for address in read(page).addresses:
        if local(address) and not address.endswith(".html") and not address.startswith("#"):
            target = Path(os.path.normpath(page.parent / unquote(urlsplit(address).path)))
            if target.suffix in (".js", ".css", ".png", ".jpg", ".webp", ".svg"):
                files.add(target)
    return sum(path.stat().st_size for path in files if path.is_file())
