"""What ``charrnn xray`` writes: a text in color or with bars, units, records, a page."""

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from charrnn.cli.console import console, is_terminal, to_json
from charrnn.cli.outputs import write_output
from charrnn.cli.texts import TextReader
from charrnn.config import ModelConfig
from charrnn.errors import ConfigError, CorpusError, VocabularyError
from charrnn.export.xray_page import Opening, xray_page
from charrnn.nn.cell import Cell
from charrnn.nn.network import make_cell
from charrnn.scoring.xray import (
    Place,
    Trace,
    Xray,
    bounds,
    join,
    require_part,
    trace_text,
)
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

# What is drawn of a character: texts and their styles, from top to bottom.
Column = list[tuple[str, str]]


def find_place(model: ModelConfig, layer: int | None, part: str | None, unit: int | None) -> Place:
    """Return a layer and a part of it; None: the first layer, the part that says most.

    Raises ConfigError for a layer, part or unit that the model does not have.
    """
    place = Place(layer or 0, require_part(make_cell(model.cell, model.nonlinearity), part))
    width = model.members * model.hidden_size
    for what, number, count in (("layer", layer, model.layers), ("unit", unit, width)):
        if number is not None and number >= count:
            has = f"one {what}, 0" if count == 1 else f"{what}s from 0 to {count - 1}"
            raise ConfigError(f"there is no {what} {number}", hint=f"this model has {has}")
    return place


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    reader   reads the text as the model knows it
    file     the text
    seed     the text itself, in place of a file
    place    the layer and the part whose units are looked at
    unit     the unit; None: surprise
    top      how many guesses; None: as many as suit what is shown
    """

    reader: TextReader
    file: str
    seed: str | None
    place: Place
    unit: int | None
    top: int | None

    @property
    def name(self) -> str:
        """What the text is called."""
        name = "standard input" if self.file == "-" else self.file
        return name if self.seed is None else "a text"

    @property
    def cell(self) -> Cell:
        """The cell of the model."""
        shape = self.reader.model.config.model
        return make_cell(shape.cell, shape.nonlinearity)

    def traces(self, top: int, places: Iterable[Place]) -> Iterator[Trace]:
        """Yield what the model does, as the text arrives."""
        model, end = self.reader.model, self.reader.model.config.data.end
        yield from trace_text(
            model.distribution(),
            filter(len, self._blocks()),
            top=top if self.top is None else self.top,
            places=places,
            end=None if end is None else model.vocabulary.index[end],
        )
        self.reader.note_skipped()

    def _blocks(self) -> Iterator[Ids]:
        if self.seed is None:
            yield from self.reader.blocks(self.file)
            return
        text, end = self.seed, self.reader.model.config.data.end
        if end is not None:
            text = "".join(f"{piece}{end}" for piece in self.reader.model.cut(self.seed))
        try:
            yield self.reader.encode(text)
        except VocabularyError as error:
            raise ConfigError(f"--seed: {error}", hint=error.hint) from error

    def xray(self, top: int, places: list[Place], limit: int) -> Xray:
        """Return what the model does with the first characters of the text."""
        trace = join(self.traces(top, places), limit)
        if len(trace) == limit:
            console.note(f"this shows the first {limit:,} characters of {self.name}")
        return Xray(self.reader.model.vocabulary, self.cell, trace)


def show_text(subject: Subject, *, as_json: bool) -> None:
    """Write a text as the model sees it, and its mean surprise."""
    nats, chars, seen, unit = 0.0, 0, 0, subject.unit
    model = subject.reader.model
    view = View(console.rich(), model.vocabulary.characters)
    if unit is not None:
        view.show_unit(subject.place, unit, bounds(subject.cell, subject.place.part))

    def traces() -> Iterator[Trace]:
        nonlocal nats, chars, seen
        top = TOP if unit is None or as_json else 0
        for trace in subject.traces(top, [] if unit is None else [subject.place]):
            yield trace
            nats += float(np.nansum(trace.nats, dtype=np.float64))
            chars += int(np.count_nonzero(~np.isnan(trace.nats)))
            seen += len(trace)

    if as_json:
        for trace in traces():
            rows = ({"position": at, **it} for at, it in enumerate(records(subject, trace), seen))
            console.write("".join(f"{to_json(row)}\n" for row in rows))
    else:
        with console.stdout():
            view.draw(traces())
        if seen and is_terminal(sys.stderr):
            console.rich(sys.stderr).print(view.legend(), soft_wrap=True)
    if not seen:
        raise CorpusError("there is no text to look at", hint="name a file that has some")
    if chars:
        console.note(f"{nats / chars:.3f} nats per character, {chars:,} characters predicted")


def records(subject: Subject, trace: Trace) -> Iterator[dict[str, object]]:
    """Yield what there is to say of each character."""
    decode = subject.reader.model.vocabulary.decode
    for at, (char, nats) in enumerate(zip(decode(trace.ids), trace.nats.tolist(), strict=True)):
        known = not math.isnan(nats)
        record: dict[str, object] = {"char": char, "nats": round(nats, 5) if known else None}
        if subject.unit is not None:
            activation = trace.activations[subject.place][at, subject.unit]
            record["activation"] = round(float(activation), 5)
        guesses = zip(decode(trace.top_ids[at]), trace.top_p[at].tolist(), strict=True)
        top = [{"char": it, "probability": round(p, 6)} for it, p in guesses]
        yield {**record, "top": top if known else []}


def print_units(subject: Subject, *, layer: int | None, feature: str, as_json: bool) -> None:
    """Write which units keep track of what; ``layer`` None: those of all layers."""
    model, part = subject.reader.model.config.model, subject.place.part
    layers = range(model.layers) if layer is None else [layer]
    places, width = [Place(number, part) for number in layers], model.members * model.hidden_size
    xray = subject.xray(0, places, MAX_VALUES // (len(places) * width))
    features, top = None if feature == "all" else [feature], subject.top
    top = TOP if top is None else top
    found = xray.find(features, part=part, top=top)
    if not found and top:
        what = "any feature" if features is None else feature
        raise CorpusError(
            f"{what} never varies in this text: there is nothing to find",
            hint="name a longer text, or another feature",
        )
    if by_chance := dict.fromkeys(it.feature for it in found if it.share <= it.chance):
        console.note(f"no more than chance in a text of this length: {', '.join(by_chance)}")
    if as_json:
        for it in found:
            console.write_json(asdict(it))
        return
    rows = [
        (it.feature, str(it.layer), it.part, str(it.unit), f"{it.share:.3f}", f"{it.chance:.3f}")
        for it in found
    ]
    console.table(("feature", "layer", "part", "unit", "share", "chance"), rows)


def write_page(
    subject: Subject, target: Path, *, layer: int | None, feature: str | None, name: str
) -> None:
    """Write a page that shows a text as the model sees it.

    layer, feature   what the unit keeps track of that the page opens with, and where; None: any
    name             of the model
    """
    model, (place, unit) = subject.reader.model.config.model, (subject.place, subject.unit)
    places = [Place(number, place.part) for number in range(model.layers)]
    xray = subject.xray(PAGE_TOP, places, MAX_CHARS)
    found = xray.find(part=place.part, top=TOP)
    if feature is not None:
        fitting = [it for it in found
                   if feature in {"all", it.feature} and layer in {None, it.layer}]  # fmt: skip
        if not fitting:
            raise CorpusError(
                f"no unit keeps track of {feature} in this text", hint="leave out --find"
            )
        place, unit = Place(fitting[0].layer, place.part), fitting[0].unit
    about = f"{name}: {model.cell} {model.layers} × {model.hidden_size}"
    data = xray_page(xray, found, Opening(subject.name, about, place, unit))
    write_output(target, data, f", {len(xray.trace):,} characters")


class View:
    """Draws traces, in color or with a bar under each character.

    console      of rich
    characters   of the model
    """

    def __init__(self, console: Console, characters: str) -> None:
        self.console, self.characters = console, characters
        self.plain = console.color_system is None
        self.unit: tuple[Place, int, tuple[float, float]] | None = None
        self.colors = SURPRISE.split()

    def show_unit(self, place: Place, unit: int, bounds: tuple[float, float]) -> None:
        """Show the activation of a unit, which is within these bounds, not surprise."""
        self.unit, self.colors = (place, unit, bounds), ACTIVATION.split()

    def draw(self, traces: Iterable[Trace]) -> None:
        """Write the rows as the traces arrive."""
        columns = (column for trace in traces for column in self.columns(trace))
        for row in break_rows(columns, self.console.width):
            for cells in zip(*row, strict=True):
                line = Text()
                for (text, style), size in zip(cells, map(width, row), strict=True):
                    line.append(text, "" if self.plain else style)
                    line.append(" " * (size - cell_len(text)))
                line.rstrip()
                self.console.print(line, soft_wrap=True)
            if len(row[0]) > 1:
                self.console.print()

    def columns(self, trace: Trace) -> Iterator[Column]:
        """Yield what is drawn of each character: it, if plain its bar, and the guesses."""
        pairs = zip(self.levels(trace).tolist(), trace.ids.tolist(), strict=True)
        for at, (level, chosen) in enumerate(pairs):
            predicted = not math.isnan(trace.nats[at])
            style = self.style(level) if predicted or self.unit else ""
            column = [(show(self.characters[chosen]), style)]
            if self.plain:
                column.append((self.bar(level), ""))
            for it, p in zip(trace.top_ids[at].tolist(), trace.top_p[at].tolist(), strict=True):
                strength = "bold " if p >= LIKELY else "dim " if p < UNLIKELY else ""
                style = strength + "underline" * (it == chosen)
                column.append((show(self.characters[it]), style) if predicted else ("", ""))
            yield column

    def levels(self, trace: Trace) -> NDArray[np.int64]:
        """Return the level of each character: 0 to 8, or -8 to 8 of activations below 0."""
        if self.unit is None:
            return np.searchsorted(LIMITS, np.nan_to_num(trace.nats), side="right")
        place, unit, (_, high) = self.unit
        values = trace.activations[place][:, unit]
        scale = max(float(values.max(initial=0)), 1e-9) if math.isinf(high) else high
        levels: NDArray[np.int64] = np.rint(np.clip(values / scale, -1, 1) * 8).astype(np.int64)
        return levels

    def style(self, level: int) -> str:
        """Return the colors of a level."""
        return f"{'black' if level in BRIGHT else 'white'} on {self.colors[level]}"

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
        text = Text(f"{about}: ")
        for level, label in marks.items():
            shown = f"{self.bar(level)} {label}  " if self.plain else f" {label} "
            text.append(shown, "" if self.plain else self.style(level))
        return text


def width(column: Column) -> int:
    """Return the cells that a column takes in a row."""
    return max(cell_len(text) for text, _ in column)


def break_rows(columns: Iterable[Column], size: int) -> Iterator[list[Column]]:
    """Break columns into rows: after a line break, else after the last space that fits."""
    row, used = list[Column](), 0
    for column in columns:
        row.append(column)
        used += width(column)
        cut = len(row) if column[0][0] == "↵" else 0
        if not cut and used > size and len(row) > 1:
            spaces = [at for at, it in enumerate(row[:-1], 1) if it[0][0] == " "]
            cut = spaces[-1] if spaces else len(row) - 1
        if cut:
            yield row[:cut]
            row = row[cut:]
            used = sum(map(width, row))
    if row:
        yield row


def show(char: str) -> str:
    """Return a character as something that takes at least one cell."""
    shown = {"\n": "↵", "\t": "⇥"}.get(char) or escape(char)
    return shown if cell_len(shown) else f"◌{shown}"  # a combining mark
