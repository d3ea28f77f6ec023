"""Scores of lines as they are written: which, in which order, as JSON Lines or TSV."""

import math
from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from itertools import chain
from typing import Any

from charrnn.cli.console import console, to_json
from charrnn.config import DataConfig, UnknownCharacters
from charrnn.errors import ConfigError
from charrnn.models import Model
from charrnn.parallel.machine import available_cores
from charrnn.scoring.line_scorer import LineScore, LineScorer
from charrnn.text.cut import read_pieces
from charrnn.text.vocabulary import escape

# float32 sums are exact to about this many decimals.
DECIMALS = 6

# The scores of a line, by name.
Record = dict[str, Any]


def score_lines(
    file: str, encoding: str, models: dict[str, Model], unknown: UnknownCharacters
) -> tuple[str, Iterator[list[Record]]]:
    """Return "line" or "piece", and a record of each, in blocks as they arrive.

    Where all models are of the same pieces, these are scored, not lines.
    """
    data = [model.config.data for model in models.values()]
    cuts = {(it.separator, it.field) for it in data if it.end is not None}
    separator, field = cuts.pop() if len(cuts) == 1 else ("\n", None)
    cut = DataConfig(separator=separator, field=field)
    scorer = LineScorer([model.line_model for model in models.values()], unknown)
    read = read_pieces(file, cut, encoding=encoding, replace=unknown != "error")

    def records() -> Iterator[list[Record]]:
        number, has_warned = 1, False
        for block in scorer.score_blocks(read, available_cores()):
            found = [
                to_record(at, list(models), it, cut.piece) for at, it in enumerate(block, number)
            ]
            lost = next((it for it in found if "\ufffd" in it["text"]), None)
            if lost and not has_warned:
                what = f"{cut.piece} {lost[cut.piece]:,} has bytes that are not {encoding}, or lost"
                console.note(f"{what} characters: read as U+FFFD")
                has_warned = True
            yield found
            number += len(block)

    return cut.piece, records()


def to_record(number: int, names: Sequence[str], scores: Sequence[LineScore], piece: str) -> Record:
    """Return the record of a line under the model for which it is likeliest.

    number   of the line, from 1
    names    of the models
    scores   of the line under each
    piece    what a line is called
    """
    score = min(scores, key=lambda score: score.nats)
    compared: Record = {}
    if len(names) > 1:
        best, second = sorted(score.nats for score in scores)[:2]
        compared = {
            "model": names[scores.index(score)] if score.chars else None,
            "margin": round(second - best, DECIMALS),
            "models": {name: _nats(it) for name, it in zip(names, scores, strict=True)},
        }
    return {
        piece: number,
        "text": score.text,
        **compared,
        **_nats(score),
        "unknown": score.unknown,
        "surprise_char": score.surprise_char,
        "surprise_index": score.surprise_index,
        "surprise_nats": round(score.surprise_nats, DECIMALS),
    }


def _nats(score: LineScore) -> Record:
    per_char = (score.nats_per_char, score.bits_per_char) if score.chars else (None, None)
    nats, bits = (value and round(value, DECIMALS) for value in per_char)
    total = round(score.nats, DECIMALS)
    return {"nats": total, "chars": score.chars, "nats_per_char": nats, "bits_per_char": bits}


def keep_between(
    blocks: Iterable[list[Record]], threshold: float | None, at_most: float | None
) -> Iterator[list[Record]]:
    """Yield the lines with text whose bits per character are within these bounds; None: any."""
    low = 0.0 if threshold is None else threshold
    high = math.inf if at_most is None else at_most
    if not low <= high:  # also NaN
        raise ConfigError(f"no line has from --threshold {low:g} to --at-most {high:g} bits")
    for block in blocks:
        yield [line for line in block if low <= _bits(line) <= high]


def sort_lines(blocks: Iterable[list[Record]], top: int | None) -> Iterator[list[Record]]:
    """Yield the lines, those of most bits per character first, once all are read.

    top   maximum number of lines; None: all

    What was read before an error or Ctrl-C is not lost.
    """
    held = list[Record]()
    try:
        for block in blocks:
            held += block
            held = held if top is None else nlargest(top, held, key=_bits)
    finally:
        yield sorted(held, key=_bits, reverse=True)


def _bits(line: Record) -> float:
    """Return the bits per character of a line, -inf if it has no text."""
    return float(line["bits_per_char"]) if line["text"] and line["chars"] else -math.inf


def write_lines(
    blocks: Iterable[list[Record]], names: Sequence[str], piece: str, *, tsv: bool
) -> None:
    """Write lines as JSON objects, or as rows of a table with a header.

    names   of the models
    piece   what a line is called
    """
    if tsv:
        nothing = LineScore(0.0, 0, "", 0, "", 0, 0.0)
        console.write("\t".join(_flat(to_record(0, names, [nothing] * len(names), piece))) + "\n")
    for lines in blocks:
        rows = (("\t".join(map(_cell, _flat(it).values())) if tsv else to_json(it)) for it in lines)
        console.write("".join(f"{row}\n" for row in rows))


def show_lines(blocks: Iterable[list[Record]]) -> None:
    """Write lines for a reader: bits per character, and the least likely character marked."""
    from rich.text import Text

    console.write("  bits    line\n")
    for it in chain.from_iterable(blocks):
        text, at = it["text"], it["surprise_index"]
        bits = f"{it['bits_per_char']:6.2f}" if it["chars"] else " " * 6
        number = next(iter(it.values()))
        row = Text(f"{bits} {number:7}  ").append(f"{it['model']}  " if "model" in it else "")
        row.append(escape(text[:at])).append(escape(text[at : at + 1]) or "↵", "reverse")
        console.print(row.append(escape(text[at + 1 :])), soft_wrap=True)


def _flat(record: Record, prefix: str = "") -> Record:
    """Return a record with the objects in it as columns: models.fr.nats."""
    flat: Record = {}
    for name, value in record.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return flat


def _cell(value: object) -> str:
    return escape(value) if isinstance(value, str) else "" if value is None else str(value)
