"""How findings are counted and put into words."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import NamedTuple

from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Place

LISTED, SHOWN = 4, 40


def lot(count: int, one: str, more: str | None = None) -> str:
    """Return a number of things: "1 line", "1,200 lines"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def listed(things: Sequence[str]) -> str:
    """Return the first few of some things."""
    rest = len(things) - LISTED
    return ", ".join(things[:LISTED]) + (f" and {rest:,} more" if rest > 0 else "")


def shown(text: str) -> str:
    """Return the beginning of a text as an example."""
    line = text.strip().split("\n")[0]
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def named(char: str) -> str:
    """Return the Unicode name of a character in small letters, or its code point."""
    return unicodedata.name(char, f"U+{ord(char):04X}").lower()


def total(text: Examined, characters: Collection[str]) -> int:
    """Return how often these characters occur together."""
    return sum(text.counts.get(char, 0) for char in characters)


def first(text: Examined, characters: Collection[str]) -> Place | None:
    """Return where the first of these characters stands first."""
    order = {source: number for number, source in enumerate(text.sources)}
    places = [text.first[char] for char in characters if char in text.first]
    return min(places, key=lambda place: (order[place.source], place.line), default=None)


class Found(NamedTuple):
    """How often something occurs in the passages, where it stands first, and what stands there."""

    times: int
    place: Place
    example: str


def search(text: Examined, pattern: re.Pattern[str]) -> Found | None:
    """Return what is found of a pattern, or None."""
    count, place, example = 0, None, ""
    for passage in text.passages:
        for match in pattern.finditer(passage.text):
            count += 1
            if place is None:
                place, example = passage.place(match.start()), match[0]
    return None if place is None else Found(count, place, example)
