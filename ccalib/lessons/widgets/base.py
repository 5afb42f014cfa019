"""What every widget of the course has in common: one module of JavaScript, a static picture, a table, a sentence."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import ClassVar

import anywidget
import traitlets as t

from ccalib.lessons.pixels import MIME
from ccalib.lessons.text import aligned

HERE = Path(__file__).parent


class LessonWidget(anywidget.AnyWidget):
    """Base class of the lessons' widgets.

    A subclass names its JavaScript file (`module`), puts everything its interactions need into synced traits at once,
    and draws itself without a browser (`static_png`). What a reader selects is a synced trait too. The module needs no
    kernel: a static page mounts the same text with a model that has get, set, on, off and save_changes.
    """

    module: ClassVar[str] = ""
    parts: ClassVar[tuple[str, ...]] = ()  # more files of the same module, put before it

    heading = t.Unicode().tag(sync=True)
    columns = t.List(t.Unicode()).tag(sync=True)  # the same data "as table": heads ...
    rows = t.List(t.List(t.Unicode())).tag(sync=True)  # ... and cells, as text
    sentences = t.List(t.Unicode()).tag(sync=True)  # what the live region says, one for each thing to select
    table = t.Bool(False).tag(sync=True)

    def __init_subclass__(cls, **kwargs: object) -> None:
        if "module" in cls.__dict__:  # not the classes that traitlets derives on the fly
            cls._esm = module_text(*cls.parts, cls.module)
            styles = [HERE / name.replace(".js", ".css") for name in ("common.js", *cls.parts, cls.module)]
            cls._css = "".join(style.read_text() for style in styles if style.exists())
        super().__init_subclass__(**kwargs)

    def summary(self) -> str:
        """What stands in `repr`: no measured digits, so that it is the same on every machine."""
        return self.heading

    def static_png(self) -> bytes:
        """The widget as a still picture, for pages without JavaScript."""
        raise NotImplementedError

    def static_html(self) -> str | None:
        """Static HTML, for the widgets where text says more than a picture."""
        return None

    def as_text(self) -> str:
        """The widget's data as plain text: its table, or its summary where there is none."""
        return aligned([self.columns, *self.rows]) if self.rows else self.summary()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["image/png"] = base64.b64encode(self.static_png()).decode("ascii")
        metadata = {**metadata, "image/png": {"alt": f"{type(self).__name__}. {self.as_text()}"}}
        html = self.static_html()
        if html is not None:
            data["text/html"] = html
        return data, metadata


class Pictures(t.HasTraits):
    """What a widget adds that shows one of several pictures of the same size."""

    images = t.List(t.Bytes()).tag(sync=True)
    mime = t.Unicode(MIME).tag(sync=True)
    width = t.Int().tag(sync=True)
    height = t.Int().tag(sync=True)


def module_text(*names: str) -> str:
    """The whole ES module of a widget: the shared helpers, then its own files. What a static page loads, too."""
    return "\n".join((HERE / name).read_text() for name in ("common.js", *names))
