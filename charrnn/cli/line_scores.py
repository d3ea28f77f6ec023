"""Scores of lines as they are written: which, in which order, as JSON Lines or TSV."""

import heapq
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from charrnn.cli.console import console
from charrnn.errors import ConfigError
from charrnn.models import Model
from charrnn.parallel.launch import scoring_workers
from charrnn.scoring.line_scorer import (
    LineRules,
    LineScore,
    UnknownCharacters,
    score_blocks,
)
from charrnn.text.reading import read_lines
from charrnn.text.vocabulary import escape

# float32 sums are exact to about this many decimals.
DECIMALS = 6

# None, which has no bits per character, comes last.
_NOTHING = -math.inf


class Scored(NamedTuple):
    """A line of the input.

    number   from 1
    scores   one of each model
    best     index of the model under which it is likeliest
    """

    number: int
    scores: tuple[LineScore, ...]
    best: int

    @property
    def bits(self) -> float:
        """Bits per character under that model."""
        score = self.scores[self.best]
        return score.bits_per_char if score.chars else _NOTHING


@dataclass(frozen=True)
class Wanted:
    """Which lines to write, and how.

    sort                by bits per character, the most first
    top                 only so many lines, in that order; None: all
    at_least, at_most   only lines with so many bits per character; None: any
    tsv                 as tab-separated values with a header, not JSON Lines
    """

    sort: bool = False
    top: int | None = None
    at_least: float | None = None
    at_most: float | None = None
    tsv: bool = False

    def __post_init__(self) -> None:
        for option, bits in (("threshold", self.at_least), ("at-most", self.at_most)):
            if bits is not None and math.isnan(bits):
                raise ConfigError(f"{option} must be a number of bits per character, not {bits}")

    def keeps(self, line: Scored) -> bool:
        """Return True if a line is among those asked for."""
        if self.at_least is not None and not line.bits >= self.at_least:
            return False
        return self.at_most is None or _NOTHING < line.bits <= self.at_most

    def chosen(self, blocks: Iterable[list[Scored]]) -> Iterator[list[Scored]]:
        """Yield the lines to write, in their order, as soon as they are known."""
        kept = ([line for line in block if self.keeps(line)] for block in blocks)
        if not self.sort and self.top is None:
            yield from kept
            return
        lines = (line for block in kept for line in block)
        if self.top is None:
            yield sorted(lines, key=_surprise, reverse=True)
        else:
            yield heapq.nlargest(self.top, lines, key=_surprise)


def _surprise(line: Scored) -> float:
    return line.bits


def write_scores(
    file: str,
    encoding: str,
    models: Mapping[str, Model],
    unknown: UnknownCharacters | None,
    wanted: Wanted,
) -> None:
    """Score the lines of a file under models, and write what is wanted to stdout.

    models    by name
    unknown   what to do with unknown characters; None: "charge" if models are compared, or "error"
    """
    policy = unknown or ("charge" if len(models) > 1 else "error")
    rules = LineRules.of([model.vocabulary for model in models.values()], policy)
    scorers = [model.line_scorer(rules) for model in models.values()]
    read = read_lines(file, encoding=encoding)
    blocks = score_blocks(scorers, read, scoring_workers())
    render = _Renderer(tuple(models), tsv=wanted.tsv)
    console.write(render.header())
    for lines in wanted.chosen(_numbered(blocks)):
        if lines:
            console.write("".join(map(render.row, lines)))


def _numbered(blocks: Iterable[Sequence[tuple[LineScore, ...]]]) -> Iterator[list[Scored]]:
    number = 1
    for block in blocks:
        yield [
            Scored(at, scores, _likeliest(scores)) for at, scores in enumerate(block, start=number)
        ]
        number += len(block)


def _likeliest(scores: tuple[LineScore, ...]) -> int:
    return min(range(len(scores)), key=lambda at: scores[at].nats) if len(scores) > 1 else 0


class _Renderer:
    """Writes lines as JSON objects or as rows of a table.

    names   of the models
    tsv     if True, as a table
    """

    def __init__(self, names: tuple[str, ...], *, tsv: bool) -> None:
        self.names, self.tsv = names, tsv
        # json.dumps would make an encoder for each line, which takes longer than its work.
        self._encode = json.JSONEncoder(ensure_ascii=False).encode

    def header(self) -> str:
        """Return the row of names of a table; nothing before JSON."""
        if not self.tsv:
            return ""
        nothing = tuple(LineScore(0.0, 0, "", 0, "", 0, 0.0) for _ in self.names)
        return "\t".join(_flat(self.record(Scored(0, nothing, 0)))) + "\n"

    def row(self, line: Scored) -> str:
        """Return a line of output."""
        record = self.record(line)
        if not self.tsv:
            return self._encode(record) + "\n"
        return "\t".join(map(_cell, _flat(record).values())) + "\n"

    def record(self, line: Scored) -> dict[str, Any]:
        """Return what there is to say of a line."""
        score = line.scores[line.best]
        return {
            "line": line.number,
            "text": score.text,
            **(self._compared(line) if len(self.names) > 1 else {}),
            **_likelihood(score),
            "unknown": score.unknown,
            "surprise_char": score.surprise_char,
            "surprise_index": score.surprise_index,
            "surprise_nats": round(score.surprise_nats, DECIMALS),
        }

    def _compared(self, line: Scored) -> dict[str, Any]:
        best, second = sorted(score.nats for score in line.scores)[:2]
        pairs = zip(self.names, line.scores, strict=True)
        return {
            "model": self.names[line.best] if line.scores[0].chars else None,
            "margin": round(second - best, DECIMALS),
            "models": {name: _likelihood(score) for name, score in pairs},
        }


def _likelihood(score: LineScore) -> dict[str, Any]:
    chars = score.chars
    return {
        "nats": round(score.nats, DECIMALS),
        "chars": chars,
        "nats_per_char": round(score.nats_per_char, DECIMALS) if chars else None,
        "bits_per_char": round(score.bits_per_char, DECIMALS) if chars else None,
    }


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a record with the objects in it as columns: models.fr.nats."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        inner = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return flat


def _cell(value: object) -> str:
    if isinstance(value, str):
        return escape(value)
    return "" if value is None else str(value)
