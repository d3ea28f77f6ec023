"""Checks for what is in a file but does not belong to its text: licenses, markup, addresses."""

import re
from collections.abc import Iterator
from itertools import pairwise

from charrnn.text.doctor.characters import ENTITY
from charrnn.text.doctor.examined import Examined, Passage
from charrnn.text.doctor.finding import Finding, Level
from charrnn.text.doctor.gutenberg import BOOK_PARTS, END, START
from charrnn.text.doctor.wording import in_file, lot
from charrnn.text.lines import SENTENCE_ENDS

# Page numbers: so many, of which this share is followed by a larger one, near by, and interrupts a
# sentence if it stands there without "page" or dashes.
FEWEST_PAGES, MOST_IN_ORDER, NEXT_PAGES, INTERRUPTS = 3, 0.7, 5, 0.5

_TAGS = (
    "a|abbr|b|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|link|"
    "meta|ol|p|pre|script|small|span|strong|style|sub|sup|table|tbody|td|th|title|tr|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,500}})?/?>", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"']+|\bwww\.[\w-]+\.[^\s<>\"']+")
_COPYRIGHT = re.compile(
    r"^.*(?:copyright (?:©|\(c\)|\d{4})|(?:©|\(c\)) ?\d{4}|all rights reserved).*$",
    re.IGNORECASE | re.MULTILINE,
)
_LICENSE = re.compile(
    "^.*(?:permission is hereby granted|licensed under (?:the |an? )?(?:apache|mit|bsd|gnu|gpl|creative|terms|mozilla)|gnu (?:lesser |affero )?general "
    "public license|this ebook is for the use of|redistribution and use in source|"
    "creative commons attribution|project gutenberg literary archive).*$",
    re.IGNORECASE | re.MULTILINE,
)
_GUTENBERG = re.compile(rf"^(?:{START.pattern}|{END.pattern}).*$", re.IGNORECASE | re.MULTILINE)
_PAGE = re.compile(
    r"^[ \t]*(?:(?P<sure>(?:page|p\.|seite|[-–—\[]) ?\d{1,4} ?(?:[-–—\]]|of \d+)?)|\d{1,4})[ \t]*$",
    re.IGNORECASE,
)


def gutenberg(text: Examined) -> Iterator[Finding]:
    """Header and license of Project Gutenberg."""
    yield from in_file(
        text,
        "gutenberg",
        _GUTENBERG,
        lambda count, _: (f"Project Gutenberg's header or license: {lot(count, 'marker')}", ""),
        repair=BOOK_PARTS,
    )


def licenses(text: Examined) -> Iterator[Finding]:
    """Licenses and copyright lines; in code they are a part of it."""
    yield from in_file(
        text,
        "license",
        _LICENSE,
        lambda count, _: (f"a license, in {lot(count, 'line')}", "remove it by hand"),
        level=_level(text),
    )
    yield from in_file(
        text,
        "copyright",
        _COPYRIGHT,
        lambda count, _: (lot(count, "copyright line"), "remove them by hand"),
        level=_level(text),
    )


def markup(text: Examined) -> Iterator[Finding]:
    """HTML."""
    yield from in_file(
        text,
        "html-tags",
        _TAG,
        lambda count, _: (
            lot(count, "HTML tag"),
            "convert it to text: pandoc -f html -t plain --wrap=none",
        ),
        level=_level(text),
    )
    if "&" in text.counts:
        yield from in_file(
            text,
            "html-entities",
            ENTITY,
            lambda count, _: (lot(count, "HTML entity", "HTML entities"), ""),
            level=_level(text),
            repair="entities",
        )


def addresses(text: Examined) -> Iterator[Finding]:
    """Addresses of pages: hard to learn, and nothing to read."""
    yield from in_file(
        text,
        "urls",
        _URL,
        lambda count, _: (lot(count, "URL"), "sed -E 's#https?://[^ ]+##g' removes them"),
        level=_level(text),
    )


def page_numbers(text: Examined) -> Iterator[Finding]:
    """Numbers of pages in the middle of the text."""
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


def _level(text: Examined) -> Level:
    return "note" if text.kind == "code" else "fault"
