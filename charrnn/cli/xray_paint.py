"""Rows of columns as text: in colors, or with bars under the characters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from charrnn.cli import terminal
from charrnn.cli.xray_colors import ACTIVATION, SURPRISE, text_color
from charrnn.cli.xray_layout import Column, cells, guess_shown
from charrnn.inference.xray.scale import MOST

BARS = " ▁▂▃▄▅▆▇█"
_RESET = "\x1b[0m"

# From which probability on a guess is bold, and below which it is dim.
LIKELY, UNLIKELY = 0.5, 0.1


class Painter(Protocol):
    """Turns rows of columns into lines of text."""

    def lines(self, row: Sequence[Column]) -> list[str]:
        """Return the lines of a row."""

    def tell(self) -> None:
        """Say on stderr what the levels mean."""


@dataclass(frozen=True)
class Scale:
    """What the levels of a view mean.

    about    what is shown
    labels   of levels in equal distances, the lowest and the highest among them
    signed   levels are from -8 to 8, else from 0
    """

    about: str
    labels: Sequence[str]
    signed: bool

    def marks(self) -> Iterator[tuple[int, str]]:
        """Yield levels with their labels."""
        first = -MOST if self.signed else 0
        step = (MOST - first) // (len(self.labels) - 1)
        yield from ((first + at * step, label) for at, label in enumerate(self.labels))


class Bars:
    """A bar under each character, as high as its level."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale

    def lines(self, row: Sequence[Column]) -> list[str]:
        """See ``Painter``."""
        text = "".join(_padded(column.shown, column.width) for column in row)
        bars = "".join(_padded(self._bar(column.level), column.width) for column in row)
        return [line.rstrip() for line in (text, bars, *_guesses(row))] + [""]

    def _bar(self, level: int) -> str:
        if self._scale.signed:
            return BARS[1 + round((level + 8) * 7 / 16)]
        return BARS[max(level, 0)]

    def tell(self) -> None:
        """See ``Painter``."""
        marked = [f"{self._bar(level)} {label}" for level, label in self._scale.marks()]
        terminal.note(f"{self._scale.about}: {'  '.join(marked)}")


class Colors:
    """The level as the color behind each character.

    depth   256 or all colors
    """

    def __init__(self, scale: Scale, depth: Literal["truecolor", "256"]) -> None:
        self._scale = scale
        colors = ACTIVATION if scale.signed else SURPRISE
        self._codes = [_code(color, text_color(color), depth) for color in colors]

    def lines(self, row: Sequence[Column]) -> list[str]:
        """See ``Painter``."""
        text, style = "", ""
        for column in row:
            if (code := self._of(column.level)) != style:
                text += _RESET * bool(style) + code
                style = code
            text += _padded(column.shown, column.width)
        if not row[0].guesses:
            return [text + _RESET]
        styled = [_guess_style(row, rank) for rank in range(len(row[0].guesses))]
        return [text + _RESET, *styled, ""]

    def _of(self, level: int) -> str:
        return self._codes[level] if -len(self._codes) < level else ""

    def tell(self) -> None:
        """See ``Painter``."""
        marked = [f"{self._of(level)} {label} {_RESET}" for level, label in self._scale.marks()]
        terminal.note_styled(f"{self._scale.about}: {''.join(marked)}")


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _guesses(row: Sequence[Column]) -> list[str]:
    """Return the lines of guesses under a row, likeliest first."""
    return [
        "".join(_padded(guess_shown(column.guesses[rank]), column.width) for column in row)
        for rank in range(len(row[0].guesses))
    ]


def _guess_style(row: Sequence[Column], rank: int) -> str:
    """Return a line of guesses: likely ones bold, unlikely ones dim, right ones underlined."""
    text, style = "", ""
    for column in row:
        guess, weight = column.guesses[rank], column.weights[rank]
        strength = "1" if weight >= LIKELY else "2" if weight < UNLIKELY else ""
        codes = [code for code in (strength, "4" * (guess == column.char)) if code]
        new = f"\x1b[{';'.join(codes)}m" if codes else ""
        if new != style:
            text += _RESET * bool(style) + new
            style = new
        # The line under a right guess is as long as the guess.
        text += guess_shown(guess)
        if pad := " " * (column.width - cells(guess_shown(guess))):
            text += _RESET * bool(style) + pad
            style = ""
    return text + _RESET * bool(style)


def _code(background: str, ink: str, depth: Literal["truecolor", "256"]) -> str:
    """Return what a terminal is told to write in this color on that one."""
    from rich.color import Color, ColorSystem

    if depth == "truecolor":
        behind, front = (";".join(str(n) for n in bytes.fromhex(c[1:])) for c in (background, ink))
        return f"\x1b[38;2;{front};48;2;{behind}m"
    behind, front = (
        str(Color.parse(c).downgrade(ColorSystem.EIGHT_BIT).number) for c in (background, ink)
    )
    return f"\x1b[38;5;{front};48;5;{behind}m"
