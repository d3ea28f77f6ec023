"""``charrnn inspect-vocab``: the characters that a model or a text knows."""

import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import completions
from charrnn.cli.console import console
from charrnn.cli.console import count as count_of
from charrnn.cli.options import exclusive, newest_checkpoint, requires
from charrnn.config import DataConfig
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.text.vocabulary import Ids, Vocabulary

# Unicode gives control characters no name of their own.
_CONTROL_NAMES = {
    "\0": "NULL",
    "\t": "CHARACTER TABULATION",
    "\n": "LINE FEED",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
}


def inspect_vocab(
    context: typer.Context,
    *,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            autocompletion=completions.models,
            help="A checkpoint, a text, or - for a text on stdin. [default: newest in "
            "./checkpoints]",
        ),
    ] = None,
    sort: Annotated[Literal["id", "count"], typer.Option(help="Order of the table.")] = "id",
    one_hot: Annotated[
        bool, typer.Option("--one-hot", help="Show the one-hot vector of each character.")
    ] = False,
    windows: Annotated[
        int | None,
        typer.Option(min=1, help="Show the first N training windows of a text."),
    ] = None,
    seq_length: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Characters per window. [default: {DataConfig().seq_length}]",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Distance between windows. [default: 1]",
        ),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of a text.")] = "utf-8",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Tab-separated, as in a pipe.")] = False,
) -> None:
    """Show the vocabulary: id, character, code point, name, count and share of each.

    charrnn inspect-vocab
    charrnn inspect-vocab corpus.txt --sort count
    charrnn inspect-vocab corpus.txt --windows 5 --seq-length 8
    """
    exclusive(context, "--json", "--tsv")
    exclusive(context, "--windows", "--one-hot")
    exclusive(context, "--windows", "--sort")
    requires(context, "--windows", "--seq-length", "--stride")
    vocabulary, ids, name = _read(source, encoding)
    if windows is not None:
        records = _windows(
            vocabulary, ids, windows, seq_length or DataConfig().seq_length, stride or 1
        )
        _print({"source": name, "windows": records}, "windows", as_json=as_json, tsv=tsv)
        return
    records = _characters(vocabulary, one_hot=one_hot)
    if sort == "count":
        records.sort(key=lambda record: -record["count"])
    total = int(vocabulary.counts.sum())
    described = {"source": name, "size": len(vocabulary), "chars": total, "characters": records}
    _print(described, "characters", as_json=as_json, tsv=tsv)


def _read(source: str | None, encoding: str) -> "tuple[Vocabulary, Ids | None, str]":
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


def _characters(vocabulary: "Vocabulary", *, one_hot: bool) -> list[dict[str, Any]]:
    import numpy as np

    total = max(int(vocabulary.counts.sum()), 1)
    records: list[dict[str, Any]] = []
    for i, (char, count) in enumerate(
        zip(vocabulary.characters, vocabulary.counts.tolist(), strict=True)
    ):
        record = {
            "id": i,
            "char": char,
            "code_point": f"U+{ord(char):04X}",
            "name": unicodedata.name(char, _CONTROL_NAMES.get(char, "(no name)")),
            "count": count,
            "share": count / total,
        }
        if one_hot:
            record["one_hot"] = vocabulary.one_hot(np.array(i)).astype(int).tolist()
        records.append(record)
    return records


def _windows(
    vocabulary: "Vocabulary", ids: "Ids | None", count: int, seq_length: int, stride: int
) -> list[dict[str, Any]]:
    from charrnn.text.windows import sliding_windows

    if ids is None:
        raise ConfigError(
            "a checkpoint holds no text to cut into windows", hint="name the text instead"
        )
    inputs, targets = sliding_windows(ids, seq_length, stride)
    return [
        {
            "window": number,
            "input": vocabulary.decode(window),
            "target": vocabulary.decode(following[-1:]),
            "targets": vocabulary.decode(following),
        }
        for number, (window, following) in enumerate(
            zip(inputs[:count], targets[:count], strict=True)
        )
    ]


def _print(described: dict[str, Any], key: str, *, as_json: bool, tsv: bool) -> None:
    if as_json:
        console.write_json(described)
        return
    records = described[key]
    rows = [[_cell(name, value) for name, value in record.items()] for record in records]
    columns = [name.replace("_", " ") for name in records[0]] if records else []
    if tsv:
        console.write("".join("\t".join(row) + "\n" for row in (columns, *rows)))
        return
    size = count_of(len(rows), "window" if key == "windows" else "character")
    console.table(columns, rows, title=f"{described['source']}: {size}")


def _cell(name: str, value: object) -> str:
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
