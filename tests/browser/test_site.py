"""The site in a browser, from file://, without network and kernel: its widgets live, its search finds, axe is content.

    CCALIB_BROWSER=1 python -m pytest tests/browser/test_site.py

By default a small site is built (one lesson with the inspector on a part of the thread photograph); $CCALIB_SITE names
a site that is there already (`make site`), and every page of it is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.environ.get("CCALIB_BROWSER") != "1":
    pytest.skip("set CCALIB_BROWSER=1 to drive a browser", allow_module_level=True)

from driving import REST, every_move_is_told, sentence  # noqa: E402
from reading import LESSON, SCRIPT, Reader  # noqa: E402
from test_lessons import LESSONS  # noqa: E402

from ccalib.lessons.site import capture, links  # noqa: E402
from ccalib.lessons.site.build import LIMIT, Site  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if "CCALIB_SITE" in os.environ:
        return Path(os.environ["CCALIB_SITE"]).resolve()
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "source").mkdir()
    (folder / "source" / f"{LESSON}.py").write_text(SCRIPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "REMEMBERED", folder / "runs")
        assert Site(folder / "site", folder).build() == []
    return folder / "site"


@pytest.fixture
def reader(chromium, site):
    readers = []

    def start(**how: object) -> Reader:
        readers.append(Reader(chromium, site, **how))
        return readers[-1]

    yield start
    for one in readers:
        one.context.close()
        assert one.trouble == []


def pages(site: Path) -> list[str]:
    return sorted(path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html"))


def found(page, heading: str):
    widget = page.locator(".cca", has=page.locator(".cca-heading", has_text=heading)).first
    widget.scroll_into_view_if_needed()
    return widget


def test_no_dead_link(site):
    assert links.dead(site) == []


def test_every_page_is_whole_and_light(reader, site):
    """All that a page asks for is in the site and small enough; every widget is mounted, every picture there."""
    one = reader()
    for name in pages(site):
        page = one.open(name)
        page.locator("#query").focus()
        page.wait_for_function("ccaIndex !== null")
        page.evaluate("for (const image of document.images) image.loading = 'eager'")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        assert page.evaluate("[...document.images].filter((image) => image.src && !image.naturalWidth).length") == 0, (
            name
        )
        assert page.locator(".widget").count() == page.locator(".widget.mounted .cca").count(), name
        assert page.locator(".widget .still").count() == 0, name
        assert one.weight() <= LIMIT, (name, one.weight())
        print(f"{name}: {one.weight() / 1e6:.2f} MB, {page.locator('.widget').count()} widgets")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(reader, site, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = reader(color_scheme=theme)
    serious = {}
    for name in pages(site):
        page = one.open(name)
        found = axe.run(page, options={"preload": False}).response["violations"]  # it may not read files
        bad = [
            (v["id"], [node["target"] for node in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")
        ]
        serious |= {name: bad} if bad else {}
    assert serious == {}


@pytest.mark.parametrize("width", [480, 800, 1280])
def test_fits(reader, site, shots, width):
    one = reader(viewport={"width": width, "height": 900})
    for name in pages(site):
        page = one.open(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if name in ("index", LESSON):
            page.screenshot(path=shots / f"site_{name}_{width}.png", full_page=True)


@pytest.mark.parametrize("name", LESSONS)
def test_widgets_follow_keys_and_mouse(reader, site, name):
    """What holds in JupyterLab holds here."""
    if not (site / f"{name}.html").exists():
        pytest.skip("not in this site")
    page = reader().open(name)
    for heading, where, keys, mouse in LESSONS[name]:
        every_move_is_told(page, found(page, heading), heading, where, keys, mouse)


def test_search_finds_and_leads(reader):
    page = reader().open("index")
    page.keyboard.press("/")
    page.keyboard.type("inspector")
    first = page.locator("#results a").first
    first.wait_for()
    assert "The inspector" in first.inner_text()
    first.click()
    page.wait_for_function("window.ccaReady === true")
    heading = page.locator("h2", has_text="The inspector").first
    page.wait_for_timeout(REST)
    assert 0 <= heading.bounding_box()["y"] < 300
    page.locator("#query").fill("zzzzzz")
    page.locator("#results p").wait_for()  # the index is a script, read at the first focus
    assert page.locator("#results").inner_text() == "Nothing found"


def test_what_needs_python_says_so(reader):
    page = reader().open(LESSON)
    widget = found(page, "The inspector")
    place = page.locator(".widget", has=widget)
    assert place.locator(".needs").count() == 0
    widget.locator(".cca-inspector").focus()
    page.keyboard.press("ArrowRight")
    place.locator(".needs").wait_for()
    assert "make lab" in place.locator(".needs").inner_text()
    assert "Python" in page.locator("#Now-on-yours + .needs").inner_text()


def test_linked_widgets_move_together(reader):
    page = reader().open(LESSON)
    cells = "Object.values(ccaWidgets.models).map((m) => m.get('cell')).filter(Boolean).map(String)"
    found(page, "The inspector").locator(".cca-inspector").focus()
    before = page.evaluate(cells)
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(REST)
    after = page.evaluate(cells)
    assert len(set(after)) == 1 and after != before


def test_address_leads_to_a_latent(reader):
    one = reader()
    page = one.open(LESSON)
    name = page.evaluate("Object.values(ccaWidgets.models).find((m) => m.get('stops')).get('name')")
    page = one.open(LESSON, f"#latent={name},7,5,20")
    widget = found(page, "The inspector")
    assert sentence(widget).startswith("Cell 7, 5, group 2, ") or sentence(widget).startswith("Cell 7, 5, group 3, ")
    widget.locator(".cca-inspector").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"location.hash === '#latent={name},8,5,20'")
    page = one.open(LESSON, f"#latent={name},3,2,20")
    top = page.locator(".widget", has=page.locator(".cca-inspector")).bounding_box()["y"]
    assert -5 <= top < 200  # the page opens there


def test_projector_shows_one_widget_large(reader, shots):
    one = reader()
    page = one.open(LESSON)
    widget = found(page, "Predict first")
    place = page.locator(".widget", has=widget).first
    before, number = widget.bounding_box(), place.get_attribute("id")
    place.get_by_role("button", name="Projector").click()
    dialog = page.locator("#projector")
    large = dialog.locator(".cca").bounding_box()
    assert large["width"] > 1.2 * before["width"] and large["height"] <= 900
    assert page.evaluate("location.hash") == f"#projector={number}"
    said = sentence(dialog)
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(REST)
    assert sentence(dialog) != said
    page.screenshot(path=shots / "site_projector.png")
    dialog.get_by_role("button", name="Next").click()
    following = f"widget-{int(number.removeprefix('widget-')) + 1}"
    assert page.evaluate("location.hash") == f"#projector={following}" and place.locator(".cca").count() == 1
    assert page.locator(f"#{following} .cca").count() == 0 and dialog.locator(".cca").count() == 1  # moved
    page.screenshot(path=shots / "site_projector_next.png")
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible() and place.locator(".cca").is_visible() and page.evaluate("location.hash") == ""
    page = one.open(LESSON, "#projector=widget-2")
    assert page.locator("#projector .cca").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")  # the first leaves the widget
    assert not page.locator("#projector").is_visible()
    assert page.locator("#widget-2 .cca").count() == 1


def test_theme_is_kept_for_the_next_page(reader):
    one = reader(color_scheme="light")
    page = one.open("index")
    for _ in range(2):
        page.locator("#theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page = one.open(LESSON)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark != "rgb(255, 255, 255)"
    assert page.locator(".cca").first.evaluate("(node) => getComputedStyle(node).colorScheme") == "dark"


def test_without_javascript_there_are_pictures(reader, site):
    page = reader(java_script_enabled=False).open(LESSON, ready=False)
    places = page.locator(".widget")
    assert places.count() == (site / f"{LESSON}.html").read_text().count("data-widget=") > 0
    for i in range(places.count()):
        still = places.nth(i).locator(".still")
        still.scroll_into_view_if_needed()
        assert still.is_visible() and still.bounding_box()["height"] > 40
    assert page.locator(".widget img").count() > 0
    assert "JavaScript is off" in page.locator(".about").inner_text()
    assert not page.locator("form.search").is_visible()


def test_printed_page_has_the_prose_and_no_menus(reader):
    page = reader().open(LESSON)
    page.emulate_media(media="print")
    assert not page.locator("#nav").is_visible() and not page.locator(".top").is_visible()
    assert page.locator("h1").is_visible() and page.locator(".widget .cca").first.is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details:not([open])").count() > 0
