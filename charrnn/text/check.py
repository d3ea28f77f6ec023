"""The doctor: a table of checks over a text in memory.

A text is judged as its safe repairs would leave it: with line feeds at its line ends, without
Project Gutenberg's header and license. Every check is linear in the length of the text.
"""

import re
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypedDict, Unpack

from charrnn.text import repair
from charrnn.text.form import LOOKED_AT, OF_LINES, SENTENCE_ENDS, form_of, has_mostly_copies

Level = Literal["fault", "note"]
# Offsets in a text, and what is there.
Places = Sequence[tuple[int, str]]

LITTLE_TEXT = 1000
# Lines of prose or verse that occur twice by chance are shorter.
LONG_LINE = 60


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    level     "fault": training suffers from it; "note": worth knowing
    count     how often it occurs
    file      where it occurs first, and the line, from 1; None if it has no place
    example   what is there
    hint      what to do about it
    command   a filter of the shell that does it; empty if there is none
    repair    name of the repair that does it
    """

    name: str
    level: Level
    message: str
    count: int = 1
    file: str | None = None
    line: int | None = None
    example: str = ""
    hint: str = ""
    command: str = ""
    repair: str | None = None


class Advice(TypedDict, total=False):
    """What to do, as in a finding."""

    hint: str
    command: str
    repair: str | None


class Text:
    """Texts of files, one after the other, as they are judged.

    files         names and texts
    judged        the text with line feeds at line ends; headers and licenses are empty lines
    boilerplate   where those are
    lines         lines that are not blank, without white space around them
    form          what sort of text it is
    """

    def __init__(self, files: Sequence[tuple[str, str]]) -> None:
        self.files = files
        self.boilerplate: list[tuple[int, str]] = []
        self._starts: list[int] = []
        self.judged = ""
        for _, text in files:
            self._starts.append(len(self.judged))
            at, part = 0, repair.fix_line_ends(text)
            for begin, end in repair.gutenberg_parts(part):
                self.judged += part[at:begin]
                self.boilerplate.append((len(self.judged), ""))
                self.judged += "\n" * part.count("\n", begin, end)
                at = end
            self.judged += part[at:]
        self.lines = [line for line in map(str.strip, self.judged.split("\n")) if line]
        self.form = form_of(self.judged)

    def describe(self) -> dict[str, int | str]:
        """Return the text in figures."""
        lines, distinct = self.judged.count("\n"), len(set(self.judged))
        return {"chars": len(self.judged), "distinct": distinct, "lines": lines, "form": self.form}

    def found(
        self, name: str, what: str, places: Places, level: Level = "fault", **advice: Unpack[Advice]
    ) -> Iterator[Finding]:
        """Yield one finding if there are any places, with their number and the first."""
        if places:
            at, example = places[0]
            number = bisect(self._starts, at) - 1
            line = self.judged.count("\n", self._starts[number], at) + 1
            message, file = f"{what}: {len(places):,}", self.files[number][0]
            yield Finding(name, level, message, len(places), file, line, _shown(example), **advice)


def _shown(example: str) -> str:
    """Return the beginning of an example; the name of a character."""
    if len(example) == 1 and not example.isascii():
        return f"U+{ord(example):04X} {unicodedata.name(example, '').lower()}".strip()
    line = example.strip().split("\n")[0]
    return line if len(line) <= 40 else f"{line[:39]}…"


def _matches(pattern: str | re.Pattern[str], text: str) -> Places:
    return [(match.start(), match[0]) for match in re.finditer(pattern, text)]


class Pattern(NamedTuple):
    """A row of the table: a fault, how it is found, and what to do about it."""

    name: str
    pattern: re.Pattern[str]
    what: str
    hint: str = ""
    command: str = ""
    repair: str | None = None
    of_code: bool = False  # code may have it: a note there


_PRONOUN = "[Ii]t|[Hh]e|[Ss]he|[Tt]hat|[Ww]hat|I|[Ww]e|[Yy]ou|[Tt]hey|[Ll]et|[Tt]here"
# What cp1252 and Mac Roman make of each other's quotation marks and apostrophes.
_SWAPPED = re.compile(
    rf"n[íÕ]t\b|\b(?:{_PRONOUN})[íÕ](?:s|t|m|d|re|ve|ll)\b"
    r"|(?<!\w)[ìÒ](?=[A-Za-z])[^ìîÒÓ\n]{1,300}[.,!?\w][îÓ](?!\w)"
)
_LICENSE = re.compile(
    r"permission is hereby granted|licensed under (?:the |an? )?(?:apache|mit|bsd|gnu|gpl|creative)"
    r"|gnu (?:lesser |affero )?general public license|this ebook is for the use of"
    r"|creative commons attribution|copyright (?:©|\(c\)|\d{4})|(?:©|\(c\)) ?\d{4}"
    r"|all rights reserved",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"</?(?:a|b|body|br|code|div|em|font|h[1-6]|head|hr|html|i|img|li|meta|[ou]l|p|pre|script|span"
    r"|strong|style|su[bp]|t[dhr]|table|title|u)(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s<>\"]+|\bwww\.[\w-]+\.[^\s<>\"]+")
# Cyrillic letters that look like Latin ones, next to a Latin one; and the other way round.
_CYRILLIC, _LATIN = "аеорсухіјѕһАВЕКМНОРСТХУІЅЈ", "aeopcyxijshABEKMHOPCTXYISJ"
_MIXED_SCRIPTS = re.compile(
    f"[A-Za-z][{_CYRILLIC}]|[{_CYRILLIC}][A-Za-z]|[{_LATIN}][\u0400-\u052f]|[\u0400-\u052f][{_LATIN}]"
)
_AGAIN = "decode the original again, if there is one"

PATTERNS = (
    Pattern("bom", re.compile("\ufeff"), "byte-order marks inside the text", repair="bom"),
    Pattern("mojibake", repair.MOJIBAKE, "characters decoded wrongly before the file was written",
            repair="mojibake"),
    Pattern("swapped-quotes", _SWAPPED, "letters such as ì í î where quotation marks belong",
            f"{_AGAIN}: cp1252 and mac_roman were mistaken for each other"),
    Pattern("lost-characters", re.compile("\ufffd"), "characters lost in decoding", _AGAIN),
    Pattern("private-characters", re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]"),
            "characters without a standard meaning", "symbols of a font: replace them"),
    Pattern("controls", repair.CONTROL, "control characters", repair="controls"),
    Pattern("zero-width", repair.INVISIBLE, "invisible characters", repair="zero-width"),
    Pattern("look-alikes", _MIXED_SCRIPTS, "Cyrillic and Latin letters that look alike in one word",
            "type the word again"),
    Pattern("spaces", repair.ODD_SPACE, "spaces that are not the usual one", repair="spaces"),
    Pattern("dashes", repair.DASH, "dashes easily taken for another", repair="dashes"),
    Pattern("ligatures", repair.LIGATURE, "ligatures", repair="ligatures"),
    Pattern("license", _LICENSE, "lines of a license", "remove them by hand", of_code=True),
    Pattern("html-tags", _TAG, "HTML tags", "to remove them",
            "sed -E 's#</?[A-Za-z][^<>]*>##g'", of_code=True),
    Pattern("html-entities", repair.ENTITY, "HTML entities", repair="entities", of_code=True),
    Pattern("urls", _URL, "URLs", "to remove them",
            """sed -E 's#(https?://|www\\.)[^[:space:]<>"]+##g'""", of_code=True),
    Pattern("trailing-space", repair.TRAILING_SPACE, "lines with white space at the end",
            repair="trailing-space"),
)  # fmt: skip

# Two ways to write one thing: name, what, both patterns, and what makes them one.
MIXED: tuple[tuple[str, str, str, str, Advice], ...] = (
    ("quotes", "curly and straight quotation marks mixed", "[“”„‟]", '"', {"repair": "quotes"}),
    ("apostrophes", "curly and straight apostrophes mixed", r"(?<=[^\W\d_])’(?=[^\W\d_])",
     r"(?<=[^\W\d_])'(?=[^\W\d_])", {"repair": "quotes"}),
    ("long-dashes", "long dashes written as — and --", "—", r"(?<![-\n])--(?!-)",
     {"hint": "to make them one", "command": "sed -E 's/([^-])--([^-]|$)/\\1—\\2/g'"}),
)  # fmt: skip


def _patterns(text: Text) -> Iterator[Finding]:
    for name, pattern, what, hint, command, mend, of_code in PATTERNS:
        level: Level = "note" if of_code and text.form == "code" else "fault"
        places = _matches(pattern, text.judged)
        yield from text.found(name, what, places, level, hint=hint, command=command, repair=mend)


def _mixed(text: Text) -> Iterator[Finding]:
    if text.judged.isascii() or text.form == "code":
        return
    # What was decoded wrongly may contain such marks.
    judged = repair.MOJIBAKE.sub(lambda found: "?" * len(found[0]), text.judged)
    for name, what, one, other, advice in MIXED:
        fewer = min(_matches(one, judged), _matches(other, judged), key=len)
        yield from text.found(name, what, fewer, **advice)


def _size(text: Text) -> Iterator[Finding]:
    size, distinct = len(text.judged), set(text.judged)
    if not text.lines:
        what = "nothing but white space" if size else "the text is empty"
        yield Finding("empty", "fault", what, size, hint="is it the right file?")
    elif len(distinct) == 1:
        yield Finding("one-character", "fault", "one character, again and again", size)
    elif size < LITTLE_TEXT:
        hint = f"{LITTLE_TEXT:,} is the minimum, 20,000 a start, 200,000 plenty"
        yield Finding("too-small", "fault", f"only {size:,} characters", size, hint=hint)


def _form(text: Text) -> Iterator[Finding]:
    if text.form in OF_LINES:
        what = f"a {text.form} of {len(text.lines):,} lines: each can be an example of its own"
        yield Finding(text.form, "note", what, len(text.lines), hint="train with --lines")


def _line_ends(text: Text) -> Iterator[Finding]:
    names = {"\r\n": "CR LF", "\r": "CR alone (old Mac)", "\v": "vertical tabs"}
    for file, raw in text.files:
        if counts := Counter(repair.LINE_END.findall(raw)):
            kinds = [f"{n:,} {names.get(end, 'separators (U+2028)')}" for end, n in counts.items()]
            message = f"line ends other than LF: {', '.join(kinds)}"
            line = repair.LINE_END.split(raw, 1)[0].count("\n") + 1
            yield Finding("line-ends", "fault", message, counts.total(), file, line,
                          repair="line-ends")  # fmt: skip


def _normal_form(text: Text) -> Iterator[Finding]:
    if not unicodedata.is_normalized("NFC", text.judged):
        lines = _matches(".+", text.judged)
        places = [entry for entry in lines if not unicodedata.is_normalized("NFC", entry[1])]
        what = "lines with decomposed characters (é as e and an accent)"
        yield from text.found("normal-form", what, places, repair="normal-form")


def _gutenberg(text: Text) -> Iterator[Finding]:
    what = "Project Gutenberg's header and license"
    yield from text.found("gutenberg", what, text.boilerplate, repair="gutenberg")
    if not text.boilerplate:
        hint = "not near the beginning or the end: remove it by hand"
        yield from text.found("gutenberg", what, _matches(repair.MARKER, text.judged), hint=hint)


# A line that is a number; a number in dashes or brackets, or after "page", needs no more evidence.
_PAGE = re.compile(
    r"^[ \t]*(?:((?:page|p\.|seite|[-–—\[]) ?\d{1,4} ?(?:[-–—\]]|of \d+)?)|\d{1,4})[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


def _page_numbers(text: Text) -> Iterator[Finding]:
    """Find numbers that rise and interrupt sentences."""
    found = [] if text.form in OF_LINES else list(_PAGE.finditer(text.judged))
    numbers = [int(re.findall(r"\d+", page[0])[0]) for page in found]
    rising = sum(0 < b - a <= 5 for a, b in pairwise(numbers))
    sure = sum(
        page[1] is not None
        or text.judged[max(page.start() - 200, 0) : page.start()].rstrip()[-1:] not in SENTENCE_ENDS
        for page in found
    )
    if len(found) >= 3 and rising >= 0.7 * (len(found) - 1) and sure >= 0.5 * len(found):
        command = (
            r"grep -vE '^[[:blank:]]*((page|p\.|[-–—[]) ?)?[0-9]{1,4} ?([]–—-]|of [0-9]+)?"
            r"[[:blank:]]*$'"
        )
        places = [(page.start(), page[0]) for page in found]
        yield from text.found(
            "page-numbers", "page numbers", places, hint="to leave out such lines", command=command
        )


def _hyphenation(text: Text) -> Iterator[Finding]:
    """Find words divided at line ends, but for those that have a hyphen elsewhere too."""
    word = r"[^\W\d_]{2,40}"
    compounds = {word for _, word in _matches(rf"\b{word}-{word}", text.judged)}
    places = [
        (at, found.replace("\n", " ")) for at, found in _matches(rf"\b{word}-\n{word}", text.judged)
        if found.replace("\n", "") not in compounds
    ]  # fmt: skip
    if len(places) >= 3 and len(places) > 0.01 * len(text.lines):
        command = r"perl -CSD -0pe 's/(\p{L}{2})-\n(?=\p{Ll}{2})/$1/g'"
        yield from text.found("hyphenation", "words divided at line ends", places,
                              hint="to join them", command=command)  # fmt: skip


def _copies(text: Text) -> Iterator[Finding]:
    """Find lines of a list that occur twice, long ones of prose, and texts of copies only."""
    different, count = len(set(text.lines)), len(text.lines)
    few = has_mostly_copies(text.judged)
    least = 1 if few or text.form == "list" else LONG_LINE
    seen: Counter[str] = Counter()
    copies = []
    for at, line in _matches(r"\S.*", text.judged):
        entry = line.rstrip()
        if len(entry) >= least:
            copies += [(at, entry)] if entry in seen else []
            seen[entry] += 1
    share = sum(len(line) for _, line in copies) / max(len(text.judged), 1)
    many = share >= 0.02 or max(seen.values(), default=0) >= 5
    if not (few or text.form == "list" or (many and text.form in {"prose", "verse"})):
        return
    what = f"only {different:,} of {count:,} lines are different; copies" if few else (
        "copies of earlier lines, which measure nothing when held out")  # fmt: skip
    keep = "NF == 0" if least == 1 else f"length($0) < {least}"
    yield from text.found("duplicate-lines", what, copies, hint="to leave one of each",
                          command=f"awk '{keep} || !seen[$0]++'")  # fmt: skip


def _wrapped(text: Text) -> Iterator[Finding]:
    """Find prose broken where the next word would not fit, most of it inside sentences."""
    lines = [line.strip() for line in text.judged[:LOOKED_AT].split("\n")]
    width = sorted(map(len, lines))[int(0.98 * (len(lines) - 1))]
    pairs = [(a, b) for a, b in pairwise(lines) if a and b]
    inside = sum(
        a[-1] not in SENTENCE_ENDS and b[:1].islower() and len(a) + len(b.split()[0]) > 0.9 * width
        for a, b in pairs
    )
    if text.form == "prose" and 40 <= width <= 120 and inside > max(0.4 * len(pairs), 5):
        message = f"prose broken into lines of up to {width} characters: it will write such lines"
        yield Finding("wrapped", "note", message, len(pairs),
                      hint="to make each paragraph a line", command="fmt -w 2500")  # fmt: skip


CHECKS = (
    _size, _form, _line_ends, _normal_form, _patterns, _mixed, _gutenberg, _page_numbers,
    _hyphenation, _copies, _wrapped,
)  # fmt: skip


def check(text: Text) -> list[Finding]:
    """Return what is wrong with a text, and then what is worth knowing."""
    found = [finding for look in CHECKS for finding in look(text)]
    return sorted(found, key=lambda finding: finding.level != "fault")
