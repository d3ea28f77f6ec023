"""The likelihood of each line, or piece, under a language model, on its own.

A line starts from a zero state. The model reads a line break and the line, and predicts the line
and a line break: so the end of the line counts, and so does every character. A model of pieces has
its own END for the line break. A model whose vocabulary has no line break starts with ``start_ids``
instead and predicts no end.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charrnn.config import Normalization, UnknownCharacters
from charrnn.errors import VocabularyError
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.parallel.processes import map_in_processes
from charrnn.scoring.likelihood import Score, score_sequences
from charrnn.text.reading import normalized
from charrnn.text.vocabulary import Vocabulary, encode_known, start_ids

# The characters after which a block of lines is scored.
BLOCK_CHARS = 1 << 15
# The characters after which further processes are started: less is done before they could help.
WORKERS_AFTER = 4 * BLOCK_CHARS

# The characters that a model is taken to have read if it does not say, as an imported one.
ASSUMED_READ = 1_000_000


@dataclass(frozen=True)
class LineScore(Score):
    """The likelihood of one line under a language model; see ``Model.score_lines``.

    nats             -log p of the line and its end together, in nats
    chars            number of characters scored, the end of the line included
    text             the line
    unknown          number of its characters that the model does not know
    surprise_char    its least likely character; a line break, or END, for its end; "" if nothing
                     was scored
    surprise_index   index of that character in the line; the length of the line for its end
    surprise_nats    -log p of that character, in nats
    """

    text: str
    unknown: int
    surprise_char: str
    surprise_index: int
    surprise_nats: float


# The scores of one line, of each model.
LineScores = tuple[LineScore, ...]


class LineModel(NamedTuple):
    """A model of lines.

    network      predicts the next character
    vocabulary   its characters, with their counts in the text it was trained on
    normalize    Unicode normalization of the lines
    end          character before and after each line
    """

    network: AnyLanguageModel
    vocabulary: Vocabulary
    normalize: Normalization = "none"
    end: str = "\n"


class LineScorer:
    """Scores lines under one or several models, by rules that are fair to all.

    models    the models
    unknown   what to do with unknown characters: "error" refuses the line, "skip" leaves them out,
              "charge" leaves them out of what a model reads but charges for each

    An unknown character is charged the most that Laplace's rule gives for one of the models: one
    that was not among N has the probability 1 / (N + V + 1). A character that no model knows costs
    all the same, and one that some do not know costs those more than nearly all known ones. What is
    skipped is skipped for all, and an end is scored only if all models know it.
    """

    def __init__(self, models: Sequence[LineModel], unknown: UnknownCharacters = "error") -> None:
        self.models, self.unknown = models, unknown
        known = [model.vocabulary for model in models]
        read = [int(each.counts.sum()) or ASSUMED_READ for each in known]
        sizes = [count + len(each) + 1 for count, each in zip(read, known, strict=True)]
        self.charge = math.log(max(sizes))
        self._scores_end = all(model.end in model.vocabulary for model in models)
        characters = [frozenset(each.characters) for each in known]
        some, all_of_them = frozenset.union(*characters), frozenset.intersection(*characters)
        self._skipped = some - all_of_them if unknown == "skip" else frozenset()

    def score(self, lines: Sequence[str]) -> list[LineScores]:
        """Return the scores of each line, in order; see ``Model.score_lines``.

        Does not refuse unknown characters. Raises TrainingError if the outputs of a model are not
        finite.
        """
        distinct = list(dict.fromkeys(lines))  # logs repeat lines
        scores = zip(*(self._score(model, distinct) for model in self.models), strict=True)
        found = dict(zip(distinct, scores, strict=True))
        return [found[line] for line in lines]

    def _score(self, model: LineModel, lines: list[str]) -> Iterator[LineScore]:
        vocabulary, end = model.vocabulary, model.end
        start = end if end in vocabulary else vocabulary.decode(start_ids(vocabulary))
        fitted = [normalized(line, model.normalize) for line in lines]
        # All lines as one text, with a start before each and behind the last: (N,)
        ids = encode_known(start + "".join(line + start for line in fitted), vocabulary)
        lengths = np.fromiter(map(len, fitted), np.int64, len(fitted))
        begins = np.cumsum(lengths + 1) - lengths - 1
        is_read = np.array([char not in self._skipped for char in vocabulary.characters] + [False])
        is_known = is_read[ids]
        is_known[begins] = is_known[-1] = True
        # Where the characters are that the model reads, and of these the starts.
        known, missing = np.flatnonzero(is_known), np.flatnonzero(~is_known)
        starts = np.searchsorted(known, begins)
        steps = np.diff(starts, append=len(known) - 1) - 1 + self._scores_end
        # -log p of each line, of its least likely character, and where that is among those read
        nats, worst, where = np.zeros(len(steps)), np.zeros(len(steps)), np.zeros_like(steps)
        for it in score_sequences(model.network, ids[known], starts, steps):
            nats[it.rows] += it.nats.sum(axis=0, dtype=np.float64)
            largest = it.nats.max(axis=0)
            worse = largest > worst[it.rows]
            worst[it.rows[worse]] = largest[worse]
            where[it.rows[worse]] = it.begin + it.nats.argmax(axis=0)[worse]
        at = np.where(steps > 0, known[starts + 1 + where] - begins - 1, 0)
        first = np.searchsorted(missing, begins)
        unknown = np.diff(first, append=len(missing))
        if self.unknown == "charge":
            nats, steps = nats + unknown * self.charge, steps + unknown
            costly = (unknown > 0) & (worst < self.charge)
            worst[costly] = self.charge
            at[costly] = missing[first[costly]] - begins[costly] - 1
        columns = (column.tolist() for column in (nats, steps, unknown, at, worst))
        for line, text, *(total, chars, odd, index, most) in zip(
            lines, fitted, *columns, strict=True
        ):
            char = text[index : index + 1] or end if chars else ""
            yield LineScore(total, chars, line, odd, char, index, most)

    def score_blocks(
        self, blocks: Iterable[Iterable[str]], workers: int = 1
    ) -> Iterator[list[LineScores]]:
        """Yield the scores of the lines of each block, in parts if it is long.

        workers   processes to score in, once the input has turned out to be long

        Raises VocabularyError that names the line, counted from 1, after the scores of the lines
        before it. Raises TrainingError if the outputs of a model are not finite, WorkerLostError if
        a process dies.
        """
        number, chars, count = 1, 0, 1
        with ExitStack() as stack:
            score_parts = stack.enter_context(map_in_processes(self.score, 1))
            for lines in (part for block in blocks for part in in_parts(block)):
                parts = list(score_parts(lines[at::count] for at in range(count)))
                scores = [parts[at % count][at // count] for at in range(len(lines))]
                for at, each in enumerate(scores):
                    if self.unknown == "error" and any(score.unknown for score in each):
                        yield scores[:at]
                        self._refuse(lines[at], number + at)
                yield scores
                number += len(lines)
                chars += sum(map(len, lines))
                if chars >= WORKERS_AFTER and count < workers:
                    count = workers
                    score_parts = stack.enter_context(map_in_processes(self.score, count))

    def _refuse(self, line: str, number: int) -> None:
        """Raise VocabularyError for the unknown characters of a line."""
        try:
            for model in self.models:
                model.vocabulary.encode(normalized(line, model.normalize))
        except VocabularyError as error:
            raise VocabularyError(
                f"line {number}: {error}",
                hint="'--unknown charge' scores such lines as very unlikely, '--unknown skip' "
                "leaves the characters out",
            ) from None


def in_parts(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines in parts of about BLOCK_CHARS characters, at least a line each."""
    part: list[str] = []
    chars = 0
    for line in lines:
        part.append(line)
        chars += len(line) + 1
        if chars >= BLOCK_CHARS:
            yield part
            part, chars = [], 0
    if part:
        yield part
