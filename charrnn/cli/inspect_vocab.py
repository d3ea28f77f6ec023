"""``charrnn inspect-vocab``: the characters that a model or a text knows."""

import unicodedata
from typing import TYPE_CHECKING, Any, Literal

import typer

from charrnn.cli.console import console
from charrnn.cli.console import count as count_of
from charrnn.cli.options import checkpoint_argument, exclusive, flag, option, requires
from charrnn.cli.texts import newest_checkpoint
from charrnn.config import DataConfig
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.text.vocabulary import Ids, Vocabulary

# Unicode gives control characters no name of their own.
CONTROL_NAMES = {"\t": "CHARACTER TABULATION", "\n": "LINE FEED", "\r": "CARRIAGE RETURN"}


def inspect_vocab(
    context: typer.Context,
    *,
    source: str | None = checkpoint_argument("SOURCE", "A checkpoint, a text, or - for stdin."),
    sort: Literal["id", "count"] = option("Order of the table.", default="id"),
    one_hot: bool = flag("Show the one-hot vector of each character.", None, "--one-hot"),
    windows: int | None = option("Show the first N training windows of a text.", min=1),
    seq_length: int = option("Characters per window.", default=DataConfig().seq_length, min=1),
    stride: int = option("Distance between windows.", default=1, min=1),
    encoding: str = option("Encoding of a text.", default="utf-8", metavar="NAME"),
    json: bool = flag("One JSON object.", None, "--json"),
    tsv: bool = flag("Tab-separated, as in a pipe.", None, "--tsv"),
) -> None:
    """Show the vocabulary: id, character, code point, name, count and share of each.

    charrnn inspect-vocab
    charrnn inspect-vocab corpus.txt --sort count
    charrnn inspect-vocab corpus.txt --windows 5 --seq-length 8
    """
    for pair in (("--json", "--tsv"), ("--windows", "--one-hot"), ("--windows", "--sort")):
        exclusive(context, *pair)
    requires(context, "--windows", "--seq-length", "--stride")
    vocabulary, ids, name = read(source, encoding)
    described: dict[str, Any] = {"source": name}
    if windows is not None:
        records = describe_windows(vocabulary, ids, windows, seq_length, stride)
        described["windows"] = records
    else:
        records = describe_characters(vocabulary, one_hot=one_hot)
        if sort == "count":
            records.sort(key=lambda record: -record["count"])
        total = int(vocabulary.counts.sum())
        described |= {"size": len(vocabulary), "chars": total, "characters": records}
    if json:
        console.write_json(described)
        return
    rows = [[show(name, value) for name, value in record.items()] for record in records]
    columns = [name.replace("_", " ") for name in records[0]] if records else []
    size = count_of(len(rows), "character" if windows is None else "window")
    console.table(columns, rows, title=f"{name}: {size}", tsv=tsv)


def read(source: str | None, encoding: str) -> "tuple[Vocabulary, Ids | None, str]":
    """Return a vocabulary, the ids of its text if the source is one, and what it is called."""
    from charrnn.checkpoint.bases import resolve_path
    from charrnn.checkpoint.checkpoint import is_checkpoint
    from charrnn.models import load
    from charrnn.text.corpus import read_corpus

    path = str(newest_checkpoint()) if source is None else source
    name = path.encode(errors="backslashreplace").decode()
    if is_checkpoint(resolve_path(path)):
        return load(path).vocabulary, None, name
    corpus = read_corpus([path], encoding=encoding)
    return corpus.vocabulary, corpus.ids, name


def describe_characters(vocabulary: "Vocabulary", *, one_hot: bool) -> list[dict[str, Any]]:
    """Return a record of each character."""
    import numpy as np

    total = max(int(vocabulary.counts.sum()), 1)
    records: list[dict[str, Any]] = []
    counted = zip(vocabulary.characters, vocabulary.counts.tolist(), strict=True)
    for i, (char, count) in enumerate(counted):
        record = {
            "id": i,
            "char": char,
            "code_point": f"U+{ord(char):04X}",
            "name": unicodedata.name(char, CONTROL_NAMES.get(char, "(no name)")),
            "count": count,
            "share": count / total,
        }
        if one_hot:
            record["one_hot"] = vocabulary.one_hot(np.array(i)).astype(int).tolist()
        records.append(record)
    return records


def describe_windows(
    vocabulary: "Vocabulary", ids: "Ids | None", count: int, seq_length: int, stride: int
) -> list[dict[str, Any]]:
    """Return a record of each of the first windows of a text."""
    from charrnn.text.windows import sliding_windows

    if ids is None:
        raise ConfigError(
            "a checkpoint holds no text to cut into windows", hint="name the text instead"
        )
    decode, (inputs, targets) = vocabulary.decode, sliding_windows(ids, seq_length, stride)
    pairs = zip(map(decode, inputs[:count]), map(decode, targets[:count]), strict=True)
    return [
        {"window": number, "input": window, "target": following[-1:], "targets": following}
        for number, (window, following) in enumerate(pairs)
    ]


def show(name: str, value: object) -> str:
    """Return a value of a record as a cell of the table."""
    from charrnn.text.vocabulary import escape

    if name == "share":
        return f"{value:.2%}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    if not isinstance(value, str) or name == "name":  # which has no character of the text
        return str(value)
    if name == "char" and unicodedata.category(value)[0] == "M":
        return value.encode("unicode_escape").decode()  # it would combine with what is before
    return escape(value)
