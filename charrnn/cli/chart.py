"""Curves drawn with characters: Braille dots on most terminals, plain ASCII on the others.

A cell of a terminal holds 2 x 4 dots of a Braille pattern (Unicode, U+2800 to U+28FF), so that a
curve has twice and four times the resolution of the text.
"""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from charrnn.cli.terminal import Piece, duration

BRAILLE = 0x2800
# The bit of each dot of a Braille cell, by row and column.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
ASCII_DOT = "."

# Terminals whose fonts have no Braille.
PLAIN_TERMINALS = {"dumb", "linux"}

# What is left of the axis: a loss as 12.345, and the tick.
GUTTER = 8
LEAST_WIDTH, LEAST_HEIGHT = GUTTER + 12, 4
SHORT_SECONDS, LONG_SECONDS = 10, 1e7

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    name     for the legend
    points   seconds and losses, in order of time
    mark     a character at each point; empty: none
    joined   whether a line joins the points
    style    color, in the words of rich
    """

    name: str
    points: Sequence[Point]
    mark: str = ""
    joined: bool = True
    style: str = ""


@dataclass(frozen=True)
class Frame:
    """How large a chart is, and with which characters.

    width, height   in cells, axes and legend included
    plain           in ASCII only
    """

    width: int
    height: int
    plain: bool = False


def draws_braille() -> bool:
    """Return True if the terminal probably has the characters: its locale is UTF-8."""
    if os.environ.get("TERM", "") in PLAIN_TERMINALS:
        return False
    if sys.platform == "win32":
        return "WT_SESSION" in os.environ
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "utf-8")
    return "utf8" in locale.lower().replace("-", "")


def loss_curves(trained: Sequence[Point], held_out: Sequence[Point], *, plain: bool) -> list[Curve]:
    """Return the curves of one run: the losses on training text and on held-out text."""
    mark = "o" if plain else "●"
    return [
        Curve("training text", trained, style="blue"),
        Curve("held-out text", held_out, mark, joined=False, style="bold green"),
    ]


def draw(curves: Sequence[Curve], frame: Frame, title: str = "") -> list[list[Piece]]:
    """Return the rows of a chart of these curves over a common time; nothing without points."""
    curves = [curve for curve in curves if curve.points]
    width, height = frame.width - GUTTER, frame.height - 3
    if not curves or width < LEAST_WIDTH - GUTTER or height < 1:
        return []
    box = _Box.around(curves)
    canvas = _Canvas(width, height, plain=frame.plain)
    for curve in curves:
        places = [box.place(point, canvas) for point in curve.points]
        if curve.joined:
            canvas.join(places, curve.style)
    for curve in curves:
        if curve.mark:
            for point in curve.points:
                canvas.mark(box.place(point, canvas), curve.mark, curve.style)
    return [
        _legend(curves, frame, title),
        *_with_axis(canvas.rows(), box, plain=frame.plain),
        *_time_axis(box, width, plain=frame.plain),
    ]


def text_of(rows: Sequence[Sequence[Piece]]) -> str:
    """Return rows as plain text."""
    return "".join("".join(text for text, _ in row).rstrip() + "\n" for row in rows)


@dataclass(frozen=True)
class _Box:
    """The corner points of a chart."""

    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def around(cls, curves: Sequence[Curve]) -> "_Box":
        times = [point[0] for curve in curves for point in curve.points]
        losses = [point[1] for curve in curves for point in curve.points]
        left, right, bottom, top = min(0.0, *times), max(times), min(losses), max(losses)
        return cls(left, right if right > left else left + max(1.0, abs(left)), bottom, top)

    def place(self, point: Point, canvas: "_Canvas") -> tuple[int, int]:
        """Return the column and row of a point in dots, from the upper left corner."""
        across = (point[0] - self.left) / (self.right - self.left)
        high = self.top - self.bottom
        down = (self.top - point[1]) / high if high > 0 else 0.5
        columns, rows = canvas.size
        return round(across * (columns - 1)), round(down * (rows - 1))


class _Canvas:
    """Dots and marks on a grid of cells."""

    def __init__(self, width: int, height: int, *, plain: bool) -> None:
        self.per_cell = (1, 1) if plain else (2, 4)
        self.plain = plain
        self.bits = [[0] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]
        self.marks = [[""] * width for _ in range(height)]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in dots."""
        return len(self.bits[0]) * self.per_cell[0], len(self.bits) * self.per_cell[1]

    def join(self, places: Sequence[tuple[int, int]], style: str) -> None:
        """Draw lines from each place to the next."""
        for start, end in zip(places, [*places[1:], places[-1]], strict=True):
            for x, y in _line(start, end):
                column, row = x // self.per_cell[0], y // self.per_cell[1]
                self.bits[row][column] |= DOTS[y % self.per_cell[1]][x % self.per_cell[0]]
                self.styles[row][column] = style

    def mark(self, place: tuple[int, int], mark: str, style: str) -> None:
        """Put a character in the cell of a place."""
        column, row = place[0] // self.per_cell[0], place[1] // self.per_cell[1]
        self.marks[row][column], self.styles[row][column] = mark, style

    def rows(self) -> list[list[Piece]]:
        """Return the cells, those of the same style as one piece."""
        result = []
        for cells in zip(self.bits, self.marks, self.styles, strict=True):
            row = [
                (mark or self._dots(bits), style) for bits, mark, style in zip(*cells, strict=True)
            ]
            runs = groupby(row, key=itemgetter(1))
            result.append([("".join(text for text, _ in run), style) for style, run in runs])
        return result

    def _dots(self, bits: int) -> str:
        if not bits:
            return " "
        return ASCII_DOT if self.plain else chr(BRAILLE + bits)


def _line(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the dots from one to the other, without a gap."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(steps + 1):
        yield (
            start[0] + round((end[0] - start[0]) * step / steps),
            start[1] + round((end[1] - start[1]) * step / steps),
        )


def _legend(curves: Sequence[Curve], frame: Frame, title: str) -> list[Piece]:
    """Return the line above a chart: the unit, and which curve is which."""
    line = "." if frame.plain else "⠒⠒"
    pieces: list[Piece] = [(f"{title}  ", "")]
    for curve in curves:
        pieces += [(f"  {curve.mark or line} ", curve.style), (curve.name, "")]
    left, kept = frame.width, []
    for text, style in pieces:
        kept.append((text[:left], style))
        left -= len(kept[-1][0])
    return kept


def _with_axis(rows: Sequence[list[Piece]], box: _Box, *, plain: bool) -> list[list[Piece]]:
    """Return the rows with losses at their left: at the top, the bottom and in between."""
    last = len(rows) - 1
    flat = box.top == box.bottom
    labeled = {last // 2} if flat else {0, last} | ({last // 2} if last > LEAST_HEIGHT else set())
    tick, bar = ("+", "|") if plain else ("┤", "│")
    result = []
    for number, row in enumerate(rows):
        label = ""
        if number in labeled:
            down = 0.5 if flat else number / max(last, 1)
            label = f"{box.top - down * (box.top - box.bottom):.3f}"[: GUTTER - 2]
        result.append([(f"{label:>{GUTTER - 2}} {tick if label else bar}", "dim"), *row])
    return result


def _time_axis(box: _Box, width: int, *, plain: bool) -> list[list[Piece]]:
    """Return the line below a chart, and the times at its ends and in the middle."""
    corner, line = ("+", "-") if plain else ("└", "─")
    times = (box.left, (box.left + box.right) / 2, box.right)
    first, middle, end = (clock(time, box.right) for time in times)
    labels = f"{first:<{width // 2 - len(middle) // 2}}{middle}"
    labels = f"{labels:<{width - len(end)}}{end}"
    gutter = " " * (GUTTER - 1)
    return [
        [(f"{gutter}{corner}{line * width}", "dim")],
        [(f"{gutter} {labels}"[: width + GUTTER], "dim")],
    ]


def clock(seconds: float, longest: float) -> str:
    """Return a time as the axis shows it: 0:42, or 4.2 s of a run of a few seconds."""
    if not math.isfinite(seconds) or abs(longest) >= LONG_SECONDS or seconds < 0:
        return f"{seconds:.3g} s"
    return duration(seconds) if longest >= SHORT_SECONDS else f"{seconds:.2g} s"
