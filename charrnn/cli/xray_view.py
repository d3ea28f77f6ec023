"""What ``charrnn xray`` reads and writes: a text in color or with bars, units, records, a page."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from charrnn.cli.console import console, is_terminal
from charrnn.cli.options import UnknownPolicy, fit_text
from charrnn.errors import ConfigError, CorpusError, VocabularyError
from charrnn.models import Model
from charrnn.nn.network import make_cell
from charrnn.scoring.xray import (
    Found,
    Place,
    Trace,
    Xray,
    bounds,
    find_units,
    join,
    require_part,
    trace_text,
)
from charrnn.text.lines import cut_lines
from charrnn.text.reading import Reader, normalized, read_lines
from charrnn.text.vocabulary import Ids, escape

TOP = 3
# Of a page: characters, guesses for each of them.
MAX_CHARS, PAGE_TOP = 20_000, 5
# Activations that are held at once to find units, 4 bytes each.
MAX_VALUES = 1 << 25

# The least surprise of levels 1 to 8, in nats: probabilities below 90, 61, 37, 14, 5, 1.8, 0.25 %.
LIMITS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
BARS = " ▁▂▃▄▅▆▇█"
# Backgrounds of levels 0 to 8 in even steps of lightness, of activations then of -8 to -1.
SURPRISE = "#16161d #331d54 #5c2576 #8d3081 #c13b77 #e66766 #f99870 #fec993 #fdf2bf"
ACTIVATION = (
    "#16161d #35271e #57381a #7a4b14 #9f651f #c7812a #df9e51 #efbd7d #ffdca6 "
    "#b4dcff #8abff3 #5ea2e5 #3b86cf #2d6cab #215287 #1e3c63 #1b293e"
)
BRIGHT = range(5, 13)
# From which probability on a guess is bold, and below which it is dim.
LIKELY, UNLIKELY = 0.5, 0.1


@dataclass
class Request:
    """What was asked for: the options of the command, and the model.

    Raises ConfigError for a layer, part or unit that the model does not have.
    """

    model: Model
    file: str
    seed: str | None
    unknown: UnknownPolicy
    encoding: str
    layer: int | None
    part: str | None
    unit: int | None
    feature: str | None
    top: int | None
    skipped: int = 0

    def __post_init__(self) -> None:
        shape = self.model.config.model
        self.cell = make_cell(shape.cell, shape.nonlinearity)
        self.place = Place(self.layer or 0, require_part(self.cell, self.part))
        self.width = shape.members * shape.hidden_size
        for what, given, count in (
            ("layer", self.layer or 0, shape.layers),
            ("unit", self.unit or 0, self.width),
        ):
            if given >= count:
                has = f"one {what}, 0" if count == 1 else f"{what}s from 0 to {count - 1}"
                raise ConfigError(f"there is no {what} {given}", hint=f"this model has {has}")
        self.name = "standard input" if self.file == "-" else self.file
        self.name = "a text" if self.seed is not None else self.name

    def traces(self, top: int, places: Iterable[Place]) -> Iterator[Trace]:
        """Yield what the model does, as the text arrives."""
        if self.seed is None and self.file == "-" and is_terminal(sys.stdin):
            console.note("reading the text from the terminal; Ctrl-D ends it")
        lines, vocabulary = self.model.config.data.lines, self.model.vocabulary
        yield from trace_text(
            self.model.distribution(),
            filter(len, map(self._encode, self._texts())),
            top=top if self.top is None else self.top,
            places=places,
            line_break=vocabulary.index["\n"] if lines else None,
        )
        if self.skipped:
            console.note(f"skipped {self.skipped} unknown characters")

    def xray(self, top: int, places: list[Place], limit: int) -> Xray:
        """Return what the model does with the first characters of the text."""
        trace = join(self.traces(top, places), limit)
        if len(trace) == limit:
            console.note(f"this shows the first {limit:,} characters of {self.name}")
        return Xray(self.model.vocabulary, self.cell, trace)

    def _texts(self) -> Iterator[str]:
        data = self.model.config.data
        if data.lines:
            seed = None if self.seed is None else [cut_lines(self.seed)]
            for lines in seed or read_lines(self.file, encoding=self.encoding):
                yield "".join(f"{line}\n" for line in lines)
        elif self.seed is not None:
            yield self.seed
        else:
            yield from Reader(self.encoding, data.normalize).pieces(self.file)

    def _encode(self, text: str) -> Ids:
        vocabulary, text = self.model.vocabulary, normalized(text, self.model.config.data.normalize)
        fitted = fit_text(text, vocabulary, normalize="none", unknown=self.unknown)
        self.skipped += len(text) - len(fitted)
        try:
            return vocabulary.encode(fitted)
        except VocabularyError as error:
            if self.seed is None:
                raise
            raise ConfigError(f"--seed: {error}", hint=error.hint) from error


def show_text(request: Request, *, as_json: bool) -> None:
    """Write a text as the model sees it, and its mean surprise."""
    nats, chars, seen = 0.0, 0, 0

    def count(traces: Iterator[Trace]) -> Iterator[Trace]:
        nonlocal nats, chars, seen
        for trace in traces:
            yield trace
            nats += float(np.nansum(trace.nats, dtype=np.float64))
            chars += int(np.count_nonzero(~np.isnan(trace.nats)))
            seen += len(trace)

    unit = request.unit
    places = [] if unit is None else [request.place]
    traces = count(request.traces(TOP if unit is None or as_json else 0, places))
    if as_json:
        for trace in traces:
            console.write("".join(records(request, trace, seen)))
    else:
        limits = bounds(request.cell, request.place.part)
        shown = None if unit is None else (request.place, unit, limits)
        view = View(console.rich(), request.model.vocabulary.characters, shown)
        with console.stdout():
            view.draw(traces)
        if seen and is_terminal(sys.stderr):
            console.rich(sys.stderr).print(view.legend(), soft_wrap=True)
    if not seen:
        raise CorpusError("there is no text to look at", hint="name a file that has some")
    if chars:
        console.note(f"{nats / chars:.3f} nats per character, {chars:,} characters predicted")


def records(request: Request, trace: Trace, position: int) -> Iterator[str]:
    """Yield a line of JSON for each character, the first of which is at ``position``."""
    decode = request.model.vocabulary.decode
    for at, (char, nats) in enumerate(zip(decode(trace.ids), trace.nats.tolist(), strict=True)):
        guesses = list(zip(decode(trace.top_ids[at]), trace.top_p[at].tolist(), strict=True))
        record = {"position": position + at, "char": char, "nats": round(nats, 5)}
        if math.isnan(nats):
            record["nats"], guesses = None, []
        if request.unit is not None:
            activation = trace.activations[request.place][at, request.unit]
            record["activation"] = round(float(activation), 5)
        record["top"] = [{"char": it, "probability": round(p, 6)} for it, p in guesses]
        yield json.dumps(record, ensure_ascii=False) + "\n"


def print_units(request: Request, *, as_json: bool) -> None:
    """Write which units keep track of what."""
    features = None if request.feature == "all" else [str(request.feature)]
    every = range(request.model.config.model.layers) if request.layer is None else [request.layer]
    places = [Place(layer, request.place.part) for layer in every]
    xray = request.xray(0, places, MAX_VALUES // (len(places) * request.width))
    top = TOP if request.top is None else request.top
    found = find_units(xray.text, xray.trace.activations, features, top)
    if not found and top:
        what = "any feature" if features is None else request.feature
        raise CorpusError(
            f"{what} never varies in this text: there is nothing to find",
            hint="name a longer text, or another feature",
        )
    by_chance = dict.fromkeys(it.feature for it in found if it.share <= it.chance)
    if by_chance:
        console.note(f"no more than chance in a text of this length: {', '.join(by_chance)}")
    if as_json:
        console.write("".join(f"{json.dumps(asdict(it))}\n" for it in found))
        return
    rows = [
        (it.feature, str(it.layer), it.part, str(it.unit), f"{it.share:.3f}", f"{it.chance:.3f}")
        for it in found
    ]
    console.table(("feature", "layer", "part", "unit", "share", "chance"), rows)


def write_page(request: Request, target: Path, *, name: str) -> None:
    """Write a page that shows a text as the model sees it; ``name`` is that of the model."""
    from charrnn.cli.output_files import write_output
    from charrnn.export.xray_page import Opening, xray_page

    shape, part = request.model.config.model, request.place.part
    xray = request.xray(PAGE_TOP, [Place(layer, part) for layer in range(shape.layers)], MAX_CHARS)
    found = xray.find(part=part, top=TOP)
    place, unit = choose_unit(request, found)
    about = f"{name}: {shape.cell} {shape.layers} × {shape.hidden_size}"
    data = xray_page(xray, found, Opening(request.name, about, place, unit))
    write_output(target, data, f", {len(xray.trace):,} characters")


def choose_unit(request: Request, found: list[Found]) -> tuple[Place, int | None]:
    """Return the place and the number of the unit that the page opens with."""
    if request.feature is None:
        return request.place, request.unit
    for it in found:
        if request.feature in {"all", it.feature} and request.layer in {None, it.layer}:
            return Place(it.layer, it.part), it.unit
    raise CorpusError(
        f"no unit keeps track of {request.feature} in this text", hint="leave out --find"
    )


class Column(NamedTuple):
    """What is drawn of a character: texts and their styles, from top to bottom."""

    width: int
    cells: list[tuple[str, str]]


class View:
    """Draws traces, in color or with a bar under each character.

    console      of rich
    characters   of the model
    unit         the unit whose activation is shown, with its place and bounds; None: surprise
    """

    def __init__(
        self,
        console: Console,
        characters: str,
        unit: tuple[Place, int, tuple[float, float]] | None = None,
    ) -> None:
        self.console, self.characters, self.unit = console, characters, unit
        self.plain = console.color_system is None
        self.styles = [
            f"{'black' if level in BRIGHT else 'white'} on {color}"
            for level, color in enumerate((ACTIVATION if unit else SURPRISE).split())
        ]

    def draw(self, traces: Iterable[Trace]) -> None:
        """Write the rows as the traces arrive."""
        columns = (column for trace in traces for column in self.columns(trace))
        for row in break_rows(columns, self.console.width):
            lines = list(zip(*(column.cells for column in row), strict=True))
            for cells in lines:
                line = Text()
                for column, (text, style) in zip(row, cells, strict=True):
                    line.append(text, style).append(" " * (column.width - cell_len(text)))
                line.rstrip()
                self.console.print(line, soft_wrap=True)
            if len(lines) > 1:
                self.console.print()

    def columns(self, trace: Trace) -> Iterator[Column]:
        """Yield what is drawn of each character."""
        pairs = zip(self.levels(trace).tolist(), trace.ids.tolist(), strict=True)
        for at, (level, chosen) in enumerate(pairs):
            predicted = not math.isnan(trace.nats[at])
            known = predicted or self.unit is not None
            cells = [(show(self.characters[chosen]), self.styles[level] if known else "")]
            if self.plain:
                cells.append((self.bar(level), ""))
            for it, p in zip(trace.top_ids[at].tolist(), trace.top_p[at].tolist(), strict=True):
                strength = "bold " if p >= LIKELY else "dim " if p < UNLIKELY else ""
                style = strength + "underline" * (it == chosen)
                cells.append((show(self.characters[it]), style) if predicted else ("", ""))
            if self.plain:
                cells = [(text, "") for text, _ in cells]
            yield Column(max(cell_len(text) for text, _ in cells), cells)

    def levels(self, trace: Trace) -> NDArray[np.int64]:
        """Return the level of each character: 0 to 8, or -8 to 8 of activations below 0."""
        if self.unit is None:
            return np.searchsorted(LIMITS, np.nan_to_num(trace.nats), side="right")
        place, unit, (_, high) = self.unit
        values = trace.activations[place][:, unit]
        scale = max(float(values.max(initial=0)), 1e-9) if math.isinf(high) else high
        levels: NDArray[np.int64] = np.rint(np.clip(values / scale, -1, 1) * 8).astype(np.int64)
        return levels

    def bar(self, level: int) -> str:
        """Return the bar of a level."""
        signed = self.unit is not None and self.unit[2][0] < 0
        return BARS[1 + round((level + 8) * 7 / 16)] if signed else BARS[level]

    def legend(self) -> Text:
        """Return what the levels mean."""
        if self.unit is None:
            about, marks = "surprise in nats", dict(enumerate(("0", *map("{:g}".format, LIMITS))))
        else:
            place, unit, (low, high) = self.unit
            about = f"unit {unit}, layer {place.layer}, {place.part}"
            marks = {-8: f"{low:g}"} if low < 0 else {}
            marks |= {0: "0", 8: "its most" if math.isinf(high) else f"{high:g}"}
        entries = [
            (f"{self.bar(level)} {label}  ", "")
            if self.plain
            else (f" {label} ", self.styles[level])
            for level, label in marks.items()
        ]
        return Text.assemble(f"{about}: ", *entries)


def break_rows(columns: Iterable[Column], width: int) -> Iterator[list[Column]]:
    """Break columns into rows: after a line break, else after the last space that fits."""
    row: list[Column] = []
    for column in columns:
        row.append(column)
        if column.cells[0][0] == "↵":
            yield row
            row = []
        elif sum(it.width for it in row) > width and len(row) > 1:
            spaces = [at for at, it in enumerate(row[:-1], 1) if it.cells[0][0] == " "]
            cut = spaces[-1] if spaces else len(row) - 1
            yield row[:cut]
            row = row[cut:]
    if row:
        yield row


def show(char: str) -> str:
    """Return a character as something that takes at least one cell."""
    shown = {"\n": "↵", "\t": "⇥"}.get(char) or escape(char)
    return shown if cell_len(shown) else f"◌{shown}"  # a combining mark
