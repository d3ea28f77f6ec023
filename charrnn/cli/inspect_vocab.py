"""``charrnn inspect-vocab``: the characters that a model or a text knows."""

import unicodedata
from typing import TYPE_CHECKING, Any, Literal

import typer

from charrnn.cli.console import console
from charrnn.cli.options import checkpoint_argument, exclusive, flag, option, requires
from charrnn.cli.texts import newest_checkpoint, read_stdin_once
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
    from charrnn.checkpoint.bases import resolve_path
    from charrnn.checkpoint.checkpoint import is_checkpoint
    from charrnn.models import Model
    from charrnn.text.corpus import read_corpus

    path = str(newest_checkpoint()) if source is None else source
    ids: Ids | None = None
    if is_checkpoint(resolve_path(path)):
        vocabulary = Model.load(path).vocabulary
    else:
        read_stdin_once(path)
        corpus = read_corpus([path], encoding=encoding)
        vocabulary, ids = corpus.vocabulary, corpus.ids
    described: dict[str, Any] = {"source": path}
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
    columns = [name.replace("_", " ") for name in records[0]]
    console.table(columns, [[*map(show, record.values())] for record in records], tsv=tsv)


def describe_characters(vocabulary: "Vocabulary", *, one_hot: bool) -> list[dict[str, Any]]:
    """Return a record of each character."""
    counts, total = vocabulary.counts.tolist(), max(int(vocabulary.counts.sum()), 1)
    records = []
    for number, char in enumerate(vocabulary.characters):
        record = {
            "id": number,
            "char": char,
            "code_point": f"U+{ord(char):04X}",
            "name": unicodedata.name(char, CONTROL_NAMES.get(char, "(no name)")),
            "count": counts[number],
            "share": counts[number] / total,
        }
        if one_hot:
            record["one_hot"] = [int(number == other) for other in range(len(vocabulary))]
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
    inputs, targets = (
        map(vocabulary.decode, part[:count]) for part in sliding_windows(ids, seq_length, stride)
    )
    return [
        {"window": number, "input": window, "target": following[-1:], "targets": following}
        for number, (window, following) in enumerate(zip(inputs, targets, strict=True))
    ]


def show(value: object) -> str:
    """Return a value of a record as a cell of the table."""
    from charrnn.text.vocabulary import escape

    if isinstance(value, float):
        return f"{value:.2%}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    if not isinstance(value, str):
        return str(value)
    if len(value) == 1 and unicodedata.category(value)[0] == "M":
        return value.encode("unicode_escape").decode()  # it would combine with what is before
    return escape(value)
