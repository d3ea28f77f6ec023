"""Checks for what is in a file but does not belong to its text: licenses, markup, addresses."""

import re
from collections.abc import Iterator
from itertools import pairwise

from charrnn.text.doctor.characters import ENTITY
from charrnn.text.doctor.examined import Examined, Passage
from charrnn.text.doctor.finding import Finding, Level
from charrnn.text.doctor.gutenberg import BOOK_PARTS, END, START
from charrnn.text.doctor.wording import Found, lot, search, shown
from charrnn.text.lines import SENTENCE_ENDS

# Page numbers: so many, of which this share is followed by a larger one, near by, and interrupts a
# sentence if it stands there without "page" or dashes.
FEWEST_PAGES, MOST_IN_ORDER, NEXT_PAGES, INTERRUPTS = 3, 0.7, 5, 0.5

_TAGS = (
    "a|abbr|b|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|"
    "link|meta|ol|p|pre|script|small|span|strong|style|sub|sup|table|tbody|td|th|title|tr|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,500}})?/?>", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"']+|\bwww\.[\w-]+\.[^\s<>\"']+")
_COPYRIGHT = re.compile(
    r"^.*(?:copyright (?:©|\(c\)|\d{4})|(?:©|\(c\)) ?\d{4}|all rights reserved).*$",
    re.IGNORECASE | re.MULTILINE,
)
_LICENSE = re.compile(
    "^.*(?:permission is hereby granted|licensed under (?:the |an? )?"
    "(?:apache|mit|bsd|gnu|gpl|creative|terms|mozilla)|gnu (?:lesser |affero )?general "
    "public license|this ebook is for the use of|redistribution and use in source|"
    "creative commons attribution|project gutenberg literary archive).*$",
    re.IGNORECASE | re.MULTILINE,
)
# Name, pattern, what it is called in the singular and plural, and what to do about it.
_PATTERNS = (
    ("license", _LICENSE, "line of a license", "lines of a license", "remove the license by hand"),
    ("copyright", _COPYRIGHT, "copyright line", "copyright lines", "remove them by hand"),
    ("html-tags", _TAG, "HTML tag", "HTML tags", "convert to text: pandoc -f html -t plain"),
    ("html-entities", ENTITY, "HTML entity", "HTML entities", ""),
    ("urls", _URL, "URL", "URLs", "sed -E 's#https?://[^ ]+##g' removes them"),
)
_GUTENBERG = re.compile(rf"^(?:{START.pattern}|{END.pattern}).*$", re.IGNORECASE | re.MULTILINE)
_PAGE = re.compile(
    r"^[ \t]*(?:(?P<sure>(?:page|p\.|seite|[-–—\[]) ?\d{1,4} ?(?:[-–—\]]|of \d+)?)|\d{1,4})[ \t]*$",
    re.IGNORECASE,
)


def gutenberg(text: Examined) -> Iterator[Finding]:
    """Find header and license of Project Gutenberg."""
    if found := search(text, _GUTENBERG):
        message = f"Project Gutenberg's header or license: {lot(found.times, 'marker')}"
        yield Finding("gutenberg", "fault", message, "", *_shown(found), repair=BOOK_PARTS)


def belongings(text: Examined) -> Iterator[Finding]:
    """Find licenses, copyright lines, HTML and addresses; in code they are a part of it."""
    level: Level = "note" if text.kind == "code" else "fault"
    for name, pattern, one, more, following in _PATTERNS:
        if found := search(text, pattern):
            repair = "entities" if name == "html-entities" else None
            message = lot(found.times, one, more)
            yield Finding(name, level, message, following, *_shown(found), repair=repair)


def _shown(found: Found) -> Found:
    return found._replace(example=shown(found.example))


def page_numbers(text: Examined) -> Iterator[Finding]:
    """Find numbers of pages in the middle of the text."""
    if text.kind == "list":
        return
    for passage in text.passages:
        found = _pages(passage)
        numbers = [number for _, number, _ in found]
        in_order = sum(0 < b - a <= NEXT_PAGES for a, b in pairwise(numbers))
        sure = sum(certain for _, _, certain in found)
        if (
            len(found) >= FEWEST_PAGES
            and in_order >= MOST_IN_ORDER * (len(found) - 1)
            and sure >= INTERRUPTS * len(found)
        ):
            yield Finding(
                "page-numbers",
                "fault",
                f"{lot(len(found), 'page number')}, from {numbers[0]} to {numbers[-1]}",
                "grep -vE '^ *-? *[0-9]{1,4} *-? *$' leaves out such lines",
                len(found),
                passage.place(found[0][0]),
            )
            return


def _pages(passage: Passage) -> list[tuple[int, int, bool]]:
    """Return lines that may be page numbers: offset, number, and whether it is likely."""
    found, offset, before = [], 0, "."
    for line in passage.text.split("\n"):
        if match := _PAGE.match(line):
            number = int(re.findall(r"\d+", line)[0])
            likely = match["sure"] is not None or before[-1] not in SENTENCE_ENDS
            found.append((offset, number, likely))
        elif line.strip():
            before = line.rstrip()
        offset += len(line) + 1
    return found
