"""One notebook as the inside of a page: prose, code that folds away, outputs, places where widgets are mounted."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass, field
from html import escape, unescape

from nbformat import NotebookNode

from ccalib.lessons.build import IGNORE_MARKS, WIDGET_VIEW
from ccalib.lessons.site.pictures import Pictures
from ccalib.lessons.site.prose import EMPTY_PARTS, Heading, Prose, code
from ccalib.lessons.site.states import Widgets

LONG = 12  # lines; longer code is folded
QUESTION = re.compile(r"^Predict\(", re.MULTILINE)  # its code gives the answer away, so it is always folded
STUDY = re.compile(r"\*\*Study time\*\*: ([^.;,]+)")
NOT_LIVE = {  # in a heading -> what does not work on a page
    r"\byours\b": "Your own photographs need Python",
    r"break-it lab": "Breaking files needs Python: what you see is one run",
    r"\btrain(ed|ing)?\b.*\blive\b|\blive\b.*\btrain": "Training needs Python: what you see is one run",
}


@dataclass
class Section:
    """What the search looks through: a heading, its anchor, and the text up to the next heading."""

    title: str
    anchor: str
    text: str = ""


@dataclass
class Page:
    """A notebook as HTML.

    Attributes:
        body: HTML of what stands below the site's header. shown: ids of the widgets, in order.
        study: the study time that the notebook states, or "".
    """

    name: str
    title: str = ""
    body: str = ""
    study: str = ""
    headings: list[Heading] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def render(name: str, notebook: NotebookNode, widgets: Widgets, pictures: Pictures, prose: Prose, command: str) -> Page:
    """A notebook as a page.

    Args:
        name: of the page. widgets: of the notebook. pictures: stores the figures.
        prose: renders the markdown. command: how to run the notebook, as HTML.
    """
    page = Page(name, headings=prose.headings)
    parts, makers = [], _Outputs(widgets, pictures, page)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            page.study = page.study or "".join(STUDY.findall(cell.source)[:1])
            before = len(prose.headings)
            html = prose.html(cell.source)
            _sections(page, html, prose.headings[before:])
            parts.append(_with_notes(html, prose.headings[before:], command))
        elif cell.cell_type == "code":
            inner = _code(cell.source) + "".join(map(makers.html, cell.outputs))
            parts.append(f'<div class="cell" id="{escape(cell.id)}">{inner}</div>\n')
    page.body = "".join(parts)
    page.title = prose.headings[0].text if prose.headings else name
    return page


def _sections(page: Page, html: str, headings: list[Heading]) -> None:
    """Hand the text of a piece of HTML to the sections that it opens or goes on with."""
    rest = html
    for heading in headings:
        before, _, rest = rest.partition(f'id="{heading.anchor}">')
        _add(page, before)
        page.sections.append(Section(heading.text, heading.anchor))
        rest = rest.partition(f"</h{heading.level}>")[2]
    _add(page, rest)


def _add(page: Page, html: str) -> None:
    text = " ".join(unescape(EMPTY_PARTS.sub(" ", html.rpartition("<h")[0] if html.endswith(" ") else html)).split())
    if page.sections and text:
        page.sections[-1].text = f"{page.sections[-1].text} {text}".strip()


def _with_notes(html: str, headings: list[Heading], command: str) -> str:
    """Say below a heading what does not work on a page, and how to run it."""
    for heading in headings:
        for pattern, words in NOT_LIVE.items():
            if re.search(pattern, heading.text, re.IGNORECASE):
                end = html.index(f"</h{heading.level}>", html.index(f'id="{heading.anchor}">')) + 5
                html = f'{html[:end]}\n<p class="needs">{words}: {command}</p>{html[end:]}'
    return html


def _code(source: str) -> str:
    lines = [line for line in source.splitlines() if not line.strip().startswith(IGNORE_MARKS)]
    if not lines:
        return ""
    html = code("\n".join(lines))
    if QUESTION.search(source):
        return f'<details class="fold"><summary>Code of the question (it holds the answer)</summary>{html}</details>'
    if len(lines) <= LONG:
        return html
    names = re.findall(r"^(?:def|class) (\w+)", source, re.MULTILINE)
    what = ", ".join(names) or ("imports" if re.match(r"(import|from) ", lines[0]) else "")
    about = f" · <code>{escape(what)}</code>" if names else f" · {what}" if what else ""
    return f'<details class="fold"><summary>Code, {len(lines)} lines{about}</summary>{html}</details>'


@dataclass
class _Outputs:
    """Turns outputs into HTML and writes their pictures."""

    widgets: Widgets
    pictures: Pictures
    page: Page

    def html(self, output: NotebookNode) -> str:
        if output.output_type == "stream":
            kind = "out" if output.name == "stdout" else "out err"
            _add(self.page, escape(output.text))
            return f'<pre class="{kind}">{escape(output.text.rstrip())}</pre>\n'
        if output.output_type == "error":
            return f'<pre class="out err">{escape(output.ename)}: {escape(output.evalue)}</pre>\n'
        data = output.data
        still = self._still(data, output.get("metadata", {}))
        name = data.get(WIDGET_VIEW, {}).get("model_id")
        if name not in self.widgets.models:
            return still
        self.page.shown.append(name)
        state = self.widgets.models[name]
        _add(self.page, escape(f"{state.get('heading', '')} {state.get('question', '')}"))
        number = len(self.page.shown)
        return f'<div class="widget" id="widget-{number}" data-widget="{escape(name)}">{still}</div>\n'

    def _still(self, data: NotebookNode, metadata: NotebookNode) -> str:
        if "text/html" in data:
            return f'<div class="still html">{_text(data["text/html"])}</div>\n'
        if "image/svg+xml" in data:
            return f'<div class="still svg">{_text(data["image/svg+xml"])}</div>\n'
        if "image/png" in data:
            alt = metadata.get("image/png", {}).get("alt", "")
            return self._png(base64.b64decode(_text(data["image/png"])), alt)
        return f'<pre class="out">{escape(_text(data.get("text/plain", "")))}</pre>\n'

    def _png(self, picture: bytes, alt: str) -> str:
        width, height = struct.unpack(">2I", picture[16:24])
        return (
            f'<p class="still"><img src="{self.pictures.keep(picture, "png")}" width="{width}" height="{height}" '
            f'loading="lazy" alt="{escape(alt or "a figure; its numbers are printed beside it")}"></p>\n'
        )


def _text(value: str | list[str]) -> str:
    return "".join(value)
