"""What sort of text it is: JSON Lines, a log, a table, a list, code or prose."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Literal

# A place in a text: its offset, and what is there.
Place = tuple[int, str]
Find = Callable[[str], Iterable[Place]]
Form = Literal["records", "log", "table", "list", "code", "prose"]
# Forms of which each line can be an example of its own.
OF_LINES = ("log", "table", "list")
SENTENCE_ENDS = frozenset(".,;:!?…\"'”’»-—–。，、！？」؟।")

# Characters read to tell the form, the fewest lines of a list or table, and the share that decides.
PROBE_CHARS, _MIN_LINES, _MOSTLY = 100_000, 20, 0.95
_LOG_LINE = re.compile(
    r"[\[(<]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d"
    r"| *\d+\.\d{6}|\d{6} \d{6})"
    r"|.{0,40}?(?:\d\d?:\d\d:\d\d|\b(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\w*\b)"
)
# What separates the columns of a table: marks, equally often in each line, or tabs.
_SEPARATORS, _INNER_TAB = (r"\|", r"[;,](?! )"), re.compile(r"\S.*\t")
# What a line that separates pieces consists of, such as the % of fortunes; the fewest pieces, and
# the most characters of nearly all.
_MARK_LINE = re.compile(r"^(?:(%|~|\$|@|&)\1*|(=|-|\*|\+|_|#)\2+)$", re.MULTILINE)
_MIN_PIECES, _MAX_PIECE = 20, 2000
# The longest entry of a list, in characters, unless it has no spaces or is not prose.
_MAX_ENTRY = 120
_NO_WORD = re.compile(r"[\d@#$%&*+/<=>\\^_|~\[\]{}]")
_SPOKEN = re.compile(r"[^\s:]+(?: [^\s:]+)?: ")
# An arrow may be that of subtitles.
_CODE, _MUCH_CODE = re.compile(r"=+|_+|[{}\[\];<\\]|(?<!--)>"), 0.012
_JSON_LINE = re.compile(r"\s*[\"\[\]{}]")


def form_of(text: str) -> Form:
    """Return what sort of text it is, from its beginning."""
    if find_field(text):
        return "records"
    text = text[:PROBE_CHARS]
    if not re.search(r".\n.", text):  # lines are double-spaced
        text = re.sub("\n+", "\n", text)
    every = text.strip("\n").split("\n")
    lines = [it.rstrip() for it in every if it.strip() and not _MARK_LINE.match(it)]
    if len(lines) >= _MIN_LINES and len(lines) >= _MOSTLY * len(every):
        columns = any(_have_one_count(lines, mark) for mark in _SEPARATORS)
        if columns or _most(lines, _INNER_TAB.match):
            return "table"
        if _most(lines, _LOG_LINE.match, 0.8):
            return "log"
        if _is_list(lines):
            return "list"
    is_json = text.lstrip()[:1] in {"[", "{"} and _most(lines, _JSON_LINE.match)
    is_code = is_json or len(_CODE.findall(text)) > max(_MUCH_CODE * len(text), 9)
    return "code" if is_code else "prose"


def find_field(text: str) -> str | None:
    """Return the field that has most of the text, if it is JSON Lines, from its beginning."""
    sizes = Counter[str]()
    lines = text[:PROBE_CHARS].strip("\n").split("\n")[:_MIN_LINES]
    for line in filter(str.strip, lines[:-1] or lines):  # the last may be cut
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(record, dict):
            return None
        sizes.update({name: len(text_of(value)) for name, value in record.items()})
    return max(sizes, key=sizes.__getitem__) if any(sizes.values()) else None


def text_of(value: object) -> str:
    """Return the text of a field: itself, or the lines of a list; empty for anything else."""
    items = value if isinstance(value, list) else [value]
    lines = [item for item in items if isinstance(item, str)]
    return "\n".join(lines) if len(lines) == len(items) else ""


def has_mostly_copies(text: str) -> bool:
    """Return whether at most half of a hundred lines or more are different."""
    lines = re.findall(r"^[^\w\n]*(\w.*)", text, re.MULTILINE)
    return len(lines) >= 100 and len(set(lines)) <= len(lines) / 2 and form_of(text) != "code"


def find_wraps(text: str) -> list[Place]:
    """Return where prose is broken because the next word would not fit into the line."""
    lines = text.split("\n")
    width = sorted(map(len, lines[:2000]))[int(0.98 * (min(len(lines), 2000) - 1))]
    if not 40 <= width <= 120:
        return []
    found: list[Place] = []
    at, inside, pairs = -1, 0, 0
    for line, following in pairwise(lines):
        at += len(line) + 1
        if line and following[:1].strip():
            pairs += 1
            if len(line) + len(following.split(None, 1)[0]) > 0.9 * width:
                found.append((at, "\n"))
                inside += line[-1] not in SENTENCE_ENDS and following[0].islower()
    return found if inside > max(0.4 * pairs, 5) else []


def _most(lines: Sequence[str], test: Callable[[str], object], share: float = _MOSTLY) -> bool:
    return sum(map(bool, map(test, lines))) >= share * len(lines)


def _have_one_count(lines: Sequence[str], pattern: str) -> bool:
    """Return whether a pattern occurs equally often, and twice at least, in most lines."""
    counts = Counter(len(re.findall(pattern, line)) for line in lines)
    count, times = counts.most_common(1)[0]
    return count >= 2 and times >= _MOSTLY * len(lines)


def _is_list(lines: Sequence[str]) -> bool:
    """Return whether lines are entries: without spaces, of one shape, or no sentences."""
    if _most(lines, re.compile(r"[^\s。，、！？」]+$").match, 0.8):
        return True
    if _most(lines, _SPOKEN.match, 0.8) or not _most(lines, re.compile(r"\S").match):
        return False
    words = " ".join(lines).split()
    if _most(words, _NO_WORD.search, 0.5):
        return True
    sentences = sum(line[-1] in SENTENCE_ENDS for line in lines)
    is_short = _most(lines, lambda line: len(line) <= _MAX_ENTRY)
    return is_short and sentences <= 0.1 * len(lines) and not find_wraps("\n".join(lines))


def find_separator(text: str) -> str | None:
    """Return what is between the short pieces of a text, from its beginning: marks or blank lines.

    None for prose, plays and code, whose paragraphs are not pieces, and where each line is one.
    """
    text = text[:PROBE_CHARS].strip("\n")
    if form_of(text) in OF_LINES:
        return None
    if "\n" not in text and not re.search(r"[.!?]", text):
        return next((it for it in ("; ", ", ") if are_short(text.split(it)[:-1], _MAX_ENTRY)), None)
    marks = Counter(found[0] for found in _MARK_LINE.finditer(text))
    for mark, _ in marks.most_common(1):
        pieces = text.split(f"\n{mark}\n")
        # Text above and a blank line below is how titles are underlined.
        titles = sum(a[-1:] != "\n" and b[:1] == "\n" for a, b in pairwise(pieces))
        if are_short(pieces[:-1]) and titles < 0.5 * len(pieces):
            return f"\n{mark}\n"
    pieces = re.split("\n{2,}", text)[:-1]  # the last may be cut
    if not are_short(pieces) or not _most(pieces, lambda piece: "\n" in piece, 0.75):
        return None
    lines = text.split("\n")
    is_code = _most(lines, lambda line: line[:1].isspace(), 0.3)
    is_play = _most(pieces, re.compile(r".+:\n").match, 0.3)
    return None if is_code or is_play or find_wraps(text) else "\n\n"


def are_short(pieces: Sequence[str], length: int = _MAX_PIECE) -> bool:
    """Return whether there are many texts, and nearly all are this short."""
    return len(pieces) >= _MIN_PIECES and _most(pieces, lambda it: len(it) <= length)
