r"""Features that a unit may keep track of: functions from a text to a number for each character.

The number is what is known after reading the character: behind an opening bracket one is inside,
behind the closing one no longer.
"""

import re
from collections.abc import Callable

import numpy as np

from charrnn.nn.cell import Array

TAB = 4
_OPENING, _CLOSING, _SENTENCE_ENDS = "([{（【「", ")]}）】」", ".!?…。！？"
_QUOTES = re.compile(
    r'"(?:\\.|[^"\\\n]|\n(?!\n))*"|“[^“”]*”|«[^«»]*»|「[^「」]*」|'
    r"(?<!\w)'(?:\\.|[^'\\\n]|(?<=\w)'(?=\w))+'(?!\w)|(?<!\w)‘(?:[^’\n]|(?<=\w)’(?=\w))+’"
)
_COMMENTS = re.compile(r"(?<!\S)#[^\n]*\n|(?<![:\w])//[^\n]*\n|/\*[\s\S]*?\*/|<!--[\s\S]*?-->")


def _each(test: Callable[[str], bool]) -> Callable[[str], Array]:
    """Return the function that tests each character on its own."""
    return lambda text: np.array([test(char) for char in text], float)


def _count(follow: Callable[[int, str], int], first: int = 0) -> Callable[[str], Array]:
    """Return the function that takes a number from each character to the next."""

    def numbers(text: str) -> Array:
        found, number = np.empty(len(text)), first
        for at, char in enumerate(text):
            found[at] = number = follow(number, char)
        return found

    return numbers


def _inside(pattern: re.Pattern[str]) -> Callable[[str], Array]:
    """Return the function that is 1 from the first character of a match until before its last."""

    def numbers(text: str) -> Array:
        found = np.zeros(len(text))
        for match in pattern.finditer(text):
            found[match.start() : match.end() - 1] = 1
        return found

    return numbers


def _indent(text: str) -> Array:
    widths = [np.zeros(0)]
    for line in re.findall(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text):
        spaces = line[: len(line) - len(line.lstrip(" \t"))]
        widths.append(np.full(len(line), len(spaces.expandtabs(TAB))))
    return np.concatenate(widths)


_depth = _count(lambda depth, char: max(depth + (char in _OPENING) - (char in _CLOSING), 0))

FEATURES: dict[str, Callable[[str], Array]] = {
    "quotes": _inside(_QUOTES),
    "brackets": lambda text: np.minimum(_depth(text), 1),
    "bracket-depth": _depth,
    "line-position": _count(lambda column, char: 0 if char == "\n" else column + 1),
    "indentation": _indent,
    "comments": _inside(_COMMENTS),
    "digits": _each(str.isdigit),
    "capitals": _each(str.isupper),
    "whitespace": _each(str.isspace),
    "punctuation": _each(lambda char: not (char.isalnum() or char.isspace())),
    "word-position": _count(lambda letters, char: letters + 1 if char.isalnum() else 0),
    "sentence-start": _count(
        lambda waiting, char: 1 if char in _SENTENCE_ENDS else waiting * (not char.isalnum()), 1
    ),
}
