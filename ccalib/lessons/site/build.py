"""All pages: from scripts and results to a folder of HTML that a browser opens from file://."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from ccalib.errors import CcaError
from ccalib.lessons import build as notebooks
from ccalib.lessons.site import glossary, links, states
from ccalib.lessons.site.addresses import Addresses
from ccalib.lessons.site.capture import captured
from ccalib.lessons.site.page import Page, render
from ccalib.lessons.site.pictures import QUALITIES, Pictures
from ccalib.lessons.site.prose import Prose
from ccalib.lessons.site.readme import Readme

HERE = Path(__file__).parent
LIMIT = 3_000_000  # bytes of a page with all that it loads
INDEX = 250_000  # bytes to leave for the search's index, which is written last
ASSETS = ("host.js", "widgets.js", "site.js", "site.css", "icon.svg")


@dataclass
class Entry:
    """A page of the site: `kind` is "lesson", "exercise", "extra" or "text"; `name` its address without .html."""

    name: str
    kind: str
    source: Path  # the notebook it stands for, or the text
    title: str

    @property
    def address(self) -> str:
        return f"{self.name}.html"

    @property
    def short(self) -> str:
        """The title as the contents have it: up to the colon."""
        return self.title.removeprefix("Exercises ").partition(":")[0]


@dataclass
class Site:
    """Builds the site.

    Args:
        out: the folder; it is emptied first. folder: where the notebooks are. names: which lessons (default: all).
        stale: take remembered runs of the same script though the package has changed.
    """

    out: Path
    folder: Path = notebooks.NOTEBOOKS
    names: Sequence[str] = ()
    stale: bool = False
    index: list[list[str]] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)
    used: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        loader = jinja2.FileSystemLoader(HERE / "templates")
        self.templates = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self.readme = Readme(notebooks.ROOT / "README.md")
        self.entries = self._entries()
        known = {entry.source.resolve(): entry.address for entry in self.entries}
        self.addresses = Addresses(self.out, known, self.folder, partial=bool(self.names))
        path = self.folder / "glossary.md"
        self.terms = glossary.terms(path) if path.is_file() else []

    def _entries(self) -> list[Entry]:
        scripts, wanted = self.folder / "source", lambda name: not self.names or name in self.names
        chosen = [name for name in notebooks.names_in(self.folder) if wanted(name)]
        more = [path for path in sorted((scripts / "site").glob("*.py")) if wanted(path.stem)]
        missing = set(self.names) - {*chosen, *(path.stem for path in more)}
        if missing:
            raise CcaError(f"site: no script of that name in {scripts}: {', '.join(sorted(missing))}")
        title = lambda script: script.read_text(encoding="utf-8").split("# # ", 1)[-1].splitlines()[0].strip()
        lessons = [Entry(n, "lesson", self.folder / f"{n}.ipynb", title(scripts / f"{n}.py")) for n in chosen]
        extras = [Entry(path.stem, "extra", self.folder / f"{path.stem}.ipynb", title(path)) for path in more]
        exercises = [
            Entry(f"exercises/{n}", "exercise", self.folder / "exercises" / f"{n}.ipynb", title(script))
            for n in chosen
            if (script := scripts / "exercises" / f"{n}.py").is_file()
            and (self.folder / "exercises" / f"{n}.ipynb").is_file()
        ]
        texts = [Entry("index", "text", notebooks.ROOT / "README.md", "Home")]
        if (self.folder / "glossary.md").is_file():
            texts.append(Entry("glossary", "text", self.folder / "glossary.md", "Glossary"))
        texts.append(Entry("pictures", "text", notebooks.ROOT / "data" / "images" / "LICENSES.md", "Photographs"))
        texts.append(Entry("weights", "text", notebooks.ROOT / "data" / "weights" / "small.md", "The weights"))
        return [*lessons, *extras, *exercises, *texts]

    def build(self) -> list[str]:
        """Write everything. Returns what is wrong: failed notebooks, dead links, pages above the limit; or nothing."""
        shutil.rmtree(self.out, ignore_errors=True)
        (self.out / "assets").mkdir(parents=True)
        for name in ASSETS:
            shutil.copy(HERE / "assets" / name, self.out / "assets")
        problems, pages = [], {}
        notebooks_here = [entry for entry in self.entries if entry.kind != "text"]
        with tqdm(notebooks_here, desc="pages", unit="page") as bar:
            for entry in bar:
                bar.set_postfix_str(entry.name)
                try:
                    pages[entry.name] = self._notebook(entry)
                except CcaError as error:
                    problems.append(str(error))
                    self.entries.remove(entry)
        self._home(pages)
        for entry in self.entries:
            if entry.kind == "text" and entry.name != "index":
                self._text(entry)
        text = json.dumps(self.index, ensure_ascii=False, separators=(",", ":"))
        index = self.out / "assets" / "search-index.js"
        index.write_text(f"ccaSearch({text});\n", encoding="utf-8")
        self.weights = {name: weight + index.stat().st_size for name, weight in self.weights.items()}
        for path in set((self.out / "figures").glob("*")) - self.used:  # of a better quality that was too heavy
            path.unlink()
        problems += links.dead(self.out)
        heavy = {name: weight for name, weight in self.weights.items() if weight > LIMIT}
        problems += [f"{name}.html: {weight:,} bytes, more than {LIMIT:,}" for name, weight in heavy.items()]
        return problems

    # ---- pages ------------------------------------------------------------------------------------------------------

    def _notebook(self, entry: Entry) -> Page:
        notebook = self._executed(entry)
        widgets = states.widgets_of(notebook)
        where = entry.source.relative_to(self.folder).as_posix()
        command = f"<code>make lab</code>, then open <code>{where}</code>."
        if entry.kind == "extra":
            command = "<code>make lab</code>."
        prefix = "../" * entry.name.count("/")
        for quality, least in QUALITIES:
            pictures = Pictures(self.out / "figures", f"{prefix}figures/", quality, least)
            marker = glossary.Marker(self.terms, entry.source.name, prefix) if entry.kind == "lesson" else str
            prose = Prose(self.addresses.on(entry.address, self._home_of(entry)), marker)
            page = render(entry.name, notebook, widgets, pictures, prose, command)
            scripts = states.write(widgets, page.shown, pictures, self.out / "assets" / "widgets", self._data(entry))
            self._write(entry, page, scripts, command, pictures)
            self.weights[entry.name] = links.weight(self.out, self.out / entry.address, pictures.written)
            if self.weights[entry.name] < LIMIT - INDEX:
                break
        self.used |= pictures.written
        self.index += [[entry.name, page.title, s.anchor, s.title, s.text] for s in page.sections]
        return page

    def _executed(self, entry: Entry) -> NotebookNode:
        if entry.kind == "exercise":
            return nbformat.read(entry.source, as_version=4)
        script = self.folder / "source" / ("site" if entry.kind == "extra" else "") / f"{entry.source.stem}.py"
        notebook = captured(entry.source.stem, self.folder, script, self.stale)
        committed = nbformat.read(entry.source, as_version=4).metadata if entry.source.is_file() else {}
        run_time = committed.get("ccalib", {}).get("run_time", notebook.metadata.ccalib.run_time)
        notebooks._fill_in(notebook, run_time)
        return notebook

    def _home_of(self, entry: Entry) -> Path:
        """The folder that links in an entry's text start from."""
        return self.folder / "source" / "site" if entry.kind == "extra" else entry.source.parent

    def _data(self, entry: Entry) -> Path:
        return self.out / "data" / f"{entry.name.replace('/', '-')}.js"

    def _write(self, entry: Entry, page: Page, scripts: list[Path], command: str, pictures: Pictures) -> None:
        lesson = next((e for e in self.entries if e.kind == "lesson" and f"exercises/{e.name}" == entry.name), None)
        exercise = next((e for e in self.entries if e.name == f"exercises/{entry.name}"), None)
        row = [e for e in self.entries if e.kind == entry.kind]
        at = row.index(entry)
        banner = {
            "lesson": f"On this page figures and widgets work; code does not run. To run it: {command}",
            "exercise": f"Exercises are for JupyterLab: {command} Cells below check what you wrote.",
        }.get(entry.kind, "")
        stored = f"The widgets' pictures are stored again for this page (WebP, {pictures.worst:.1f} dB or more from those of the notebook)."  # noqa: E501
        root = "../" * entry.name.count("/")
        self._page(
            entry,
            title=page.title,
            body=page.body,
            description=page.title,
            study=page.study,
            banner=banner,
            command=f"{command}" if page.shown else "",
            exercise=root + exercise.address if exercise else "",
            lesson=root + lesson.address if lesson else "",
            sections=[heading for heading in page.headings if heading.level == 2],
            scripts=[path.relative_to(self.out).as_posix() for path in scripts],
            stored=stored if pictures.worst < 99 else "",
            before=row[at - 1] if at > 0 else None,
            after=row[at + 1] if at + 1 < len(row) else None,
        )

    def _page(self, entry: Entry, **values: object) -> None:
        groups = [("Lessons", "lesson"), ("To play with", "extra"), ("Exercises", "exercise"), ("About", "text")]
        contents = [{"title": title, "entries": [e for e in self.entries if e.kind == kind]} for title, kind in groups]
        kind = "home" if entry.name == "index" else entry.kind
        path = self.out / entry.address
        path.parent.mkdir(parents=True, exist_ok=True)
        root = "../" * entry.name.count("/")
        html = self.templates.get_template("page.html").render(
            kind=kind, name=entry.name, root=root, contents=[g for g in contents if g["entries"]], **values
        )
        path.write_text(html, encoding="utf-8")

    def _home(self, pages: dict[str, Page]) -> None:
        entry = next(e for e in self.entries if e.name == "index")
        prose = Prose(self.addresses.on(entry.address, notebooks.ROOT))
        of = lambda kind: [e for e in self.entries if e.kind == kind]
        lessons = [
            {
                "title": lesson.short,
                "address": lesson.address,
                "question": self.readme.question(lesson.source.name),
                "study": pages[lesson.name].study,
                "exercise": next((e.address for e in of("exercise") if e.name == f"exercises/{lesson.name}"), ""),
            }
            for lesson in of("lesson")
        ]
        body = self.templates.get_template("home.html").render(
            pitch=prose.html(self.readme.pitch),
            picture=f'<div class="picture">{prose.html(self.readme.picture)}</div>' if self.readme.picture else "",
            lessons=lessons,
            extras=of("extra"),
            setup=prose.html(self.readme.section("Set-up")),
            glossary=any(e.name == "glossary" for e in self.entries),
        )
        self._page(entry, title=prose.headings[0].text, body=body, description="A course in learned image compression")
        self.index.append(["index", "Home", "set-up", "Set-up", self.readme.section("Set-up")])

    def _text(self, entry: Entry) -> None:
        prose = Prose(self.addresses.on(entry.address, entry.source.parent))
        body = prose.html(entry.source.read_text(encoding="utf-8"))
        if entry.name == "glossary":
            body = glossary.with_anchors(body, self.terms)
            self.index += [["glossary", "Glossary", t.anchor, t.symbol, f"{t.symbol}: {t.meaning}"] for t in self.terms]
        self._page(entry, title=prose.headings[0].text, body=body, description=entry.title)
