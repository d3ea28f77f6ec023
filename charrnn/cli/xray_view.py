"""``charrnn xray`` on a terminal: a text in rows, with what the model expected under it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from charrnn.scoring.xray import Place, Trace
from charrnn.text.vocabulary import escape

# The least surprise of levels 1 to 8, in nats: probabilities below 90, 61, 37, 14, 5, 1.8, 0.25 %.
LIMITS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
BARS = " ▁▂▃▄▅▆▇█"
# Backgrounds of levels 0 to 8 in even steps of lightness, of activations then of -8 to -1.
_SURPRISE = "#16161d #331d54 #5c2576 #8d3081 #c13b77 #e66766 #f99870 #fec993 #fdf2bf"
_ACTIVATION = (
    "#16161d #35271e #57381a #7a4b14 #9f651f #c7812a #df9e51 #efbd7d #ffdca6 "
    "#b4dcff #8abff3 #5ea2e5 #3b86cf #2d6cab #215287 #1e3c63 #1b293e"
)
_BRIGHT = range(5, 13)
_SHOWN = {"\n": "↵", "\t": "⇥"}
# From which probability on a guess is bold, and below which it is dim.
LIKELY, UNLIKELY = 0.5, 0.1


@dataclass(frozen=True)
class Column:
    """A character and what is under it.

    shown     the character, so that it takes at least one cell
    level     0 to 8, or -8 to 8; None: not predicted
    guesses   what was expected, likeliest first, each with its style
    """

    shown: str
    level: int | None
    guesses: list[tuple[str, str]]

    @property
    def width(self) -> int:
        """Return the cells of the widest entry."""
        return max(map(cell_len, (self.shown, *(guess for guess, _ in self.guesses))))


class View:
    """Draws traces.

    console      what is drawn on: in color, or with a bar under each character
    characters   of the model
    unit         the unit whose activation is shown, with its place and bounds; None: surprise
    """

    def __init__(
        self,
        console: Console,
        characters: str,
        unit: tuple[Place, int, tuple[float, float]] | None = None,
    ) -> None:
        self._console, self._characters, self._unit = console, characters, unit
        self._signed = unit is not None and unit[2][0] < 0
        colors = (_SURPRISE if unit is None else _ACTIVATION).split()
        self._styles = [
            f"{'black' if at in _BRIGHT else 'white'} on {color}" for at, color in enumerate(colors)
        ]

    def draw(self, traces: Iterable[Trace]) -> None:
        """Write the rows as the traces arrive."""
        columns = (column for trace in traces for column in self._columns(trace))
        for row in _rows(columns, self._console.width):
            for line in self._lines(row):
                line.rstrip()
                self._console.print(line, soft_wrap=True)

    def legend(self) -> Text:
        """Return what the levels mean."""
        if self._unit is None:
            about, marks = "surprise in nats", dict(enumerate(("0", *map("{:g}".format, LIMITS))))
        else:
            place, unit, (low, high) = self._unit
            about = f"unit {unit}, layer {place.layer}, {place.part}"
            marks = {0: "0", 8: "its most" if math.isinf(high) else f"{high:g}"}
            marks = ({-8: f"{low:g}"} if low < 0 else {}) | marks
        entries = [(f" {label} ", self._styles[level]) for level, label in sorted(marks.items())]
        if self._console.color_system is None:
            entries = [
                (f"{self._bar(level)} {label}  ", "") for level, label in sorted(marks.items())
            ]
        return Text.assemble(f"{about}: ", *entries)

    def _bar(self, level: int | None) -> str:
        if self._signed:
            return BARS[1 + round(((level or 0) + 8) * 7 / 16)]
        return BARS[level or 0]

    def _columns(self, trace: Trace) -> Iterator[Column]:
        if self._unit is None:
            levels = np.searchsorted(LIMITS, trace.nats, side="right")
        else:
            place, unit, (_, high) = self._unit
            values = trace.activations[place][:, unit]
            scale = max(float(values.max(initial=0)), 1e-9) if math.isinf(high) else high
            levels = np.rint(np.clip(values / scale, -1, 1) * 8).astype(int)
        for at, chosen in enumerate(trace.ids.tolist()):
            char, predicted = self._characters[chosen], not math.isnan(trace.nats[at])
            guesses = [
                (_show(self._characters[it]), _guess_style(p, right=it == chosen))
                if predicted
                else ("", "")
                for it, p in zip(trace.top_ids[at].tolist(), trace.top_p[at].tolist(), strict=True)
            ]
            level = int(levels[at]) if predicted or self._unit is not None else None
            yield Column(_show(char), level, guesses)

    def _lines(self, row: list[Column]) -> Iterator[Text]:
        plain = self._console.color_system is None
        yield Text.assemble(
            *(
                (_pad(it.shown, it), "" if plain or it.level is None else self._styles[it.level])
                for it in row
            )
        )
        if plain:
            yield Text.assemble(*(_pad(self._bar(it.level), it) for it in row))
        for rank in range(len(row[0].guesses)):
            line = Text()
            for it in row:
                guess, style = it.guesses[rank]
                line.append(guess, "" if plain else style).append(
                    " " * (it.width - cell_len(guess))
                )
            yield line
        if plain or row[0].guesses:
            yield Text()


def _rows(columns: Iterable[Column], width: int) -> Iterator[list[Column]]:
    """Break columns into rows: after a line break, else after the last space that fits."""
    row: list[Column] = []
    for column in columns:
        row.append(column)
        if column.shown == "↵":
            yield row
            row = []
        elif sum(it.width for it in row) > width and len(row) > 1:
            spaces = [at for at, it in enumerate(row[:-1], 1) if it.shown == " "]
            cut = spaces[-1] if spaces else len(row) - 1
            yield row[:cut]
            row = row[cut:]
    if row:
        yield row


def _show(char: str) -> str:
    shown = _SHOWN.get(char) or escape(char)
    return shown if cell_len(shown) else f"◌{shown}"  # a combining mark


def _pad(text: str, column: Column) -> str:
    return text + " " * (column.width - cell_len(text))


def _guess_style(p: float, *, right: bool) -> str:
    strength = "bold" if p >= LIKELY else "dim" if p < UNLIKELY else ""
    return f"{strength}{' underline' * right}".strip()
