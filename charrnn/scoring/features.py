"""Features that a unit may keep track of: functions from a text to a number for each character.

The number is what is known after reading the character: behind an opening bracket one is inside,
behind the closing one no longer.
"""

import re
from collections.abc import Callable

import numpy as np

from charrnn.nn.cell import Array

TAB = 4
_OPENING, _CLOSING = "([{（【「", ")]}）】」"
_QUOTES = re.compile(
    r'"(?:\\.|[^"\\\n]|\n(?!\n))*"|“[^“”]*”|«[^«»]*»|「[^「」]*」|'
    r"(?<!\w)'(?:\\.|[^'\\\n]|(?<=\w)'(?=\w))+'(?!\w)|(?<!\w)‘(?:[^’\n]|(?<=\w)’(?=\w))+’"
)


def _each(test: Callable[[str], bool]) -> Callable[[str], Array]:
    """Return the function that tests each character on its own."""
    return lambda text: np.array([test(char) for char in text], float)


def _count(follow: Callable[[int, str], int]) -> Callable[[str], Array]:
    """Return the function that takes a number, 0 at first, from each character to the next."""

    def numbers(text: str) -> Array:
        found, number = np.empty(len(text)), 0
        for at, char in enumerate(text):
            found[at] = number = follow(number, char)
        return found

    return numbers


def _quotes(text: str) -> Array:
    inside = np.zeros(len(text))
    for match in _QUOTES.finditer(text):
        inside[match.start() : match.end() - 1] = 1
    return inside


def _indentation(text: str) -> Array:
    lines = [line.expandtabs(TAB) for line in text.split("\n")]
    widths = [len(line) - len(line.lstrip(" ")) for line in lines]
    lengths = [len(line) + 1 for line in text.split("\n")]
    return np.repeat(np.array(widths, float), lengths)[: len(text)]


_depth = _count(lambda depth, char: max(depth + (char in _OPENING) - (char in _CLOSING), 0))

FEATURES: dict[str, Callable[[str], Array]] = {
    "quotes": _quotes,
    "brackets": lambda text: np.minimum(_depth(text), 1),
    "line-position": _count(lambda column, char: 0 if char == "\n" else column + 1),
    "indentation": _indentation,
    "digits": _each(str.isdigit),
    "capitals": _each(str.isupper),
    "whitespace": _each(str.isspace),
    "punctuation": _each(lambda char: not (char.isalnum() or char.isspace())),
    "word-position": _count(lambda letters, char: letters + 1 if char.isalnum() else 0),
}
