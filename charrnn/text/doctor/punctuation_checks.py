"""Checks of punctuation and spaces that come in several kinds, of which a text should use one."""

import re
from collections.abc import Iterator

from charrnn.text.doctor import characters as known
from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding
from charrnn.text.doctor.wording import first, listed, lot, named, search, total

# Spaces that typesetters put between a word and its punctuation, number or preposition; elsewhere
# they come from web pages and word processors. No other space is for running text.
_TYPESET = "\xa0\u2009\u202f"
_ODD_SPACE = re.compile(
    rf"(?<=\s)[{_TYPESET}]|[{_TYPESET}](?=\s)|(?<=[^\W\d_]{{3}})[{_TYPESET}](?=[^\W\d_])"
    rf"|(?![{_TYPESET}]){known.OTHER_SPACE}"
)
_APOSTROPHES = [re.compile(rf"(?<=[^\W\d_]){mark}(?=[^\W\d_])") for mark in "’'"]
_DOUBLE_DASH = re.compile(r"(?<![-\n])--(?!-)")


def quotes(text: Examined) -> Iterator[Finding]:
    """Find curly and straight quotation marks or apostrophes in one text."""
    if text.kind == "code":
        return
    curly, straight = total(text, known.CURLY_DOUBLE), text.counts.get('"', 0)
    curly -= sum(text.misread[char] for char in known.CURLY_DOUBLE)
    if curly > 0 and straight:
        yield Finding(
            "quotes",
            "fault",
            f"curly and straight quotation marks mixed: {curly:,} curly, {straight:,} straight",
            "",
            min(curly, straight),
            first(text, known.CURLY_DOUBLE if curly < straight else '"'),
            repair="quotes",
        )
    curled, plain = (search(text, pattern) for pattern in _APOSTROPHES)
    if curled is not None and plain is not None:
        yield Finding(
            "apostrophes",
            "fault",
            f"curly and straight apostrophes mixed: {curled.times:,} curly, "
            f"{plain.times:,} straight",
            "",
            min(curled.times, plain.times),
            min(curled, plain).place,
            repair="quotes",
        )


def spaces(text: Examined) -> Iterator[Finding]:
    """Find spaces that look like the usual one, but not where typesetters put them."""
    found = {char for char in text.counts if char > "\x7f" and char.isspace()}
    if found and (odd := search(text, _ODD_SPACE)):
        are = "is" if odd.times == 1 else "are"
        yield Finding(
            "spaces",
            "fault",
            f"{lot(odd.times, 'space')} that {are} not the usual one, first {named(odd.example)}",
            "",
            odd.times,
            odd.place,
            repair="spaces",
        )


def dashes(text: Examined) -> Iterator[Finding]:
    """Find dashes that look like another one, and two ways to write a long one."""
    odd = [char for char in known.USUAL_DASHES if char in text.counts]
    if "－" in odd and any("\u3040" <= char <= "\u9fff" for char in text.counts):
        odd.remove("－")
    if odd:
        count = total(text, odd)
        yield Finding(
            "dashes",
            "fault",
            f"{lot(count, 'dash', 'dashes')} easily taken for another: "
            f"{listed([f'{named(char)} for {known.USUAL_DASHES[char]}' for char in odd])}",
            "",
            count,
            first(text, odd),
            repair="dashes",
        )
    long = text.counts.get("—", 0) - text.misread["—"]
    if long > 0 and text.kind != "code" and (doubled := search(text, _DOUBLE_DASH)):
        yield Finding(
            "long-dashes",
            "fault",
            f"dashes written in two ways: {long:,} as —, {doubled.times:,} as --",
            "sed 's/--/—/g' makes them one",
            min(long, doubled.times),
            doubled.place if doubled.times < long else first(text, "—"),
        )


def ligatures(text: Examined) -> Iterator[Finding]:
    """Find ligatures that stand for two letters."""
    found = [char for char in known.LIGATURES if char in text.counts]
    if found:
        count = total(text, found)
        yield Finding(
            "ligatures",
            "fault",
            f"{lot(count, 'ligature')}: "
            f"{listed([f'{char} for {known.LIGATURES[char]}' for char in found])}",
            "",
            count,
            first(text, found),
            repair="ligatures",
        )
