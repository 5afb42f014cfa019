"""Inspector: one latent of a real file, everything about it, in six linked views."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np
import traitlets as t

from ccalib.images import to_bytes
from ccalib.lessons import packing, plots
from ccalib.lessons.inspection import Inspection
from ccalib.lessons.inspector_still import draw
from ccalib.lessons.stops import tour
from ccalib.lessons.text import aligned
from ccalib.lessons.widgets.base import LessonWidget

HEATS = ("off", "channel", "group", "all", "bought")
KEPT = 64  # gradients of latents that the kernel remembers


class Inspector(LessonWidget):
    """Click a place, a group, a channel: what was coded, how likely it was with and without the group before, what
    the prediction read, and how the bits add up to the file.

    Args:
        inspection: what `ccalib.lessons.inspection.inspect_photo` returns.
        places: name -> (column, row) of the cells that the tour visits first; see `thread.latents_of`.
        heading: the line above.

    Selection (synced): `cell` ([column, row]), `channel` (of all channels, from 0); `previous` (the group before on or
    off), `heat` (what lies on the photograph). Python is asked for gradients only.

    Raises:
        CcaError: a place outside the photograph.
    """

    module = "inspector.js"
    parts = ("maps.js", "latents.js", "inspector_places.js", "inspector_numbers.js", "inspector_tour.js")

    name = t.Unicode().tag(sync=True)
    picture = t.Bytes().tag(sync=True)
    mime = t.Unicode("image/webp").tag(sync=True)
    width = t.Int().tag(sync=True)  # pixels, padded
    height = t.Int().tag(sync=True)
    sizes = t.List(t.Int()).tag(sync=True)  # channels of each group
    hyper = t.Int().tag(sync=True)  # channels of z
    planes = t.Bytes().tag(sync=True)
    mean_step = t.Float().tag(sync=True)
    tables = t.Bytes().tag(sync=True)
    table_lengths = t.List(t.Int()).tag(sync=True)
    table_offsets = t.List(t.Int()).tag(sync=True)
    scales = t.List(t.Float()).tag(sync=True)  # of each level
    palette = t.Bytes().tag(sync=True)
    segments = t.List(t.Int()).tag(sync=True)  # bytes of z, g1 ... gG
    header = t.Int().tag(sync=True)  # bytes
    z_bits = t.List(t.Float()).tag(sync=True)  # of each position of z, by rows
    colors = t.List(t.Unicode()).tag(sync=True)  # of z, g1 ... gG
    stops = t.List(t.Dict()).tag(sync=True)
    supports = t.List(t.Bytes()).tag(sync=True)  # gradients of the tour's latents: a page without kernel has these

    cell = t.List(t.Int(), minlen=2, maxlen=2).tag(sync=True)
    channel = t.Int(0).tag(sync=True)
    previous = t.Bool(True).tag(sync=True)
    heat = t.Enum(HEATS, "group").tag(sync=True)
    guesses = t.List(t.Int()).tag(sync=True)  # option chosen at each stop, or -1
    wanted = t.List(t.Int()).tag(sync=True)  # column, row, channel: the view asks for their gradients
    answer = t.Bytes().tag(sync=True)  # what the kernel found

    def __init__(
        self,
        inspection: Inspection,
        places: Mapping[str, Sequence[int]] | None = None,
        heading: str = "The inspector: one latent, everything about it",
    ) -> None:
        self.inspection = inspection
        self._answers: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        stops = tour(inspection, places or {})
        planes, step = packing.planes(inspection)
        tables, lengths, offsets = packing.tables(inspection.codec.tables()["y"])
        names = [segment.name for segment in inspection.info.segments]
        start = next((stop for stop in stops if stop.name == "edge"), stops[-1])
        super().__init__(
            heading=heading,
            name=inspection.name,
            picture=to_bytes(inspection.photo, format="WEBP", quality=85, method=4),
            width=inspection.photo.width,
            height=inspection.photo.height,
            sizes=list(inspection.sizes),
            hyper=len(inspection.z_bits),
            planes=planes,
            mean_step=step,
            tables=tables,
            table_lengths=lengths,
            table_offsets=offsets,
            scales=[float(scale) for scale in inspection.codec.gaussian.scale_table],
            palette=packing.palette(),
            segments=[segment.length for segment in inspection.info.segments],
            header=inspection.info.header,
            z_bits=inspection.z_bits.sum(axis=0).ravel().tolist(),
            colors=plots.segment_colors(names),
            stops=[vars(stop) | {"options": list(stop.options)} for stop in stops],
            supports=[self._support(stop.column, stop.row, stop.channel) for stop in stops],
            cell=[start.column, start.row],
            channel=start.channel,
            guesses=[-1] * len(stops),
            columns=["channel", "symbol", "mean", "P", "bits in the file", "bits with", "bits without", "bought"],
        )
        self.observe(self._answer, "wanted")

    def _support(self, column: int, row: int, channel: int) -> bytes:
        key = (column, row, channel)
        if key not in self._answers:
            self._answers[key] = packing.support(*key, self.inspection.support(*key))
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return self._answers[key]

    def _answer(self, change: dict) -> None:
        if len(change["new"]) == 3:
            self.answer = self._support(*change["new"])

    @t.validate("cell")
    def _inside(self, proposal: dict) -> list[int]:
        column, row = proposal["value"]
        columns, rows = self.inspection.grid
        return [min(max(column, 0), columns - 1), min(max(row, 0), rows - 1)]

    @t.validate("channel")
    def _exists(self, proposal: dict) -> int:
        return min(max(proposal["value"], 0), sum(self.inspection.sizes) - 1)

    @property
    def group(self) -> int:
        """The group (from 0) of the selected channel."""
        return self.inspection.group_of(self.channel)

    @property
    def link(self) -> str:
        """What to append to a page's address so that it opens on the selected latent."""
        name = quote(self.name, safe="!'()*")  # as JavaScript's encodeURIComponent
        return f"#latent={name},{self.cell[0]},{self.cell[1]},{self.channel}"

    @property
    def sentence(self) -> str:
        """What the live region says of the selected latent."""
        i, (column, row), group = self.inspection, self.cell, self.group
        at = (self.channel, row, column)
        place = self.channel - i.span(group).start + 1
        bits, symbol = i.file.bits[at], i.file.symbol[at]
        said = (
            f"Cell {column}, {row}, group {group + 1}, channel {place} of {i.sizes[group]}: symbol {symbol}, "
            f"P {probability(bits)}, {bits:.2f} bits in the file."
        )
        with_, without, gain = i.with_.bits[at], i.without.bits[at], i.gain[at]
        if group == 0:
            return f"{said} No group is before it; the ruler's two fits differ by {abs(gain):.2f} bits: its error."
        verdict = f"bought {gain:.2f}" if gain >= 0 else f"cost {-gain:.2f}"
        return f"{said} By the ruler {with_:.2f} bits with g{group}, {without:.2f} without: g{group} {verdict}."

    def channel_rows(self) -> list[list[str]]:
        """The selected group's channels at the selected cell, sorted by bits; cells of the table, as text."""
        i, (column, row), span = self.inspection, self.cell, self.inspection.span(self.group)
        bits = i.file.bits[span, row, column]
        rows = []
        for place in np.argsort(-bits, kind="stable"):
            at = (span.start + place, row, column)
            numbers = (i.file.bits[at], i.with_.bits[at], i.without.bits[at], i.gain[at])
            mean = i.file.mean[at] + 0.0  # no negative zero
            rows.append([str(place + 1), str(i.file.symbol[at]), f"{mean:.2f}", probability(i.file.bits[at]),
                         *(f"{n:.2f}" for n in numbers)])  # fmt: skip
        return rows

    def summary(self) -> str:
        return f"{self.name}: {len(self.sizes)} groups, {sum(self.sizes)} channels, {len(self.stops)} stops"

    def as_text(self) -> str:
        ledger = self.inspection.ledger(*self.cell, self.channel)
        rows = [
            ["this latent", f"{ledger.latent:.2f} bits"],
            ["its channel", f"{ledger.channel:.2f} bits"],
            [f"its group g{self.group + 1}", f"{ledger.group:.2f} bits"],
            ["coder overhead", f"{8 * ledger.segment - round(ledger.group, 2):.2f} bits"],
            ["segment", f"{ledger.segment:,} bytes"],
            ["all segments", f"{ledger.payload:,} bytes"],
            ["header", f"{ledger.header:,} bytes"],
            ["file", f"{ledger.file:,} bytes"],
        ]
        return f"{self.sentence}\n{aligned(rows)}\n\n{aligned([self.columns, *self.channel_rows()[:12]])}"

    def static_png(self) -> bytes:
        return draw(self.inspection, *self.cell, self.channel)

    def answered(self) -> tuple[int, ...]:
        """Whose gradients the kernel sent last: (column, row, channel), or ()."""
        return struct.unpack_from("<3H", self.answer) if self.answer else ()


def probability(bits: float) -> str:
    """2^−bits with two digits: '0.031', '2.3e-6'."""
    value = 2.0**-bits
    if value >= 0.001:
        return f"{value:.2g}" if value < 0.995 else f"{value:.3f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
