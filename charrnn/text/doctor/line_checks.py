"""Checks of lines: how they end, how long they are, and which stand there twice."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding, Place
from charrnn.text.doctor.wording import first, lot, search, shown, total
from charrnn.text.lines import SENTENCE_ENDS

# From which length on a line is too long for an editor, and for a window by far.
VERY_LONG = 10_000
# From which length on a line of a list is an accident.
LONG_IN_A_LIST = 256
# Lines of prose or code that stand there twice by chance are shorter; and paragraphs.
LONG_ENOUGH, PARAGRAPH = 60, 200
# The share of a text that repeated lines may have, if none stands there SO_OFTEN.
FEW, SO_OFTEN = 0.02, 5
# Hyphens at line ends: so many, and in this share of lines.
HYPHENS, HYPHENATED = 3, 0.01
# Prose broken into lines: their length; the share of lines that have another below them, and of
# those the share that go on in it.
SHORTEST_WRAPPED, LONGEST_WRAPPED, MANY_PAIRS, GOES_ON = 40, 120, 0.25, 0.5
SORTED = 0.95

_TRAILING = re.compile(r"[ \t]+(?=\r?\n)")
_COMPOUND = re.compile(r"([^\W\d_]{2,})-([^\W\d_]{2,})")
_HYPHEN = re.compile(r"([^\W\d_]{2,})-[ \t]*\r?\n[ \t]*([^\W\d_A-ZÀ-Þ]{2,})")


def line_ends(text: Examined) -> Iterator[Finding]:
    """Find line ends other than one line feed: the model learns every carriage return."""
    cr, lf = text.counts.get("\r", 0), text.counts.get("\n", 0)
    kinds = {"CR LF": text.crlf, "CR alone (old Mac)": cr - text.crlf, "LF": lf - text.crlf}
    kinds |= {
        "line separators (U+2028)": total(text, "\u2028\u2029"),
        "vertical tabs": text.counts.get("\v", 0),
    }
    found = {name: count for name, count in kinds.items() if count}
    if found.keys() <= {"LF"}:
        return
    mixed = "mixed line ends" if len(found) > 1 else "line ends"
    counts = ", ".join(f"{count:,} {name}" for name, count in found.items())
    others = sum(found.values()) - found.get("LF", 0)
    place = first(text, "\r\v\u2028\u2029")
    yield Finding("line-ends", "fault", f"{mixed}: {counts}", "", others, place, repair="line-ends")


def trailing_space(text: Examined) -> Iterator[Finding]:
    """Find white space that nobody sees."""
    if found := search(text, _TRAILING):
        message = f"{lot(found.times, 'line')} with white space at the end"
        count, place, _ = found
        yield Finding("trailing-space", "fault", message, "", count, place, repair="trailing-space")


def indentation(text: Examined) -> Iterator[Finding]:
    """Find lines that begin with tabs where others begin with spaces."""
    if "\t" not in text.counts:
        return
    tabs, spaces, place = 0, 0, None
    for passage in text.passages:
        tabs += len(re.findall(r"^ *\t", passage.text, re.MULTILINE))
        spaces += len(re.findall(r"^ {2,}(?=\S)", passage.text, re.MULTILINE))
        if place is None and (match := re.search(r"^ *\t", passage.text, re.MULTILINE)):
            place = passage.place(match.start())
    if tabs and spaces:
        yield Finding(
            "indentation",
            "fault",
            f"tabs and spaces mixed: at the beginning of {lot(tabs, 'line')} and {spaces:,}",
            "expand turns tabs into spaces",
            min(tabs, spaces),
            place,
        )


def long_lines(text: Examined) -> Iterator[Finding]:
    """Find lines longer than a text for readers has; or an entry of a list."""
    limit = LONG_IN_A_LIST if text.kind == "list" else VERY_LONG
    count, longest, place = 0, 0, None
    for passage in text.passages:
        lengths = [len(line) for line in re.split("\r\n|\r|\n", passage.text)]
        for number, length in enumerate(lengths):
            if length > limit:
                count, longest = count + 1, max(longest, length)
                place = place or Place(passage.source, passage.line + number)
    if count:
        yield Finding(
            "long-lines",
            "fault" if text.kind == "list" else "note",
            f"{lot(count, 'line')} of more than {limit:,} characters, the longest {longest:,}",
            "is it text? fold -s breaks it into lines"
            if text.kind != "list"
            else "break or remove them",
            count,
            place,
        )


def repetitions(text: Examined) -> Iterator[Finding]:
    """Find paragraphs that stand there twice; where there are none, lines."""
    found = [*_repeated_paragraphs(text)]
    yield from found or _duplicate_lines(text)


def _duplicate_lines(text: Examined) -> Iterator[Finding]:
    """Find lines that stand there twice: of a list any, of other texts long ones."""
    least = 1 if text.kind == "list" else LONG_ENOUGH
    lines = [
        line.strip() for passage in text.passages for line in passage.text.split("\n")
        if len(line) >= least
    ]  # fmt: skip
    counts = Counter(line for line in lines if len(line) >= least)
    twice = {line: count for line, count in counts.items() if count > 1}
    copies = sum(count - 1 for count in twice.values())
    chars = sum((count - 1) * len(line) for line, count in twice.items())
    if not twice:
        return
    few = chars < FEW * text.looked_at and max(twice.values()) < SO_OFTEN
    if text.kind != "list" and (few or text.kind == "code"):
        return
    place, example = _second_place(text, twice, least)
    known = "a held-out copy is known already" if text.kind == "list" else "the model repeats them"
    yield Finding(
        "duplicate-lines",
        "fault",
        f"{lot(copies, 'line')} {'is a copy' if copies == 1 else 'are copies'} of an earlier one "
        f"({chars / max(text.looked_at, 1):.1%} of the text); {known}",
        "awk '!seen[$0]++' leaves one of each",
        copies,
        place,
        shown(example),
    )


def _repeated_paragraphs(text: Examined) -> Iterator[Finding]:
    """Find paragraphs that stand there twice."""
    seen: set[int] = set()
    count, place, example = 0, None, ""
    for passage in text.passages:
        offset = 0
        for part in re.split(r"(\n[ \t\r]*\n)", passage.text):
            paragraph = " ".join(part.split()) if len(part) >= PARAGRAPH else ""
            if len(paragraph) >= PARAGRAPH:
                if hash(paragraph) in seen:
                    count += 1
                    if place is None:
                        place, example = passage.place(offset), shown(paragraph)
                seen.add(hash(paragraph))
            offset += len(part)
    if count:
        yield Finding(
            "repeated-paragraphs",
            "fault",
            f"{lot(count, 'paragraph')} {'repeats' if count == 1 else 'repeat'} an earlier one",
            "was a file added twice?",
            count,
            place,
            example,
        )


def hyphenation(text: Examined) -> Iterator[Finding]:
    """Find words divided at line ends, but for those that have a hyphen elsewhere too."""
    if "-" not in text.counts:
        return
    divided = [
        (passage.place(match.start()), match[1], match[2])
        for passage in text.passages for match in _HYPHEN.finditer(passage.text)
    ]  # fmt: skip
    if len(divided) < HYPHENS:
        return
    compounds = {match for passage in text.passages for match in _COMPOUND.findall(passage.text)}
    divided = [entry for entry in divided if entry[1:] not in compounds]
    lines = sum(passage.text.count("\n") for passage in text.passages) or 1
    if len(divided) >= HYPHENS and len(divided) > HYPHENATED * lines:
        place, before, after = divided[0]
        yield Finding(
            "hyphenation",
            "fault",
            f"{lot(len(divided), 'word')} divided at line ends",
            r"join them: perl -0pe 's/-\n(?=[a-z])//g'",
            len(divided),
            place,
            f"{before}- {after}",
        )


def wrapped(text: Examined) -> Iterator[Finding]:
    """Find prose that is broken into lines: the model learns where lines break."""
    if text.kind != "prose" or not text.passages:
        return
    lines = [line.rstrip() for line in text.passages[0].text[: VERY_LONG * 10].split("\n")]
    pairs = [(a, b) for a, b in pairwise(lines) if a and b]
    inside = [a for a, b in pairs if a[-1] not in SENTENCE_ENDS and b.lstrip()[:1].islower()]
    longest = sorted(map(len, lines))[int(0.98 * (len(lines) - 1))]
    many = len(pairs) > MANY_PAIRS * len(lines) and len(inside) > GOES_ON * len(pairs)
    if many and SHORTEST_WRAPPED <= longest <= LONGEST_WRAPPED:
        yield Finding(
            "wrapped",
            "note",
            f"prose broken into lines of up to {longest} characters: it will write such lines",
            "fmt -w 2500 makes each paragraph a line",
        )


def sorted_list(text: Examined) -> Iterator[Finding]:
    """Find a list in alphabetical order, whose end is not like its beginning."""
    if text.kind != "list" or not text.passages:
        return
    lines = [line for line in text.passages[0].text.casefold().split("\n") if line]
    in_order = sum(a <= b for a, b in pairwise(lines))
    if in_order >= SORTED * (len(lines) - 1):
        yield Finding(
            "sorted",
            "note",
            f"{in_order / max(len(lines) - 1, 1):.0%} of the lines in alphabetical order, which a "
            "model that reads on from line to line would learn",
            "with --lines the order does not matter",
        )


def list_of_lines(text: Examined) -> Iterator[Finding]:
    """Find a list, of which each line should be an example of its own."""
    if text.kind == "list":
        yield Finding(
            "list",
            "note",
            f"a list of {text.counts.get(chr(10), 0):,} lines: each can be an example of its own",
            "train with --lines",
            text.counts.get("\n", 0),
        )


def _second_place(text: Examined, twice: dict[str, int], least: int) -> tuple[Place | None, str]:
    """Return where the first line stands that stood there before, and the line."""
    seen: set[str] = set()
    for passage in text.passages:
        for number, line in enumerate(passage.text.split("\n")):
            stripped = line.strip()
            if len(line) >= least and stripped in twice:
                if stripped in seen:
                    return Place(passage.source, passage.line + number), stripped
                seen.add(stripped)
    return None, ""
