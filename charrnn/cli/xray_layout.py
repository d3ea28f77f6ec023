"""A text in columns, each a character with what stands under it, broken into rows that fit.

A column is as wide as the widest of its characters: one cell, or two for Chinese and emoji. What
has no width of its own gets some: a combining mark stands on a dotted circle, a line break is an
arrow. If nothing stands under the characters, combining marks stay on theirs.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

from charrnn.cli.terminal import visible
from charrnn.inference.xray.scale import NO_LEVEL

_SHOWN = {"\n": "↵", "\t": "⇥", "\r": "␍"}
_JOINER = "\u200d"
_TAB_WIDTH = 4


@dataclass(frozen=True)
class Column:
    """A character of the text and what stands under it.

    char      the character, or several that share one cell
    level     of its surprise or activation, see ``inference.xray.scale``
    guesses   the characters that were expected in its place
    weights   their probabilities
    """

    char: str
    level: int
    guesses: Sequence[str] = ()
    weights: Sequence[float] = ()

    @property
    def ends(self) -> bool:
        """True for the end of a line."""
        return self.char == "\n"

    @cached_property
    def shown(self) -> str:
        """The character as it is shown."""
        return shown(self.char) if self.guesses or len(self.char) == 1 else visible(self.char)

    @cached_property
    def width(self) -> int:
        """Cells from this character to the next."""
        if self.char == "\t" and not self.guesses:
            return _TAB_WIDTH
        return max(cells(text) for text in (self.shown, *map(guess_shown, self.guesses)))


@cache
def shown(char: str) -> str:
    """Return a character as a text that has a width and does nothing to the terminal."""
    if not char or char in _SHOWN:
        return _SHOWN.get(char, "")
    if char < " ":
        return chr(0x2400 + ord(char))
    if _is_mark(char):
        return "◌" + char
    if unicodedata.category(char) in {"Cf", "Zl", "Zp", "Cc", "Cs"}:
        return char.encode("unicode_escape").decode()
    return char


@cache
def guess_shown(char: str) -> str:
    """Return a guess as it is shown: a space, too, can be seen."""
    return "␣" if char == " " else shown(char)


@lru_cache(1 << 14)
def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(
        0 if _is_mark(char) or char == _JOINER
        else 2 if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )  # fmt: skip


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Me"}


def _joins(char: str, before: str) -> bool:
    """Return True if a character shares the cell of the one before it."""
    if before in _SHOWN or before < " ":
        return False
    return (
        _is_mark(char)
        or char == _JOINER
        or before[-1] == _JOINER
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _strength(level: int) -> int:
    return -1 if level == NO_LEVEL else abs(level)


class Rows:
    """Breaks columns into rows of a width, behind a space if there is one in the second half."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._held: list[Column] = []
        self._used = 0

    def add(self, columns: Iterable[Column]) -> Iterator[list[Column]]:
        """Yield the rows that are complete."""
        for column in columns:
            before = self._held[-1] if self._held else None
            if (
                before
                and not column.guesses
                and not before.guesses
                and _joins(column.char, before.char)
            ):
                level = max(before.level, column.level, key=_strength)
                self._held[-1] = replace(before, char=before.char + column.char, level=level)
                continue
            if self._held and self._used + column.width > self.width:
                yield self._cut()
            self._held.append(column)
            self._used += column.width
            if column.ends:
                yield self._taken(len(self._held))

    def rest(self) -> Iterator[list[Column]]:
        """Yield the last row, if it has anything."""
        if self._held:
            yield self._taken(len(self._held))

    def _cut(self) -> list[Column]:
        half = len(self._held) // 2
        breaks = [at + 1 for at in range(half, len(self._held)) if self._held[at].char in " \t"]
        return self._taken(breaks[-1] if breaks else len(self._held))

    def _taken(self, count: int) -> list[Column]:
        row, self._held = self._held[:count], self._held[count:]
        self._used = sum(column.width for column in self._held)
        return row
