"""What sort of text it is: a log, a table, a list, code, verse or prose."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

Form = Literal["log", "table", "list", "code", "verse", "prose"]
# Forms of which each line can be an example of its own.
OF_LINES = ("log", "table", "list")
SENTENCE_ENDS = frozenset(".,;:!?…\"'”’»)-—。，！？{}[]")

# Characters looked at; lines of any of the forms; the share of lines that decides.
LOOKED_AT, _MIN_LINES, _MOSTLY = 100_000, 20, 0.95
_LOG_LINE = re.compile(
    r"[\[(<]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d|\d\d?:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d"
    r"|\d{9,}\.\d|\d+\.\d+\.\d+\.\d+ |(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\w*\b)"
)
# An entry of a list is shorter.
_LIST_LINE = 200
# What separates the columns of a table, and how often at least.
_SEPARATORS = ((re.compile(r"\t"), 1), (re.compile(r"\|"), 2), (re.compile(r"[;,](?! )"), 2))
_CODE, _MUCH_CODE = re.compile(r"[{}()\[\]=;_<>\\]"), 0.025


def form_of(text: str) -> Form:
    """Return what sort of text it is, from its beginning."""
    text = text[:LOOKED_AT]
    every = text.rstrip("\n").split("\n")
    lines = [line.rstrip() for line in every if line.strip()]
    if len(lines) >= _MIN_LINES and len(lines) >= _MOSTLY * len(every):
        if _share(_LOG_LINE.match(line) is not None for line in lines) > _MOSTLY - 0.15:
            return "log"
        columns = [
            _one_count([len(mark.findall(line)) for line in lines], least)
            for mark, least in _SEPARATORS
        ]
        if any(columns):
            return "table"
        if _is_list(lines):
            return "list"
    if len(_CODE.findall(text)) > _MUCH_CODE * len(text):
        return "code"
    short = _share(len(line) <= 75 for line in lines) >= _MOSTLY
    capitals = _share(line.lstrip(" '\"“‘«(—-")[:1].isupper() for line in lines)
    return "verse" if len(lines) >= 8 and short and capitals >= 0.75 else "prose"


def has_mostly_copies(text: str) -> bool:
    """Return whether at most half of a hundred lines or more are different."""
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    return len(lines) >= 100 and len(set(lines)) <= len(lines) / 2 and form_of(text) != "code"


def _share(tests: Iterable[bool]) -> float:
    results = list(tests)
    return sum(results) / max(len(results), 1)


def _one_count(counts: Sequence[int], least: int) -> bool:
    """Return whether nearly all counts are the same, and large enough."""
    most, times = Counter(counts).most_common(1)[0]
    return most >= least and times >= _MOSTLY * len(counts)


def _is_list(lines: Sequence[str]) -> bool:
    """Return whether lines are entries: words, of one shape, or short and no sentences."""
    if _share(len(line) <= _LIST_LINE for line in lines) < _MOSTLY:
        return False
    entries = [line for line in lines if " " not in line.strip()]
    alphabetic = _share(line.isascii() or line[-1] not in SENTENCE_ENDS for line in entries)
    if len(entries) >= 0.9 * len(lines) and alphabetic >= 0.9:
        return True
    ends = _share(line[-1] in SENTENCE_ENDS for line in lines)
    short = _share(len(line) <= 50 for line in lines) >= _MOSTLY
    return ends <= 1 - _MOSTLY and (short or _one_count([len(line.split()) for line in lines], 2))
