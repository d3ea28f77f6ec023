"""What ``charrnn xray`` reads and writes: the text, records, a table of units, a page."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from charrnn.cli.console import console, is_terminal
from charrnn.cli.options import UnknownPolicy, fit_text
from charrnn.cli.xray_view import View
from charrnn.errors import ConfigError, CorpusError, VocabularyError
from charrnn.models import Model
from charrnn.nn.stack import make_cell
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
from charrnn.text.vocabulary import Ids

TOP = 3
# Of a page: characters, guesses for each of them, units for each feature.
MAX_CHARS, PAGE_TOP = 20_000, 5
# Activations that are held at once to find units, 4 bytes each.
MAX_VALUES = 1 << 25


@dataclass
class Request:
    """What was asked for; see ``xray``.

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
        for what, given, count in (
            ("layer", self.layer or 0, shape.layers),
            ("unit", self.unit or 0, shape.members * shape.hidden_size),
        ):
            if given >= count:
                has = f"one {what}, 0" if count == 1 else f"{what}s from 0 to {count - 1}"
                raise ConfigError(f"there is no {what} {given}", hint=f"this model has {has}")
        every = range(shape.layers) if self.layer is None else [self.layer]
        self.places = [self.place._replace(layer=layer) for layer in every]

    def traces(self, top: int, places: Iterable[Place]) -> Iterator[Trace]:
        """Yield what the model does, as the text arrives."""
        if self.seed is None and self.file == "-" and is_terminal(sys.stdin):
            console.note("reading the text from the terminal; Ctrl-D ends it")
        lines, vocabulary = self.model.config.data.lines, self.model.vocabulary
        yield from trace_text(
            self.model.distribution(),
            filter(len, map(self._encode, self._texts())),
            top=self.top if self.top is not None else top,
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

    @property
    def name(self) -> str:
        """What to call the text."""
        if self.seed is not None:
            return "a text"
        return "standard input" if self.file == "-" else self.file

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
    """Write a text as the model sees it."""
    nats, chars, seen = 0.0, 0, 0

    def watch(traces: Iterator[Trace]) -> Iterator[Trace]:
        nonlocal nats, chars, seen
        for trace in traces:
            nats += float(np.nansum(trace.nats, dtype=np.float64))
            chars += int(np.count_nonzero(~np.isnan(trace.nats)))
            seen += len(trace)
            yield trace

    unit = request.unit
    places = [] if unit is None else [request.place]
    traces = watch(request.traces(TOP if unit is None or as_json else 0, places))
    characters = request.model.vocabulary.characters
    if as_json:
        for trace in traces:
            console.write("".join(_records(request, trace, seen - len(trace))))
    else:
        limits = bounds(request.cell, request.place.part)
        shown = None if unit is None else (request.place, unit, limits)
        view = View(console.rich(), characters, shown)
        with console.stdout():
            view.draw(traces)
        if seen and is_terminal(sys.stderr):
            console.rich(sys.stderr).print(view.legend(), soft_wrap=True)
    if not seen:
        raise CorpusError("there is no text to look at", hint="name a file that has some")
    if chars:
        console.note(f"{nats / chars:.3f} nats per character, {chars:,} characters predicted")


def _records(request: Request, trace: Trace, position: int) -> Iterator[str]:
    decode = request.model.vocabulary.decode
    for at, (char, nats) in enumerate(zip(decode(trace.ids), trace.nats.tolist(), strict=True)):
        predicted = not math.isnan(nats)
        record = {
            "position": position + at,
            "char": char,
            "nats": round(nats, 5) if predicted else None,
        }
        if request.unit is not None:
            activation = trace.activations[request.place][at, request.unit]
            record["activation"] = round(float(activation), 5)
        guesses = zip(decode(trace.top_ids[at]), trace.top_p[at].tolist(), strict=True)
        record["top"] = [{"char": it, "probability": round(p, 6)} for it, p in guesses if predicted]
        yield json.dumps(record, ensure_ascii=False) + "\n"


def print_units(request: Request, *, as_json: bool) -> None:
    """Write which units keep track of what."""
    features = None if request.feature == "all" else [str(request.feature)]
    shape = request.model.config.model
    width = len(request.places) * shape.members * shape.hidden_size
    xray = request.xray(0, request.places, MAX_VALUES // width)
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
    from charrnn.checkpoint.files import replacing
    from charrnn.export.xray_page import Opening, xray_page

    to_stdout = str(target) == "-"
    if to_stdout and console.shows_text:
        raise ConfigError("a page is not for a terminal", hint="--html FILE, or a pipe")
    shape, part = request.model.config.model, request.place.part
    xray = request.xray(PAGE_TOP, [Place(layer, part) for layer in range(shape.layers)], MAX_CHARS)
    found = xray.find(part=part, top=TOP)
    place, unit = _choose_unit(request, found)
    about = f"{name}: {shape.cell} {shape.layers} × {shape.hidden_size}"
    data = xray_page(xray, found, Opening(request.name, about, place, unit))
    if to_stdout:
        console.write_bytes(data)
        return
    with replacing(target) as file:
        file.write(data)
    console.note(f"written: {target}, {len(data):,} bytes, {len(xray.trace):,} characters")


def _choose_unit(request: Request, found: list[Found]) -> tuple[Place, int | None]:
    """Return the place and the number of the unit that the page opens with."""
    if request.feature is None:
        return request.place, request.unit
    for it in found:
        if request.feature in {"all", it.feature} and request.layer in {None, it.layer}:
            return Place(it.layer, it.part), it.unit
    raise CorpusError(
        f"no unit keeps track of {request.feature} in this text", hint="leave out --find"
    )
