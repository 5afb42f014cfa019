"""Markdown to HTML: anchors as JupyterLab makes them, formulas as MathML, code colored here, links to pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape, unescape

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

EMPTY_PARTS = re.compile(r"<[^>]+>")


@dataclass
class Heading:
    """A heading: its level (1 to 6), its text without marks, the `id` to link to, and whether it is *deeper*."""

    level: int
    text: str
    anchor: str
    html: str


@dataclass
class Prose:
    """Renders the markdown of one page; keeps its headings, in order, and hands out each anchor once.

    Args:
        resolve: turns the address in a link or picture into the one to use on this page.
        mark: may wrap words of running text (`str` of HTML in, `str` out); asked outside links, code and headings.
    """

    resolve: Callable[[str], str] = str
    mark: Callable[[str], str] = str
    headings: list[Heading] = field(default_factory=list)

    def html(self, source: str) -> str:
        """Markdown as HTML."""
        md = parser()
        tokens = md.parse(source)
        self._links(tokens)
        self._anchors(md, tokens)
        self._marks(tokens)
        return md.renderer.render(tokens, md.options, {})

    def _links(self, tokens: Sequence[Token]) -> None:
        for token in _all(tokens):
            for name in ("href", "src"):
                if name in token.attrs:
                    token.attrs[name] = self.resolve(unescape(str(token.attrs[name])))
            if token.type == "link_open" and str(token.attrs["href"]).startswith(("http:", "https:")):
                token.attrs["rel"] = "external noopener"

    def _anchors(self, md: MarkdownIt, tokens: Sequence[Token]) -> None:
        taken = {heading.anchor for heading in self.headings}
        for opening, inline in zip(tokens, tokens[1:]):
            if opening.type != "heading_open":
                continue
            html = md.renderer.render([inline], md.options, {})
            text = unescape(EMPTY_PARTS.sub("", html)).strip()
            anchor = wanted = text.replace(" ", "-")
            count = 1
            while anchor in taken:
                count += 1
                anchor = f"{wanted}-{count}"
            taken.add(anchor)
            opening.attrs["id"] = anchor
            self.headings.append(Heading(int(opening.tag[1]), text, anchor, html))

    def _marks(self, tokens: Sequence[Token]) -> None:
        for before, inline in zip(tokens, tokens[1:]):
            if inline.type != "inline" or before.type == "heading_open":
                continue
            inside = 0
            for child in inline.children or []:
                inside += (child.type == "link_open") - (child.type == "link_close")
                if child.type == "text" and not inside:
                    child.type, child.content = "html_inline", self.mark(escape(child.content, quote=False))


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or []))]


@cache
def parser() -> MarkdownIt:
    """CommonMark with tables, $…$ and $$…$$."""
    md = MarkdownIt("commonmark", {"html": True, "highlight": None}).enable(["table", "strikethrough"])
    md.use(dollarmath_plugin, allow_space=False, renderer=_math)
    md.add_render_rule("fence", _fence)
    md.add_render_rule("code_block", _fence)
    md.add_render_rule("table_open", lambda *_: '<div class="wide"><table>')
    md.add_render_rule("table_close", lambda *_: "</table></div>")
    return md


def _math(source: str, options: dict) -> str:
    shown = "block" if options["display_mode"] else "inline"
    return convert(source, display=shown).replace("<math ", f'<math alttext="{escape(source)}" ', 1)


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: dict, env: dict) -> str:
    return code(tokens[index].content, tokens[index].info.strip() or "text")


def code(source: str, language: str = "python", kind: str = "code") -> str:
    """A piece of code as `<pre>`, its words in spans that the stylesheet colors."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    inner = highlight(source.strip("\n"), lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    return f'<pre class="{kind}"><code>{inner}</code></pre>\n'
