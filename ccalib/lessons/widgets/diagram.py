"""Diagram: the course's one data-flow diagram, with the current part lit. Drawn once, given out as SVG and as PNG."""

from __future__ import annotations

import base64
from html import escape

import matplotlib.patches

from ccalib.errors import CcaError
from ccalib.lessons import plots

WIDTH, HEIGHT = 760, 270
PAPER, LINE, PLAIN, LIT = "#ffffff", "#545b66", "#eef1f5", "#0b62a8"

# part -> (left, top, width, height, label); a second line of the label after "\n"
PARTS = {
    "photo": (8, 30, 88, 46, "photograph\nx"),
    "g_a": (124, 30, 84, 46, "analysis\ng_a"),
    "y": (236, 30, 62, 46, "latent\ny"),
    "groups": (326, 30, 116, 46, "groups\nrounded, g1 … g5"),
    "coder": (494, 30, 96, 46, "range coder\nwrites"),
    "h_a": (236, 112, 62, 46, "hyper\nh_a"),
    "z": (326, 112, 44, 46, "side\nz"),
    "h_s": (398, 112, 62, 46, "hyper\nh_s"),
    "context": (488, 112, 108, 46, "context\nmean and scale"),
    "decoder": (494, 194, 96, 46, "range coder\nreads"),
    "decoded_groups": (326, 194, 116, 46, "groups so far\ng1 … g5"),
    "y_hat": (236, 194, 62, 46, "decoded\nŷ"),
    "g_s": (124, 194, 84, 46, "synthesis\ng_s"),
    "decoded": (8, 194, 88, 46, "decoded\nphotograph x̂"),
    "file": (652, 30, 96, 210, "file\nheader, z,\ng1 … g5"),
}

# polylines; the last point carries the head
ARROWS = [
    [(96, 53), (124, 53)],
    [(208, 53), (236, 53)],
    [(298, 53), (326, 53)],
    [(442, 53), (494, 53)],
    [(590, 53), (652, 53)],
    [(267, 76), (267, 112)],
    [(298, 135), (326, 135)],
    [(370, 135), (398, 135)],
    [(460, 135), (488, 135)],
    [(348, 112), (348, 94), (624, 94), (624, 122), (652, 122)],  # z is written, too
    [(542, 112), (542, 76)],
    [(542, 158), (542, 194)],
    [(652, 217), (590, 217)],
    [(494, 217), (442, 217)],
    [(420, 194), (420, 176), (514, 176), (514, 158)],  # groups already decoded help to predict the next
    [(326, 217), (298, 217)],
    [(236, 217), (208, 217)],
    [(124, 217), (96, 217)],
]

DESCRIPTION = (
    "Data flow of the codec. Writing: the photograph x goes through the analysis transform g_a to the latent y, which "
    "is rounded and split into groups g1 to g5; the range coder writes them to the file. The hyper analysis h_a makes "
    "z from y; z is written first and read first. From z the hyper synthesis h_s, together with the groups coded so "
    "far (the context), predicts mean and scale of the next group for the range coder. Reading goes back: the range "
    "coder reads group after group with the same predictions, and the synthesis transform g_s turns the decoded "
    "latent into the decoded photograph."
)


class Diagram:
    """The data-flow diagram with some parts lit.

    Args:
        lit: names of parts (keys of `PARTS`): "photo", "g_a", "y", "groups", "coder", "file", "h_a", "z", "h_s",
            "context", "decoder", "decoded_groups", "y_hat", "g_s", "decoded".
        caption: what the lit parts have to do with the lesson; read out by screen readers.

    Raises:
        CcaError: an unknown part.
    """

    def __init__(self, *lit: str, caption: str = "") -> None:
        for name in lit:
            if name not in PARTS:
                raise CcaError(f"diagram: no part {name!r}; there are {', '.join(PARTS)}")
        self.lit, self.caption = lit, caption

    def __repr__(self) -> str:
        return f"Diagram(lit: {', '.join(self.lit) or 'nothing'})"

    @property
    def title(self) -> str:
        """What the picture is, in a line."""
        return f"From a photograph to a file and back. {self.caption}".strip()

    def svg(self) -> str:
        """The diagram as an SVG text with title and description; the same text everywhere."""
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'role="img" font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(self.title)}</title><desc>{escape(DESCRIPTION)}</desc>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{PAPER}"/>',
            f'<g fill="{LINE}"><text x="8" y="18">writing</text><text x="8" y="{HEIGHT - 10}">reading</text></g>',
        ]
        for points in ARROWS:
            path = "M" + "L".join(f"{x} {y}" for x, y in points)
            out.append(f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.6" marker-end="url(#head)"/>')
        for name, (x, y, w, h, label) in PARTS.items():
            fill, ink = (LIT, "#ffffff") if name in self.lit else (PLAIN, plots.INK)
            out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" stroke="{LINE}"/>')
            for text, baseline, weight in _lines(y, h, label):
                place = f'x="{x + w / 2:g}" y="{baseline:g}" text-anchor="middle"'
                out.append(f'<text {place} fill="{ink}" font-weight="{weight}">{escape(text)}</text>')
        return "\n".join([*out, "</svg>"])

    def static_png(self) -> bytes:
        """The same drawing as pixels."""
        fig = plots.figure(WIDTH / plots.DPI, HEIGHT / plots.DPI)
        fig.set_layout_engine("none")
        axes = fig.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(HEIGHT, 0)
        axes.set_axis_off()
        for text, y in (("writing", 18), ("reading", HEIGHT - 10)):
            axes.text(8, y, text, fontsize=8, color=LINE)
        for points in ARROWS:
            for (x0, y0), (x1, y1) in zip(points[:-2], points[1:-1], strict=True):
                axes.plot([x0, x1], [y0, y1], color=LINE, linewidth=1.1, solid_capstyle="round")
            head = {"arrowstyle": "-|>", "color": LINE, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=head)
        for name, (x, y, w, h, label) in PARTS.items():
            lit = name in self.lit
            box = matplotlib.patches.FancyBboxPatch((x + 5, y + 5), w - 10, h - 10, boxstyle="round,pad=5",
                                                    fc=LIT if lit else PLAIN, ec=LINE, lw=0.8)  # fmt: skip
            axes.add_patch(box)
            for text, baseline, weight in _lines(y, h, label):
                axes.text(x + w / 2, baseline, text, ha="center", fontsize=8, color="white" if lit else plots.INK,
                          fontweight="bold" if weight == 650 else "normal")  # fmt: skip
        return plots.png(fig, colors=32)

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        png = base64.b64encode(self.static_png()).decode("ascii")
        return {"text/plain": repr(self), "image/svg+xml": self.svg(), "image/png": png}


def _lines(top: float, height: float, label: str) -> list[tuple[str, float, int]]:
    """The lines of a label with their baselines and weights, centred in the box; the first line is the name."""
    lines = label.split("\n")
    first = top + height / 2 - 8 * (len(lines) - 1) + 4
    return [(text, first + 16 * i, 650 if i == 0 else 400) for i, text in enumerate(lines)]
