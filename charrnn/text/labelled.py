"""Labeled texts from files and standard input: training data for a classifier."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from charrnn.config import Normalization
from charrnn.errors import ConfigError, CorpusError
from charrnn.text.reading import STDIN, Reader, normalized

if TYPE_CHECKING:
    import _csv

JSONL_SUFFIXES = {".jsonl", ".ndjson", ".json"}
LABEL, TEXT = "label", "text"
LONGEST_LABEL = 200
LONGEST_FIELD = 1 << 30
MOST_COLUMNS = 9  # most digits of a column number


@dataclass(frozen=True)
class Labelled:
    """Labeled texts; see ``read_labelled``.

    texts, labels   as many of one as of the other
    sha256          hash of the bytes that they were read from, in hexadecimal
    lines           the line of its file that each text stands in, from 1; empty if not from a file
    sources         where they were read from, as paths; "-" is standard input
    """

    texts: list[str]
    labels: list[str]
    sha256: str
    lines: Sequence[int] = ()
    sources: tuple[str, ...] = ()


class Columns(NamedTuple):
    """The columns of label and text: names, or numbers from 1; None: the format's default."""

    label: str | None = None
    text: str | None = None


class _Row(NamedTuple):
    line: int
    label: str
    text: str


def read_labelled(
    sources: Sequence[str],
    *,
    encoding: str = "utf-8",
    normalize: Normalization = "none",
    columns: Columns | None = None,
) -> Labelled:
    """Read labeled texts from files, or from standard input for ``-``.

        *.jsonl, *.ndjson    one JSON object per line, with "label" and "text"
        *.csv                comma-separated values with a header row
        all others           label TAB text, one per line; with a header row if ``columns`` has a
                             name, or if the first line is "label" TAB "text"

    Standard input that begins with { is read as JSON Lines; with a comma-separated header row it is
    read as CSV. Raises CorpusError with file and line for malformed input, and ConfigError for
    missing columns.
    """
    reader, columns = Reader(encoding), columns or Columns()
    texts, labels, numbers = [], [], []
    for source in sources:
        content = "".join(reader.pieces(source))
        for row in _rows(source, content, columns):
            if fault := _fault(row):
                raise CorpusError(f"{source}: line {row.line}: {fault}", hint="mend it, or drop it")
            # After parsing: NFKC turns a full-width comma in a text into a plain one.
            texts.append(normalized(row.text, normalize))
            labels.append(row.label)
            numbers.append(row.line)
    if not texts:
        raise CorpusError(
            f"{', '.join(sources)}: no labeled texts", hint="one per line: label, TAB, text"
        )
    return Labelled(texts, labels, reader.sha256.hexdigest(), numbers, tuple(sources))


def _fault(row: _Row) -> str | None:
    """Return why a row cannot be used, or None."""
    if not row.label:
        return "the label is empty"
    if len(row.label) > LONGEST_LABEL:
        return f"a label of {len(row.label):,} characters; is it the text?"
    if any("\ud800" <= character <= "\udfff" for character in row.label + row.text):
        return "it holds a lone surrogate, which is no character"
    return None


def _rows(source: str, content: str, columns: Columns) -> Iterator[_Row]:
    csv.field_size_limit(LONGEST_FIELD)
    suffix = PurePath(source).suffix.lower()
    if suffix in JSONL_SUFFIXES or (source == STDIN and content.startswith("{")):
        return _json_rows(source, content, columns)
    named = Columns(columns.label or LABEL, columns.text or TEXT)
    if suffix == ".csv" or (source == STDIN and _is_csv(content, named)):
        lines = csv.reader(io.StringIO(content, newline=""))
        return _column_rows(source, lines, named, header=True)
    if columns == Columns():
        return _plain_rows(source, content)
    # A tab-separated file has no quoting: quotation marks are part of the text.
    lines = csv.reader(io.StringIO(content, newline="\n"), delimiter="\t", quoting=csv.QUOTE_NONE)
    given = Columns(columns.label or "1", columns.text or "2")
    return _column_rows(source, lines, given, header=not all(map(_is_number, given)))


def _is_csv(content: str, columns: Columns) -> bool:
    """Return True if the first line is a comma-separated header with these column names."""
    first = content.partition("\n")[0].removesuffix("\r")
    names = next(csv.reader([first]), [])
    return "\t" not in first and all(column in names for column in columns)


def _plain_rows(source: str, content: str) -> Iterator[_Row]:
    for number, line in enumerate(content.split("\n"), 1):
        row = line.removesuffix("\r")
        if not row or (number == 1 and row.lower() == f"{LABEL}\t{TEXT}"):
            continue
        label, tab, text = row.partition("\t")
        if not tab:
            raise CorpusError(
                f"{source}: line {number}: there is no TAB between a label and a text",
                hint="one per line: label, TAB, text; or a .csv or .jsonl file",
            )
        yield _Row(number, label, text)


def _json_rows(source: str, content: str, columns: Columns) -> Iterator[_Row]:
    names = columns.label or LABEL, columns.text or TEXT
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise CorpusError(f"{source}: line {number}: not a JSON object") from None
        values = [entry.get(name) for name in names] if isinstance(entry, dict) else [None, None]
        label = values[0]
        if isinstance(label, (bool, int, float)):
            label = json.dumps(label)
        if not isinstance(label, str) or not isinstance(values[1], str):
            raise CorpusError(
                f"{source}: line {number}: not an object with {names[0]!r} and {names[1]!r}",
                hint="--label-column and --text-column name others",
            )
        yield _Row(number, label, values[1])


def _column_rows(
    source: str, lines: "_csv.Reader", columns: Columns, *, header: bool
) -> Iterator[_Row]:
    places: list[int] | None = None
    if not header:
        places = [int(column or 0) - 1 for column in columns]
        if min(places) < 0:
            raise ConfigError("columns are counted from 1")
        _require_two(places)
    try:
        for row in lines:
            if not row:
                continue
            if places is None:
                places = [_place(source, row, column or "") for column in columns]
                _require_two(places)
                continue
            if len(row) <= max(places):
                raise CorpusError(
                    f"{source}: line {lines.line_num}: {len(row)} column(s), not {max(places) + 1}"
                )
            yield _Row(lines.line_num, row[places[0]], row[places[1]])
    except csv.Error as error:
        raise CorpusError(f"{source}: line {lines.line_num}: {error}") from error


def _place(source: str, names: list[str], column: str) -> int:
    if column in names:
        return names.index(column)
    if _is_number(column) and 0 < int(column) <= len(names):
        return int(column) - 1
    raise ConfigError(
        f"{source}: no column {column!r} among {', '.join(map(repr, names))}",
        hint="the first row names the columns; --label-column and --text-column choose, by name or "
        "number",
    )


def _is_number(column: str | None) -> bool:
    return bool(column) and len(column or "") <= MOST_COLUMNS and (column or "").isdecimal()


def _require_two(places: list[int]) -> None:
    if places[0] == places[1]:
        raise ConfigError(
            f"label and text are the same column, {places[0] + 1}",
            hint="--label-column and --text-column choose two",
        )
