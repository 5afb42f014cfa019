"""The glossary: symbols of the paper, their names in the code, and where a lesson introduces them."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

from ccalib.errors import CcaError
from ccalib.lessons.build import from_script
from ccalib.lessons.site.prose import Prose

ROW = re.compile(r"^\|(.+)\|\s*$")
LINK = re.compile(r"\[[^\]]*\]\(<?([^)#>]+)#([^)>]+)>?\)")
NAME = re.compile(r"`([^`]+)`")
GREEK = {"alpha": "α", "beta": "β", "delta": "δ", "lambda": "λ", "mu": "μ", "rho": "ρ", "sigma": "σ", "varphi": "φ"}
WORDY = 4  # letters; shorter terms are not linked from running text


@dataclass(frozen=True)
class Term:
    """One row.

    Attributes:
        symbol: as the lessons print it; several ways to say it are separated by commas.
        code: names to import (`ccalib.module.attribute`) or to find on a codec (`codec.attribute`).
        notebook: file name of the lesson that introduces it; heading: the anchor of the section there.
    """

    symbol: str
    meaning: str
    code: tuple[str, ...]
    notebook: str
    heading: str

    @property
    def anchor(self) -> str:
        return "term-" + self.symbol.partition(",")[0].strip().replace(" ", "-")

    @property
    def ways(self) -> list[str]:
        """All ways to say it."""
        return [way.strip() for way in self.symbol.split(",")]


def terms(path: Path) -> list[Term]:
    """The rows of all tables of the glossary.

    Raises:
        CcaError: a row that has not four cells, or no link to a section of a lesson.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = ROW.match(line)
        cells = [cell.strip() for cell in match[1].replace(r"\|", "\0").split("|")] if match else []
        if not cells or set(cells[0]) <= {"-", ":"} or cells[0] == "term":
            continue
        link = LINK.search(cells[-1])
        if len(cells) != 4 or link is None:
            raise CcaError(
                f"{path.name}, line {number}: a term, what it is, its code, and a link to a section of a lesson"
            )
        symbol, meaning, code, _ = (cell.replace("\0", "|") for cell in cells)
        found.append(Term(symbol, meaning, tuple(NAME.findall(code)), link[1], unquote(link[2])))
    return found


def sections(script: Path) -> dict[str, str]:
    """Anchor -> the text of that section: markdown, with TeX read as letters, and the source of its cells."""
    prose, found, anchor = Prose(), {}, ""
    for cell in from_script(script).cells:
        if cell.cell_type != "markdown":
            found[anchor] = f"{found.get(anchor, '')}\n{cell.source}"
            continue
        for piece in re.split(r"^(?=#{1,4} )", cell.source, flags=re.MULTILINE):
            before = len(prose.headings)
            prose.html(piece)
            anchor = prose.headings[before].anchor if len(prose.headings) > before else anchor
            found[anchor] = f"{found.get(anchor, '')}\n{read_tex(piece)}"
    return found


def read_tex(text: str) -> str:
    """`\\hat y` as ŷ, `\\lambda` as λ, and so on, as the glossary writes them."""
    for command, mark in {r"\hat": "\u0302", r"\tilde": "\u0303"}.items():
        text = re.sub(rf"{re.escape(command)}\s*{{?(\w)}}?", lambda m, mark=mark: normalize("NFC", m[1] + mark), text)
    for name, letter in GREEK.items():
        text = re.sub(rf"\\{name}(?![a-z])", letter, text)
    return text


def says(text: str, term: Term) -> bool:
    """Whether a section has the term, in one of its ways, as a word of its own."""
    ways = [re.sub(r"\s*\(.*\)", "", way) for way in term.ways]
    return any(re.search(rf"(?<!\w){re.escape(way)}(?!\w)", text, re.IGNORECASE if len(way) > 3 else 0) for way in ways)


def find(name: str, codec: object) -> object:
    """What a name of the glossary stands for: `codec.…` on a codec, else a module or what is in it.

    Raises:
        CcaError: there is nothing of that name.
    """
    first, *rest = name.split(".")
    if first == "codec":
        found, done = codec, "codec"
    else:
        found, done = importlib.import_module(first), first
    for step in rest:
        done = f"{done}.{step}"
        if not hasattr(found, step):
            try:
                found = importlib.import_module(done)
                continue
            except ModuleNotFoundError as error:
                raise CcaError(f"glossary: {name}: there is no {done}") from error
        found = getattr(found, step)
    return found


def with_anchors(html: str, found: list[Term]) -> str:
    """The glossary's HTML with an id for every row, in the order of the terms."""
    rows = iter(found)
    row = lambda _: f'<tr id="{escape(next(rows).anchor)}">'
    body = re.sub("<tbody>.*?</tbody>", lambda table: re.sub("<tr>", row, table[0]), html, flags=re.DOTALL)
    body = re.sub("<code>[^<]+</code>", lambda name: name[0].replace(".", ".<wbr>"), body)  # long names break at dots
    return f'<div class="glossary">{body}</div>'


class Marker:
    """Links the first use of each term, in the lesson that introduces it, to the glossary."""

    def __init__(self, found: list[Term], notebook: str, root: str) -> None:
        self.root = root
        self.waiting = {
            way: term for term in found if term.notebook == notebook for way in term.ways if len(way) >= WORDY
        }

    def __call__(self, text: str) -> str:
        """Running text as HTML, with links."""
        if not self.waiting:
            return text
        ways = "|".join(re.escape(escape(way, quote=False)) for way in sorted(self.waiting, key=len, reverse=True))

        def link(match: re.Match[str]) -> str:
            term = self.waiting.get(match[0])
            if term is None:
                return match[0]
            for way in term.ways:
                self.waiting.pop(way, None)
            return f'<a class="term" href="{self.root}glossary.html#{escape(term.anchor)}">{match[0]}</a>'

        return re.sub(rf"(?<!\w)(?:{ways})(?!\w)", link, text)
