"""The site: a notebook of two widgets becomes pages; every link lives; the glossary names what there is."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct

import numpy as np
import pytest
from PIL import Image

import ccalib
from ccalib.errors import CcaError
from ccalib.evaluation.metrics import psnr
from ccalib.images import to_bytes
from ccalib.lessons.build import NOTEBOOKS
from ccalib.lessons.site import __main__ as command
from ccalib.lessons.site import capture, glossary, links, states
from ccalib.lessons.site.build import ASSETS, LIMIT, Site
from ccalib.lessons.site.page import _with_notes
from ccalib.lessons.site.pictures import Pictures, kind_of
from ccalib.lessons.site.prose import Heading, Prose
from ccalib.lessons.site.readme import Readme
from ccalib.lessons.widgets.rate_plot import RatePlot
from tests.conftest import DATA

SCRIPT = """# %% [markdown]
# # 00 · Small: a lesson
#
# - **Study time**: 5 minutes for the core.
#
# A *latent* is a word of the glossary; see [the next one](01_next.ipynb#A-part) and [the text](notes.txt).

# %%
import numpy as np
import traitlets
from PIL import Image

from ccalib.lessons.pixels import Picture
from ccalib.lessons.widgets import Predict, Wipe

noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
pictures = [Picture(name, Image.fromarray(noise // divisor)) for name, divisor in (("one", 1), ("two", 2))]
question = Predict("Why?", ["this", "that"], 1, "Because.", "An idea.")
wipe, other = Wipe(*pictures), Wipe(*pictures, heading="Another")
wipe.observe(print, "zoom")
traitlets.link((wipe, "position"), (other, "position"))
print("a number:", 6 * 7)

# %%
question

# %% [markdown]
# ## Now on yours
#
# $$\\hat y = \\frac{a}{b}$$

# %%
wipe

# %%
other
""".replace("\\\\\\\\", "\\")
NEXT = "# %% [markdown]\n# # 01 · Next\n#\n# ## A part\n#\n# Text.\n#\n# ## A part\n#\n# More.\n"
TERMS = "# Glossary\n\n| term | what | code | where |\n|---|---|---|---|\n| latent | it | `ccalib.load` | [00](00_small.ipynb#Now-on-yours) |\n"  # noqa: E501


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A site of two lessons: (the Site, what is wrong with it)."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "source").mkdir()
    (folder / "source" / "00_small.py").write_text(SCRIPT.replace("[the text](notes.txt)", "the text"))
    (folder / "source" / "01_next.py").write_text(NEXT)
    (folder / "glossary.md").write_text(TERMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "REMEMBERED", folder / "runs")
        site = Site(folder / "site", folder)
        problems = site.build()
        patch.setattr(capture.build, "execute", None)  # the second time nothing is run
        again = Site(folder / "again", folder)
        assert again.build() == problems
    return site, problems


@pytest.fixture(scope="module")
def page(built):
    return (built[0].out / "00_small.html").read_text()


def unpacked(path) -> tuple[dict, bytes]:
    whole = gzip.decompress(base64.b64decode(re.search(r'"(.+)"', path.read_text())[1]))
    length = struct.unpack("<I", whole[:4])[0]
    return json.loads(whole[4 : 4 + length]), whole[4 + length :]


def test_pages_are_whole(built, page):
    site, problems = built
    assert problems == [] and links.dead(site.out) == []
    names = {path.relative_to(site.out).as_posix() for path in site.out.rglob("*.html")}
    assert names == {"index.html", "00_small.html", "01_next.html", "glossary.html", "pictures.html", "weights.html"}
    assert "<h1" in page and 'id="Now-on-yours"' in page and "a number: 42" in page
    assert 'href="01_next.html#A-part"' in page and 'id="A-part-2"' in (site.out / "01_next.html").read_text()
    assert "5 minutes for the core" in page
    assert '<a class="term" href="glossary.html#term-latent">latent</a>' in page
    assert "<math" in page and "<mfrac>" in page
    assert "http-equiv" not in page and not re.search(r'(src|href)="(https?:)?//', page.partition("<footer>")[0])


def test_pages_say_what_needs_python(page):
    after = page.partition('id="Now-on-yours"')[2]
    assert re.match(
        r'>Now on yours</h2>\s*<p class="needs">Your own photographs need Python: <code>make lab</code>', after
    )
    assert "open <code>00_small.ipynb</code>" in after
    heading = Heading(2, "8. The break-it lab", "x", "")
    assert "needs Python" in _with_notes('<h2 id="x">8. The break-it lab</h2>', [heading], "run it")
    assert "needs" not in _with_notes('<h2 id="x">4. A gallery</h2>', [Heading(2, "4. A gallery", "x", "")], "run it")


def test_widgets_travel_with_the_page(built, page):
    site, _ = built
    shown = re.findall(r'data-widget="(\w+)"', page)
    assert len(shown) == 3 and page.count("<img") >= 2  # the wipes' stills; the question's still is text
    head, rest = unpacked(site.out / "data" / "00_small.js")
    assert list(head["models"]) == shown
    question, wipe, other = head["models"].values()
    assert question["state"]["question"] == "Why?" and question["asks"] == []
    assert wipe["asks"] == ["zoom"] and other["asks"] == []
    assert head["links"] == [[[shown[1], "position"], [shown[2], "position"]]]
    assert not any(name.startswith("_") for name in wipe["state"])
    for address in wipe["state"]["images"]:  # pictures are files
        assert (site.out / address).is_file()
    assert wipe["module"] == other["module"] != question["module"]
    for module in (wipe["module"], question["module"]):
        text = (site.out / "assets" / "widgets" / f"{module}.js").read_text()
        assert text.startswith(f'ccaModule("{module}", ') and page.count(f"{module}.js") == 1
    assert rest == b""


def test_answers_are_folded(page):
    at = page.index("Code of the question") if "Code of the question" in page else None
    assert at is None  # here the question is made in a long cell, folded as one
    assert page.count('<details class="fold">') == 1 and "imports</summary>" in page


def test_bytes_that_are_no_picture_are_packed(tmp_path):
    state = {"_esm": "e", "_css": "c", "_anywidget_id": "a.b.Thing", "planes": b"\x01\x02", "n": 3, "list": [b"\x03"]}
    widgets = states.Widgets({"id": state}, {"id": ["n"]})
    (tmp_path / "d.js").write_text(f'"{states.packed(widgets, ["id"], Pictures(tmp_path, "f/"))}"')
    head, rest = unpacked(tmp_path / "d.js")
    assert head["models"]["id"]["module"].startswith("thing-") and head["models"]["id"]["asks"] == ["n"]
    assert head["models"]["id"]["state"] == {"planes": {"__bytes__": [0, 2]}, "n": 3, "list": [{"__bytes__": [2, 1]}]}
    assert rest == b"\x01\x02\x03"
    with pytest.raises(CcaError, match="without state"):
        states.write(widgets, ["other"], Pictures(tmp_path, ""), tmp_path, tmp_path / "x.js")


def test_pictures_are_stored_smaller_and_measured(tmp_path, picture):
    lossless = to_bytes(picture, format="WEBP", lossless=True)
    kept = Pictures(tmp_path, "figures/")
    address = kept.address(lossless)
    stored = tmp_path / address.removeprefix("figures/")
    assert stored.stat().st_size < len(lossless) and kept.written == {stored}
    assert kept.worst == psnr(picture, Image.open(stored).convert("RGB")) > 35
    strict = Pictures(tmp_path, "", 95, kept.worst + 1)
    assert (tmp_path / strict.address(lossless)).read_bytes() == lossless and strict.worst == np.inf
    assert Pictures(tmp_path, "", 70).address(lossless) != Pictures(tmp_path, "", 95).address(lossless)
    flat = to_bytes(Image.new("RGB", (8, 8)), format="WEBP", lossless=True)
    assert (tmp_path / kept.address(flat).removeprefix("figures/")).read_bytes() == flat  # no larger than need be
    assert kept.address(b"\x00" * 40) is None
    assert kind_of(to_bytes(picture, format="PNG")) == "png" and kind_of(to_bytes(picture, format="JPEG")) == "jpg"


def test_search_finds_prose_outputs_and_questions(built):
    text = (built[0].out / "assets" / "search-index.js").read_text()
    index = json.loads(re.fullmatch(r"ccaSearch\((.+)\);\n", text, re.DOTALL)[1])
    of = lambda word: {(page, anchor) for page, _, anchor, _, words in index if word in words}
    assert of("a number: 42") == of("Why?") == {("00_small", "00-·-Small:-a-lesson")}
    assert of("More.") == {("01_next", "A-part-2")} and of("latent: it") == {("glossary", "term-latent")}
    assert of("<") == set()


def test_dead_links_are_found(built, tmp_path):
    for name, html in {"a.html": '<a href="b.html#x">', "b.html": '<p id="y"><p id="y"><img src="none.png">'}.items():
        (tmp_path / name).write_text(html + '<a href="https://example.org/">')
    found = links.dead(tmp_path)
    assert len(found) == 3
    assert any("b.html#x" in one for one in found) and any("none.png leads nowhere" in one for one in found)
    assert any("'y' is there 2 times" in one for one in found)


def test_dead_link_in_a_lesson_fails_the_command(tmp_path, monkeypatch, capsys):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "01_next.py").write_text(NEXT + "#\n# [gone](gone.ipynb)\n")
    monkeypatch.setattr(capture, "REMEMBERED", tmp_path / "runs")
    arguments = ["--folder", str(tmp_path), "-o", str(tmp_path / "site")]
    assert command.main(arguments) == 1
    assert "01_next.html: gone.ipynb leads nowhere" in capsys.readouterr().err


def test_command_refuses_what_it_must_not_empty(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert command.main(["-o", str(tmp_path)]) == 1
    assert "it would be emptied" in capsys.readouterr().err and (tmp_path / "mine.txt").exists()
    assert command.main(["-o", str(tmp_path / "site"), "--notebooks", "77_none"]) == 1
    assert "77_none" in capsys.readouterr().err


def test_weights_count_all_files(built):
    site, _ = built
    html = site.out / "01_next.html"
    assets = [site.out / "assets" / name for name in (*ASSETS, "search-index.js")]
    assert site.weights["01_next"] == sum(path.stat().st_size for path in [html, *assets])
    assert max(site.weights.values()) < LIMIT


def test_prose_keeps_what_is_not_prose():
    prose = Prose(mark=lambda text: text.replace("cd", "CD").replace("ij", "IJ"))
    html = prose.html("# Ab\n\ncd `ef` [gh](x.html) *ij* $k$ 5 < 6\n\n| a |\n|---|\n| b |\n\n```python\nx = 1\n```\n")
    assert ">Ab</h1>" in html and "CD" in html and "<code>ef</code>" in html and ">gh</a>" in html
    assert "<em>IJ</em>" in html and "<math" in html and "5 &lt; 6" in html
    assert '<div class="wide"><table>' in html and '<span class="mi">1</span>' in html


def test_readme_has_what_the_first_page_shows():
    readme = Readme(NOTEBOOKS.parent / "README.md")
    assert readme.pitch.startswith("# ccalib") and "make lab" in readme.section("Set-up")
    assert "<!--" not in readme.pitch + readme.picture and readme.picture.startswith("![")
    assert readme.question("00_tour.ipynb").endswith("?") and readme.question("none.ipynb") == ""


TERM = glossary.terms(NOTEBOOKS / "glossary.md")


@pytest.fixture(scope="module")
def small():
    return ccalib.load("small")


@pytest.mark.parametrize("term", TERM, ids=[term.anchor for term in TERM])
def test_glossary_is_true(term, small):
    assert term.code
    for name in term.code:
        glossary.find(name, small)
    text = glossary.sections(NOTEBOOKS / "source" / term.notebook.replace(".ipynb", ".py"))
    assert term.heading in text, list(text)
    assert glossary.says(text[term.heading], term)


def test_glossary_has_the_papers_symbols(small):
    ways = {way for term in TERM for way in term.ways}
    wanted = {"x", "y", "ŷ", "z", "ẑ", "y_i", "μ_i", "σ_i", "g_a", "g_s", "h_a", "h_s", "LRP", "φ", "λ", "β", "α", "k"}
    wanted |= {"G", "M", "N", "I_i", "R_aux", "L_CCA", "bpp", "PSNR", "BD-rate", "NAF block"}
    assert wanted <= ways
    assert len({term.anchor for term in TERM}) == len(TERM)
    with pytest.raises(CcaError, match="codec.g_b"):
        glossary.find("codec.g_b", small)
    assert not glossary.says("the scaled one", next(term for term in TERM if "σ" in term.ways))


def test_glossary_row_without_section_is_refused(tmp_path):
    (tmp_path / "glossary.md").write_text("| x | it | `a` | lesson 3 |\n")
    with pytest.raises(CcaError, match="line 1"):
        glossary.terms(tmp_path / "glossary.md")


def test_tex_is_read_as_letters():
    assert glossary.read_tex(r"\hat y = \hat{x} + \lambda D") == "ŷ = x̂ + λ D"
    assert np.all([letter in glossary.read_tex(rf"\{name}") for name, letter in glossary.GREEK.items()])


def test_what_the_browser_counts_itself_is_not_asked_of_python(capsys):
    """The rate plot's rows follow its anchor and its metric, and its JavaScript counts both."""
    plot = RatePlot(json.loads((DATA / "results" / "kodak.json").read_text()))
    assert plot._trait_notifiers["anchor"]["change"]  # Python listens all the same
    exec(capture.PROBE, {})
    assert not {"anchor", "metric"} & set(json.loads(capsys.readouterr().out)["asks"].get(plot.model_id, []))
