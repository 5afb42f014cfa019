"""A reader of the site: opens its pages from file:// without a network; and a small lesson to make a site of."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

PATIENCE = 120_000  # ms; the machine may be busy
LESSON = "04_causal_context"
SCRIPT = """# %% [markdown]
# # 04 · Causal context, small
#
# The words of a lesson, among them *perpendicular*.

# %%
import traitlets

from ccalib.lessons.bought import purchases
from ccalib.lessons.inspection import inspect_photo
from ccalib.lessons.pixels import Picture
from ccalib.lessons.thread import open_photo, thread_photo
from ccalib.lessons.widgets import Bought, Inspector, Predict, Wipe
from ccalib.training.rulers import load_rulers

photo = open_photo(thread_photo()).crop((256, 128, 448, 256))
rulers = load_rulers("small")
inspection = inspect_photo(photo, 3, rulers, "small", "part")
inspector = Inspector(inspection, {"sky": (2, 1), "edge": (6, 4)})
bought = Bought(purchases(inspection, rulers), {"part": inspection.photo})
traitlets.link((inspector, "cell"), (bought, "cell"))

# %%
Predict("What?", ["this", "that", "else"], 1, "Because.", "An idea.")

# %% [markdown]
# ## 7. The inspector
#
# | a table | of numbers |
# |---|---|
# | 1 | 2 |

# %%
inspector

# %% [markdown]
# ## Now on yours

# %%
bought

# %%
Wipe(Picture("one", photo), Picture("two", photo.rotate(180)))
"""


class Reader:
    """Opens pages without a network. `trouble`: what went wrong; `loaded`: the files that were asked for."""

    def __init__(self, chromium, site: Path, **how: object) -> None:
        self.site, self.trouble, self.loaded = site, [], set()
        self.context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | how))
        self.context.set_offline(True)
        self.context.route("http*://**", lambda route: (self.trouble.append(route.request.url), route.abort()))
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda asked: self.loaded.add(asked.url))

    def open(self, name: str, fragment: str = "", ready: bool = True):
        self.loaded.clear()
        self.page.goto("about:blank")
        self.page.goto((self.site / f"{name}.html").as_uri() + fragment)
        if ready:
            self.page.wait_for_function("window.ccaReady === true")
        return self.page

    def weight(self) -> int:
        files = {Path(unquote(urlsplit(url).path)) for url in self.loaded if url.startswith("file:")}
        return sum(path.stat().st_size for path in files)
