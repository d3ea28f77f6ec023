"""The likelihood of each line, or piece, under a language model, on its own.

A line starts from a zero state. The model reads a line break and the line, and predicts the line
and a line break: so the end of the line counts, and so does every character. A model of pieces has
its own END for the line break. A model whose vocabulary has no line break starts with ``start_ids``
instead and predicts no end.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.config import Normalization
from charrnn.errors import VocabularyError
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.parallel.processes import map_in_processes
from charrnn.scoring.likelihood import Indices, score_sequences
from charrnn.scoring.scores import Score
from charrnn.text.reading import normalized
from charrnn.text.vocabulary import Ids, Vocabulary, encode_known, start_ids

UnknownCharacters = Literal["error", "skip", "charge"]

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
    nats_per_char    mean cross-entropy in nats per character; nan if nothing was scored
    bits_per_char    the same in bits
    perplexity       exp(nats_per_char)
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


@dataclass(frozen=True)
class LineRules:
    """How lines are scored: the same for all models that are compared.

    unknown   what to do with unknown characters: "error" refuses the line, "skip" leaves them out,
              "charge" leaves them out of what the model reads but charges for each
    charge    nats for each unknown character
    end       whether the end of the line is scored
    shared    the characters to count as known; None: all that a model knows
    """

    unknown: UnknownCharacters
    charge: float
    end: bool
    shared: frozenset[str] | None

    @classmethod
    def of(
        cls,
        vocabularies: Sequence[Vocabulary],
        unknown: UnknownCharacters = "error",
        ends: Iterable[str] | None = None,
    ) -> "LineRules":
        """Return rules that are fair to models with these vocabularies.

        ends   what ends a line for each of them; None: a line break

        The charge is the highest that Laplace's rule gives for one of them: a character that was
        not among N has the probability 1 / (N + V + 1). A character that no model knows costs all
        the same, and one that some do not know costs those more than nearly all known ones. What
        is skipped is skipped for all, and an end is scored only if all models know it.
        """
        read = [int(known.counts.sum()) or ASSUMED_READ for known in vocabularies]
        sizes = [count + len(known) + 1 for count, known in zip(read, vocabularies, strict=True)]
        shared = None
        if unknown == "skip":
            shared = frozenset.intersection(*(frozenset(known.index) for known in vocabularies))
        ends = repeat("\n") if ends is None else ends
        end = all(end in known for end, known in zip(ends, vocabularies, strict=False))
        return cls(unknown, math.log(max(sizes)), end, shared)


class LineScorer:
    """Scores lines under a language model.

    model        the language model
    vocabulary   its characters, with their counts in the text it was trained on
    rules        what to do with unknown characters and ends; None: "error"
    normalize    Unicode normalization of the lines
    end          character before and after each line
    """

    def __init__(
        self,
        model: AnyLanguageModel,
        vocabulary: Vocabulary,
        rules: LineRules | None = None,
        normalize: Normalization = "none",
        end: str = "\n",
    ) -> None:
        self.end = end
        self.model, self.vocabulary, self.normalize = model, vocabulary, normalize
        self.rules = rules or LineRules.of([vocabulary])
        self._start = end if end in vocabulary else vocabulary.decode(start_ids(vocabulary))
        shared = self.rules.shared
        known = [shared is None or char in shared for char in vocabulary.characters]
        self._known = np.array([*known, False])

    def score(self, lines: Sequence[str]) -> list[LineScore]:
        """Return the score of each line, in order; see ``Model.score_lines``.

        Does not refuse unknown characters. Raises TrainingError if the outputs of the model are not
        finite.
        """
        distinct = list(dict.fromkeys(lines))  # logs repeat lines
        scores = dict(zip(distinct, self._score(distinct), strict=True))
        return [scores[line] for line in lines]

    def _score(self, lines: list[str]) -> Iterator[LineScore]:
        fitted = [normalized(line, self.normalize) for line in lines]
        # All lines as one text, with a start before each and behind the last: (N,)
        ids = encode_known(
            self._start + "".join(line + self._start for line in fitted), self.vocabulary
        )
        lengths = np.fromiter(map(len, fitted), np.int64, len(fitted))
        begins = np.cumsum(lengths + 1) - lengths - 1
        is_known = self._known[ids]
        is_known[begins] = is_known[-1] = True
        # Where the characters are that the model reads, and of these the starts.
        known, missing = np.flatnonzero(is_known), np.flatnonzero(~is_known)
        starts = np.searchsorted(known, begins)
        steps = np.diff(starts, append=len(known) - 1) - 1 + self.rules.end
        nats, worst, where = self._sum(ids[known], starts, steps)
        at = np.where(steps > 0, known[starts + 1 + where] - begins - 1, 0)
        first = np.searchsorted(missing, begins)
        unknown = np.diff(first, append=len(missing))
        if self.rules.unknown == "charge":
            nats, steps = nats + unknown * self.rules.charge, steps + unknown
            costly = (unknown > 0) & (worst < self.rules.charge)
            worst[costly] = self.rules.charge
            at[costly] = missing[first[costly]] - begins[costly] - 1
        columns = (column.tolist() for column in (nats, steps, unknown, at, worst))
        for line, text, *(total, chars, odd, index, most) in zip(
            lines, fitted, *columns, strict=True
        ):
            char = text[index : index + 1] or self.end if chars else ""
            yield LineScore(total, chars, line, odd, char, index, most)

    def _sum(
        self, ids: Ids, starts: Indices, steps: Indices
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], Indices]:
        """Return -log p of each sequence, of its least likely character, and the step of that."""
        nats, worst, where = np.zeros(len(steps)), np.zeros(len(steps)), np.zeros_like(steps)
        for it in score_sequences(self.model, ids, starts, steps):
            nats[it.rows] += it.nats.sum(axis=0, dtype=np.float64)
            most = it.nats.argmax(axis=0)
            largest = it.nats[most, np.arange(len(most))]
            worse = largest > worst[it.rows]
            worst[it.rows[worse]] = largest[worse]
            where[it.rows[worse]] = it.begin + most[worse]
        return nats, worst, where


def in_blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines in blocks of about BLOCK_CHARS characters, at least a line each."""
    block: list[str] = []
    chars = 0
    for line in lines:
        block.append(line)
        chars += len(line) + 1
        if chars >= BLOCK_CHARS:
            yield block
            block, chars = [], 0
    if block:
        yield block


def score_blocks(
    scorers: Sequence[LineScorer], blocks: Iterable[Iterable[str]], workers: int = 1
) -> Iterator[list[tuple[LineScore, ...]]]:
    """Yield the scores of the lines of each block, in parts if it is long: one of each scorer.

    workers   processes to score in, once the input has turned out to be long

    Raises VocabularyError that names the line, counted from 1, after the scores of the lines before
    it. Raises TrainingError if the outputs of a model are not finite, WorkerLostError if a process
    dies.
    """
    number, chars, count = 1, 0, 1
    refuses = any(scorer.rules.unknown == "error" for scorer in scorers)

    def score(lines: list[str]) -> list[tuple[LineScore, ...]]:
        return list(zip(*(scorer.score(lines) for scorer in scorers), strict=True))

    with ExitStack() as stack:
        score_parts: Callable[[Iterable[list[str]]], Iterable[list[tuple[LineScore, ...]]]]
        score_parts = partial(map, score)
        for lines in (part for block in blocks for part in in_blocks(block)):
            parts = list(score_parts(lines[at::count] for at in range(count)))
            scores = [parts[at % count][at // count] for at in range(len(lines))]
            odd = [at for at, each in enumerate(scores) if any(it.unknown for it in each)]
            if refuses and odd:
                yield scores[: odd[0]]
                _refuse(scorers, lines[odd[0]], number + odd[0])
            yield scores
            number += len(lines)
            chars += sum(map(len, lines))
            if chars >= WORKERS_AFTER and count < workers:
                count = workers
                score_parts = stack.enter_context(map_in_processes(score, count))


def _refuse(scorers: Sequence[LineScorer], line: str, number: int) -> None:
    """Raise VocabularyError for the unknown characters of a line."""
    try:
        for scorer in scorers:
            scorer.vocabulary.encode(normalized(line, scorer.normalize))
    except VocabularyError as error:
        raise VocabularyError(
            f"line {number}: {error}",
            hint="'--unknown charge' scores such lines as very unlikely, '--unknown skip' leaves "
            "the characters out",
        ) from None
