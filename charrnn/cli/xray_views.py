"""What ``charrnn xray`` shows: the text, or a table of units."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.cli import terminal
from charrnn.cli.xray_layout import Column, Rows
from charrnn.cli.xray_paint import Bars, Colors, Painter, Scale
from charrnn.cli.xray_source import Source
from charrnn.errors import CorpusError
from charrnn.inference.xray.find import Found, find_units
from charrnn.inference.xray.parts import Place, bounds
from charrnn.inference.xray.scale import SURPRISE_LIMITS, activation_levels, surprise_levels
from charrnn.inference.xray.trace import Request, Trace
from charrnn.text.vocabulary import escape

TOP, TOP_OF_ALL, TOP_OF_ONE = 3, 3, 10

# The most activations that are held at once, 4 bytes each.
_MOST_VALUES = 1 << 26


@dataclass(frozen=True)
class View:
    """What was asked for.

    place     layer and part of the unit
    neuron    the unit; None: surprise
    feature   what to find, or "all"; None: nothing
    layer     the only layer to find it in; None: all
    top       how many guesses or units; None: the default
    """

    place: Place
    neuron: int | None
    feature: str | None
    layer: int | None
    top: int | None

    @property
    def features(self) -> list[str] | None:
        """The features to find; None: all."""
        return None if self.feature in {None, "all"} else [str(self.feature)]

    def places(self, layers: int) -> tuple[Place, ...]:
        """Return where to look for units, in a model of so many layers."""
        wanted = range(layers) if self.layer is None else [self.layer]
        return tuple(self.place._replace(layer=layer) for layer in wanted)


def show_text(source: Source, view: View, form: str) -> None:
    """Write a text as the model sees it.

    form   json, tsv, or as what --color says
    """
    default = 0 if view.neuron is not None and form not in {"json", "tsv"} else TOP
    top = default if view.top is None else view.top
    places = () if view.neuron is None else (view.place,)
    told = _Told()
    traces = told.each(source.traces(Request(top, places)))
    if form in {"json", "tsv"}:
        _write_records(source, view, traces, form)
    else:
        _draw(source, view, traces, _painter(source, view, form))
    source.tell_skipped()
    told.summarize()


class _Told:
    """How surprising a text was as a whole."""

    def __init__(self) -> None:
        self.nats, self.chars, self.seen = 0.0, 0, 0

    def each(self, traces: Iterator[Trace]) -> Iterator[Trace]:
        for trace in traces:
            self.nats += float(np.nansum(trace.nats, dtype=np.float64))
            self.chars += int(np.count_nonzero(~np.isnan(trace.nats)))
            self.seen += len(trace)
            yield trace

    def summarize(self) -> None:
        if not self.seen:
            raise CorpusError("there is no text to look at", hint="name a file that has some")
        if self.chars:
            mean = self.nats / self.chars
            terminal.note(f"{mean:.3f} nats per character, {self.chars:,} characters predicted")


def _painter(source: Source, view: View, color: str) -> Painter:
    scale = _scale(source, view)
    depth = terminal.colors() if color == "auto" else None
    if color == "always":
        full = os.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}
        depth = "truecolor" if full else "256"
    return Colors(scale, depth) if depth else Bars(scale)


def _scale(source: Source, view: View) -> Scale:
    if view.neuron is None:
        labels = ["0", *(f"{limit:g}" for limit in SURPRISE_LIMITS)]
        return Scale("surprise in nats", labels, signed=False)
    about = f"unit {view.neuron}, layer {view.place.layer}, {view.place.part}"
    least, most = bounds(source.cell, view.place.part)
    if least < 0:
        return Scale(about, ["-1", "-0.5", "0", "0.5", "1"], signed=True)
    if most > 1:
        return Scale(about, ["0", "its most"], signed=False)
    return Scale(about, ["0", "0.25", "0.5", "0.75", "1"], signed=False)


def _draw(source: Source, view: View, traces: Iterator[Trace], painter: Painter) -> None:
    rows = Rows(shutil.get_terminal_size().columns)
    for number, trace in enumerate(traces):
        if not number:
            painter.tell()
        _write_rows(painter, rows.add(_columns(source, view, trace)))
    _write_rows(painter, rows.rest())


def _write_rows(painter: Painter, rows: Iterator[list[Column]]) -> None:
    text = "".join(f"{line}\n" for row in rows for line in painter.lines(row))
    if text:
        terminal.write_styled(text)


def _columns(source: Source, view: View, trace: Trace) -> Iterator[Column]:
    if view.neuron is None:
        levels = surprise_levels(trace.nats)
    else:
        values = trace.activations[view.place][:, view.neuron]
        levels = activation_levels(values, bounds(source.cell, view.place.part))
    characters = _characters(source, trace)
    for (char, nats, guesses), level in zip(characters, levels.tolist(), strict=True):
        names = ["" if nats is None else name for name, _ in guesses]
        yield Column(char, level, names, [p for _, p in guesses])


def _characters(
    source: Source, trace: Trace
) -> Iterator[tuple[str, float | None, list[tuple[str, float]]]]:
    """Yield each character, its surprise (None: not predicted) and its guesses."""
    known = source.model.vocabulary.characters
    figures = (trace.ids, trace.nats, trace.top_ids, trace.top_p)
    for i, nats, top, weights in zip(*(figure.tolist() for figure in figures), strict=True):
        guesses = [(known[guess], p) for guess, p in zip(top, weights, strict=True)]
        yield known[i], None if math.isnan(nats) else nats, guesses


def _write_records(source: Source, view: View, traces: Iterator[Trace], form: str) -> None:
    """Write one record per character."""
    position = 0
    names: list[str] | None = None
    for trace in traces:
        lines = []
        for record in _records(source, view, trace):
            positioned = {"position": position, **record}
            position += 1
            if form == "json":
                lines.append(json.dumps(positioned, ensure_ascii=False))
                continue
            if names is None:
                names = _names(positioned, trace.top_ids.shape[1])
                lines.append("\t".join(names))
            lines.append("\t".join(_cells(positioned, len(names))))
        terminal.write("".join(f"{line}\n" for line in lines))


def _records(source: Source, view: View, trace: Trace) -> Iterator[dict[str, Any]]:
    values: list[float] | None = None
    if view.neuron is not None:
        values = trace.activations[view.place][:, view.neuron].tolist()
    for at, (char, nats, guesses) in enumerate(_characters(source, trace)):
        record: dict[str, Any] = {"char": char, "nats": _rounded(nats)}
        if values is not None:
            record["activation"] = _rounded(values[at])
        predicted = [] if nats is None else guesses
        record["top"] = [{"char": guess, "probability": _rounded(p)} for guess, p in predicted]
        yield record


def _names(record: dict[str, Any], top: int) -> list[str]:
    guesses = [name for rank in range(1, top + 1) for name in (f"top{rank}", f"p{rank}")]
    return [*(name for name in record if name != "top"), *guesses]


def _cells(record: dict[str, Any], count: int) -> list[str]:
    """Return a record as cells of a table, as many as there are names."""
    values = [value for name, value in record.items() if name != "top"]
    values += [value for guess in record["top"] for value in guess.values()]
    shown = ["" if v is None else escape(v) if isinstance(v, str) else str(v) for v in values]
    return shown + [""] * (count - len(shown))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def print_units(source: Source, view: View, *, as_json: bool, tsv: bool) -> None:
    """Write which units keep track of what."""
    found = _found(source, view)
    if as_json:
        records = ({**asdict(unit), "nats": unit.nats} for unit in found)
        terminal.write("".join(f"{json.dumps(record)}\n" for record in records))
        return
    columns = ("feature", "layer", "part", "unit", "share", "nats", "entropy", "chance")
    rows = [
        (
            unit.feature,
            str(unit.layer),
            unit.part,
            str(unit.unit),
            *(f"{value:.3f}" for value in (unit.share, unit.nats, unit.entropy, unit.chance)),
        )
        for unit in found
    ]
    if tsv:
        terminal.write("".join("\t".join(row) + "\n" for row in (columns, *rows)))
    else:
        terminal.print_table(columns, rows)


def _found(source: Source, view: View) -> list[Found]:
    places = view.places(source.model.config.model.layers)
    width = len(places) * source.model.config.model.hidden_size
    xray = source.xray(Request(0, places), _MOST_VALUES // width)
    top = view.top if view.top is not None else TOP_OF_ALL if view.features is None else TOP_OF_ONE
    found = find_units(xray.text, xray.trace.activations, view.features, top)
    if not found and top:
        what = "any feature" if view.features is None else view.feature
        raise CorpusError(
            f"{what} never varies in this text: there is nothing to find",
            hint="name a longer text, or another feature",
        )
    by_chance = dict.fromkeys(unit.feature for unit in found if unit.share <= unit.chance)
    if by_chance:
        terminal.note(f"no more than chance in a text of this length: {', '.join(by_chance)}")
    return found
