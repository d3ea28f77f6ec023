"""From a text to its pieces: cut at a separator, a file each, or a field of each record."""

import csv
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import chain

from charrnn.config import FILE, DataConfig
from charrnn.errors import CorpusError
from charrnn.text.form import find_delimiter, text_of
from charrnn.text.reading import Reader, normalized
from charrnn.text.vocabulary import escape

# The most characters of a piece: a separator that does not occur makes a piece of all the text.
MAX_PIECE = 1 << 22

# Records of a table that are scored or learned together.
RECORDS_AT_ONCE = 256

_RECORDS = "--field takes JSON Lines, or a table in a .csv or .tsv file"
_QUOTES = 'is a quotation mark open? A field with quotes or delimiters is written "a ""b"", c"'
_TO_JSON_LINES = "make JSON Lines of it: jq -c {} {} > records.jsonl"


def read_pieces(
    source: str, data: DataConfig, *, encoding: str = "utf-8", replace: bool = False
) -> Iterator[list[str]]:
    """Yield the pieces of a file, or of standard input for ``-``, as they arrive: all available.

    replace   bytes that are not valid are read as U+FFFD

    Raises CorpusError and ConfigError like ``read_text``, after the last piece before the error.
    """
    reader = Reader(
        encoding, data.normalize, lines=True, prompt=True, errors="replace" if replace else "strict"
    )
    return cut_text(reader.blocks(source), data, source)


def cut_text(blocks: Iterable[str], data: DataConfig, source: str = "") -> Iterator[list[str]]:
    r"""Yield the pieces of a text, as blocks of it complete them.

    blocks   of the text, with \n at the end of each line
    data     separator or field
    source   path of the file, which tells tables from JSON Lines

    Lines are given as they are, empty ones too; a record without a text is an empty piece. Of other
    pieces, line breaks at both ends are left out, and so are empty pieces. Raises CorpusError for a
    text that cannot be cut so.
    """
    if data.field is not None:
        is_table = re.search(r"\.[ct]sv(?:\.gz|\.xz)?$", source.lower())
        read = _read_table if is_table else _read_json
        records = read(cut_blocks(blocks, "\n"), source, data.field)
        return (
            [normalized(text, data.normalize).strip("\n") for text in texts] for texts in records
        )
    if data.separator == "\n":
        return cut_blocks(blocks, "\n")
    whole = (["".join(it)] for it in [blocks])
    found = whole if data.separator == FILE else cut_blocks(blocks, data.separator or "\n")
    return ([bare for text in texts if (bare := text.strip("\n"))] for texts in found)


def mark_ends(pieces: Iterable[list[str]], end: str) -> Iterator[str]:
    """Yield pieces as one text, each with its END. Raises CorpusError for one that has an END."""
    for texts in pieces:
        text = "".join(f"{text}{end}" for text in texts)
        if text.count(end) > len(texts):
            message = f"the text has the character U+{ord(end):04X}, with which pieces are to end"
            raise CorpusError(message, hint=f"remove it: tr -d '\\{ord(end):03o}'")
        yield text


def cut_blocks(blocks: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Yield what is between separators, as blocks of the text complete it."""
    mark = separator.strip("\n")
    before, after = separator.split(mark) if mark else ("", "")
    # Line breaks around a mark may be those of the separator before or after it too.
    pattern = re.compile(f"(?<={before}){re.escape(mark or separator)}(?={after})")
    begun = before  # so that a separator may be all of the first line
    for block in chain(blocks, [after]):
        *texts, begun = pattern.split(begun + block)
        yield texts
        if len(begun) > MAX_PIECE:
            message = f"there are {MAX_PIECE:,} characters without '{escape(separator)}'"
            raise CorpusError(message, hint="leave the option out to read the text as a whole")
    if begun:
        yield [begun]


def _read_table(blocks: Iterable[list[str]], source: str, field: str) -> Iterator[list[str]]:
    """Yield the texts of a column, as lines of a table arrive; empty where a row has none."""
    lines = (f"{line}\n" for line in chain.from_iterable(blocks))
    header = next(lines, "")
    csv.field_size_limit(MAX_PIECE)
    rows = csv.reader(chain([header], lines), delimiter=find_delimiter(header), strict=True)
    texts: list[str] = []
    line, fault = 1, ""
    try:
        names = [name.strip() for name in next(rows, [])]
        if header and names.count(field) != 1:
            message = f"{source}: there is {'more than one' if field in names else 'no'} column"
            hint = f"there are: {', '.join(names)}"
            raise CorpusError(f"{message} {field!r}", hint=hint)
        line = rows.line_num + 1
        for row in rows:
            if any(row[len(names) :]):
                fault = f"{len(row)} fields, but there are {len(names)} columns"
                break
            if row:
                texts.append(dict(zip(names, row, strict=False)).get(field, ""))
            if len(texts) == RECORDS_AT_ONCE:
                yield texts
                texts = []
            line = rows.line_num + 1
    except csv.Error as error:
        fault = str(error)
    yield texts
    if fault:
        raise CorpusError(f"{source}: the record in line {line}: {fault}", hint=_QUOTES)


def _read_json(blocks: Iterable[list[str]], source: str, field: str) -> Iterator[list[str]]:
    """Yield the texts of a field, as lines with objects arrive; empty where an object has none."""
    number, names, has_text = 0, set[str](), False
    for block in blocks:
        texts = []
        for line in block:
            number += 1
            if not line.strip():
                continue
            try:
                record = json.loads(line.lstrip("\ufeff\x1e"))  # of files joined; of RFC 7464
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                query = {"[": "'.[]'", "{": "."}.get(line.lstrip()[0])
                hint = _TO_JSON_LINES.format(query, shlex.quote(source)) if query else _RECORDS
                raise CorpusError(f"{source}: line {number} is not a JSON object", hint=hint)
            names |= record.keys()
            text = text_of(record.get(field))
            texts.append(text.replace("\r\n", "\n").replace("\r", "\n"))
            if re.search("[\ud800-\udfff]", texts[-1]):
                raise CorpusError(f"{source}: line {number}: the text has half a character")
        has_text = has_text or any(texts)
        yield texts
    if not has_text:
        missing = "has no text" if field in names else "is in no record"
        hint = f"there are: {', '.join(sorted(names))}"
        raise CorpusError(f"{source}: the field {field!r} {missing}", hint=hint)
