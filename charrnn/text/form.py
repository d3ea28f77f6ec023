"""What sort of text it is, and of what pieces: told by plain rules, from its beginning."""

import csv
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

# A part of a text: where it begins, and what it is.
Span = tuple[int, str]
Form = Literal["records", "log", "table", "list", "code", "prose"]
SENTENCE_ENDS = frozenset(".,;:!?…\"'”’»-—–。，、！？」؟।")

# Characters read to tell the form; the fewest lines of a list or pieces of a text; the share that
# decides; the most characters of nearly all pieces.
PROBE_CHARS, MIN_PARTS, MOSTLY, MAX_PIECE = 100_000, 20, 0.95, 2000
_LOG_LINE = re.compile(r".{0,40}?(?:\d\d:\d\d:\d\d|\b(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\w*\b)")
_SPOKEN = re.compile(r"[^\s:]+(?: [^\s:]+)?: ")
# A line that separates pieces, such as the % of fortunes; = underlines titles.
_MARK_LINE = re.compile(r"^(?:[%~$@&]+|-{2,}|\*{2,}|\+{2,}|_{2,}|#{2,})$", re.MULTILINE)
# An arrow may be that of subtitles.
_CODE, _MUCH_CODE = re.compile(r"=+|_+|[{}\[\];<\\]|(?<!--)>"), 0.012


def form_of(text: str) -> Form:
    """Return what sort of text it is."""
    if find_field(text):
        return "records"
    text = text[:PROBE_CHARS]
    every = text.strip("\n").split("\n")
    lines = [it.rstrip() for it in every if it.strip() and not _MARK_LINE.match(it)]
    if len(lines) >= max(MIN_PARTS, MOSTLY * len(every)):
        if _is_table(lines):
            return "table"
        if _most(lines, _LOG_LINE.match, 0.8):
            return "log"
        if _is_list(lines):
            return "list"
    return "code" if len(_CODE.findall(text)) > max(_MUCH_CODE * len(text), 9) else "prose"


def _is_table(lines: Sequence[str]) -> bool:
    """Return whether most lines have tabs inside, or one number of marks, two at least."""
    for mark in (r"\|", r"[;,](?! )"):
        [(number, times)] = Counter(len(re.findall(mark, it)) for it in lines).most_common(1)
        if number >= 2 and times >= MOSTLY * len(lines):
            return True
    return _most(lines, re.compile(r"\S.*\t").match)


def _is_list(lines: Sequence[str]) -> bool:
    """Return whether most lines are entries: without spaces; or no sentences and no speeches."""
    if _most(lines, re.compile(r"[^\s。，、！？」]+$").match, 0.8):
        return True
    if _most(lines, _SPOKEN.match, 0.8) or not _most(lines, re.compile(r"\S").match):
        return False
    sentences = sum(line[-1] in SENTENCE_ENDS for line in lines)
    return sentences <= 0.1 * len(lines) and not find_wraps("\n".join(lines))


def _most(lines: Sequence[str], test: Callable[[str], object], share: float = MOSTLY) -> bool:
    return sum(map(bool, map(test, lines))) >= share * len(lines)


def find_field(text: str) -> str | None:
    """Return the field that has most of the text.

    None if it is neither JSON Lines nor a table with line breaks inside fields.
    """
    sizes = Counter[str]()
    for record in _read_objects(text[:PROBE_CHARS]) or _read_rows(text[:PROBE_CHARS]):
        sizes.update({name: len(text_of(value)) for name, value in record.items()})
    return max(sizes, key=sizes.__getitem__) if any(sizes.values()) else None


def _read_objects(text: str) -> list[dict[str, object]]:
    """Return the first objects of JSON Lines; nothing for another text."""
    lines = text.strip("\n").split("\n")[:MIN_PARTS]
    whole = lines[:-1] or lines  # the last may be cut
    try:
        objects = [json.loads(line) for line in whole if line.strip()]
    except (ValueError, RecursionError):
        return []
    return objects if all(isinstance(it, dict) for it in objects) else []


def _read_rows(text: str) -> list[dict[str, str]]:
    """Return the rows of a table that has line breaks inside fields; nothing for another text."""
    lines = [f"{line}\n" for line in text.strip("\n").split("\n")]
    try:
        names, *rows = csv.reader(lines, delimiter=find_delimiter(lines[0]))
    except (ValueError, csv.Error):
        return []
    rows = [row for row in rows if row][:-1]  # the last may be cut
    is_table = len(rows) >= MIN_PARTS and all(len(row) == len(names) >= 2 for row in rows)
    has_breaks = any("\n" in field for row in rows for field in row)
    return [dict(zip(names, row, strict=True)) for row in rows] if is_table and has_breaks else []


def find_delimiter(header: str) -> str:
    """Return what separates the columns of a table, which its first line tells."""
    return max(",\t;|", key=re.sub(r'"[^"]*"', "", header).count)


def text_of(value: object) -> str:
    """Return the text of a field: itself, or the lines of a list; empty for anything else."""
    items = value if isinstance(value, list) else [value]
    lines = [item for item in items if isinstance(item, str)]
    return "\n".join(lines) if len(lines) == len(items) else ""


def has_mostly_copies(text: str, end: str) -> bool:
    """Return whether at most half of a hundred lines, or pieces, or more are different."""
    pieces = [piece for piece in text.split(end) if re.search(r"\w", piece)]
    return len(pieces) >= 100 and len(set(pieces)) <= len(pieces) / 2 and form_of(text) != "code"


def find_wraps(text: str) -> list[Span]:
    """Return where prose is broken because the next word would not fit into the line."""
    lines = text.split("\n")
    width = sorted(map(len, lines[:2000]))[int(0.98 * (min(len(lines), 2000) - 1))]
    if not 40 <= width <= 120:
        return []
    found: list[Span] = []
    at, inside, pairs = -1, 0, 0
    for line, following in pairwise(lines):
        at += len(line) + 1
        if line and following[:1].strip():
            pairs += 1
            if len(line) + len(following.split(None, 1)[0]) > 0.9 * width:
                found.append((at, "\n"))
                inside += line[-1] not in SENTENCE_ENDS and following[0].islower()
    return found if inside > max(0.4 * pairs, 5) else []


def find_separator(text: str, least: int = MIN_PARTS) -> str | None:
    """Return what is between the short pieces of a text: lines of a mark, or blank lines.

    None for fewer pieces, and for prose, plays and code, whose paragraphs are not pieces.
    """
    text = text[:PROBE_CHARS].strip("\n")
    for mark, _ in Counter(found[0] for found in _MARK_LINE.finditer(text)).most_common(1):
        if are_short(text.split(f"\n{mark}\n")[:-1], least):
            return f"\n{mark}\n"
    pieces = re.split("\n{2,}", text)[:-1]  # the last may be cut
    if not are_short(pieces, least) or not _most(pieces, lambda piece: "\n" in piece, 0.75):
        return None
    is_code = _most(text.split("\n"), lambda line: line[:1].isspace(), 0.3)
    is_play = _most(pieces, re.compile(r".+:\n").match, 0.3)
    return None if is_code or is_play or find_wraps(text) else "\n\n"


def are_short(pieces: Sequence[str], least: int = MIN_PARTS) -> bool:
    """Return whether there are many texts, and nearly all are short."""
    return len(pieces) >= least and _most(pieces, lambda it: len(it) <= MAX_PIECE)


def suggest_pieces(text: str) -> tuple[str, str] | None:
    """Return what a text looks like, and the options of ``train`` that learn each piece of it."""
    if field := find_field(text):
        looks = "JSON Lines" if text.lstrip()[:1] == "{" else "a table with line breaks in fields"
        return looks, f"--field {shlex.quote(field)}"
    if (form := form_of(text)) in {"log", "table", "list"}:
        return f"a {form}", "--lines"
    if separator := find_separator(text):
        between = separator.strip("\n") or "blank lines"
        option = f"--separator {shlex.quote(separator.encode('unicode_escape').decode())}"
        return f"many short pieces between {between}", option
    return None
