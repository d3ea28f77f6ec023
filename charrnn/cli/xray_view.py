"""A text as a model sees it, on a terminal: in color, or with a bar under each character."""

from collections.abc import Iterable, Iterator

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from charrnn.scoring.xray import Trace
from charrnn.text.vocabulary import escape

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


class View:
    """Shows traces.

    console   of rich
    unit      a layer and a number: the unit whose activations are shown; None: surprise
    signed    its activations may be below 0
    """

    def __init__(self, console: Console, unit: tuple[int, int] | None, *, signed: bool) -> None:
        self.console, self.unit = console, unit
        self.plain, self.signed = console.color_system is None, signed and unit is not None
        self.colors = (SURPRISE if unit is None else ACTIVATION).split()
        self.largest = 1.0  # activation so far: without bounds in a plain RNN with ReLU

    def draw(self, traces: Iterable[Trace]) -> None:
        """Write the rows as the traces arrive."""
        columns = (column for trace in traces for column in self.columns(trace))
        for row in break_rows(columns, self.console.width):
            for cells in zip(*row, strict=True):
                line = Text()
                for (text, style), column in zip(cells, row, strict=True):
                    line.append(text, "" if self.plain else style)
                    line.append(" " * (width(column) - cell_len(text)))
                line.rstrip()
                self.console.print(line, soft_wrap=True)
            if len(row[0]) > 1:
                self.console.print()

    def columns(self, trace: Trace) -> Iterator[Column]:
        """Yield what is drawn of each character: it, if plain its bar, and the guesses."""
        for at, (level, char) in enumerate(zip(self.levels(trace), trace.text, strict=True)):
            guesses, predicted = trace.alternatives(at), not np.isnan(trace.nats[at])
            style = self.style(level) if predicted or self.unit is not None else ""
            column = [(show(char), style)]
            if self.plain:
                column.append((self.bar(level), ""))
            for guess, p in guesses:
                strength = "bold " if p >= LIKELY else "dim " if p < UNLIKELY else ""
                column.append((show(guess), strength + "underline" * (guess == char)))
            yield column + [("", "")] * (trace.top_ids.shape[1] - len(guesses))

    def levels(self, trace: Trace) -> list[int]:
        """Return the level of each character: 0 to 8, or -8 to 8 of activations below 0."""
        found = np.searchsorted(LIMITS, np.nan_to_num(trace.nats), side="right")
        if self.unit is not None:
            layer, unit = self.unit
            (recorded,) = trace.activations.values()
            values = recorded[:, layer, unit]
            self.largest = max(self.largest, float(values.max()))
            found = np.rint(values / self.largest * 8).astype(np.int64)
        levels: list[int] = found.tolist()
        return levels

    def style(self, level: int) -> str:
        """Return the colors of a level."""
        return f"{'black' if level in BRIGHT else 'white'} on {self.colors[level]}"

    def bar(self, level: int) -> str:
        """Return the bar of a level."""
        return BARS[1 + round((level + 8) * 7 / 16)] if self.signed else BARS[level]

    def legend(self) -> Text:
        """Return what the levels mean."""
        about, marks = "surprise in nats", dict(enumerate(("0", *map("{:g}".format, LIMITS))))
        if self.unit is not None:
            layer, unit = self.unit
            about = f"unit {unit} of layer {layer}"
            marks = {-8: "-1"} if self.signed else {}
            marks |= {0: "0", 8: f"{self.largest:.3g}"}
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
