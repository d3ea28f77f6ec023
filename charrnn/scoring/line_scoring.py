"""The likelihood of each line under a language model, on its own.

A line starts from a zero state. The model reads a line break and the line, and predicts the line
and a line break: so the end of the line counts, and so does every character. A model whose
vocabulary has no line break starts with ``sampling.start_ids`` instead and predicts no end.

``line_batches`` does the arithmetic, many lines at once.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import Normalization
from charrnn.errors import TrainingError, VocabularyError
from charrnn.ngrams.mixture import AnyLanguageModel
from charrnn.parallel.launch import map_in_processes
from charrnn.scoring.line_batches import LineBatches
from charrnn.scoring.scoring import Score
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
    surprise_char    its least likely character; a line break for its end, "" if nothing was scored
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
        cls, vocabularies: Sequence[Vocabulary], unknown: UnknownCharacters = "error"
    ) -> "LineRules":
        """Return rules that are fair to models with these vocabularies.

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
        end = all("\n" in known for known in vocabularies)
        return cls(unknown, math.log(max(sizes)), end, shared)


class _Encoded(NamedTuple):
    """Lines as one array of known ids, with a start id before each line and behind the last.

    ids       (N,)
    starts    index in ids of the start id of each line, (S,)
    lengths   known characters of each line, (S,)
    places    where the ids are in the lines with all their characters, (N,)
    origins   where the start ids are there, (S,)
    missing   where the unknown characters are there, (U,)
    """

    ids: Ids
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    places: NDArray[np.int64]
    origins: NDArray[np.int64]
    missing: NDArray[np.int64]


class _Figures(NamedTuple):
    """What a ``LineScore`` is made of, for S lines: (S,) each."""

    nats: NDArray[np.float64]
    chars: NDArray[np.int64]
    unknown: NDArray[np.int64]
    at: NDArray[np.int64]
    worst: NDArray[np.float64]


class LineScorer:
    """Scores lines under a language model.

    model        the language model
    vocabulary   its characters, with their counts in the text it was trained on
    rules        what to do with unknown characters and ends; None: "error"
    normalize    Unicode normalization of the lines
    """

    def __init__(
        self,
        model: AnyLanguageModel,
        vocabulary: Vocabulary,
        rules: LineRules | None = None,
        normalize: Normalization = "none",
    ) -> None:
        self.model, self.vocabulary, self.normalize = model, vocabulary, normalize
        self.rules = rules or LineRules.of([vocabulary])
        self._start = vocabulary.decode(start_ids(vocabulary))
        shared = self.rules.shared
        known = [shared is None or char in shared for char in vocabulary.characters]
        self._known = np.array([*known, False])
        self._batches = LineBatches(model)

    def first_refused(self, lines: Sequence[str]) -> int | None:
        """Return the index of the first line that has unknown characters, if that is an error."""
        if self.rules.unknown != "error":
            return None
        fitted = [normalized(line, self.normalize) for line in lines]
        if not (missing := set(self.vocabulary.unknown("".join(fitted)))):
            return None
        return next(at for at, line in enumerate(fitted) if not missing.isdisjoint(line))

    def score(self, lines: Sequence[str]) -> list[LineScore]:
        """Return the score of each line, in order; see ``Model.score_lines``.

        Does not refuse unknown characters. Raises TrainingError if the logits are not finite.
        """
        distinct = list(dict.fromkeys(lines))  # logs say the same again and again
        scores = dict(zip(distinct, self._score(distinct), strict=True))
        return [scores[line] for line in lines]

    def _score(self, lines: list[str]) -> Iterator[LineScore]:
        fitted = lines
        if self.normalize != "none":
            fitted = [normalized(line, self.normalize) for line in lines]
        columns = (column.tolist() for column in self._figures(fitted))
        for line, text, nats, chars, unknown, at, worst in zip(
            lines, fitted, *columns, strict=True
        ):
            char = text[at : at + 1] or "\n" if chars else ""
            yield LineScore(nats, chars, line, unknown, char, at, worst)

    def _figures(self, lines: list[str]) -> _Figures:
        encoded = self._encode(lines)
        steps = encoded.lengths + self.rules.end
        sums = self._batches.sums(encoded.ids, encoded.starts, steps)
        if not np.isfinite(sums.nats).all():
            raise TrainingError(
                "the model's outputs are not finite numbers: its weights have exploded",
                hint="train again with a lower --learning-rate, or with --nonlinearity tanh",
            )
        targets = encoded.starts + 1 + sums.where
        at = np.where(steps > 0, encoded.places[targets] - encoded.origins - 1, 0)
        figures = _Figures(sums.nats, steps, np.zeros_like(steps), at, sums.worst)
        return self._charged(figures, encoded) if len(encoded.missing) else figures

    def _encode(self, lines: list[str]) -> _Encoded:
        whole = self._start + self._start.join(lines) + self._start
        ids = encode_known(whole, self.vocabulary)
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        origins = np.cumsum(lengths + 1) - lengths - 1
        known = self._known[ids]
        known[origins] = known[-1] = True
        places, missing = np.flatnonzero(known), np.flatnonzero(~known)
        if not len(missing):
            return _Encoded(ids, origins, lengths, places, origins, missing)
        starts = np.searchsorted(places, origins)
        known_lengths = np.diff(starts, append=len(places) - 1) - 1
        return _Encoded(ids[places], starts, known_lengths, places, origins, missing)

    def _charged(self, figures: _Figures, encoded: _Encoded) -> _Figures:
        """Return the figures with the unknown characters, which are charged for or only counted."""
        line = np.searchsorted(encoded.origins, encoded.missing, side="right") - 1
        unknown = np.bincount(line, minlength=len(figures.nats))
        if self.rules.unknown != "charge":
            return figures._replace(unknown=unknown)
        lines, first = np.unique(line, return_index=True)
        costly = self.rules.charge > figures.worst[lines]
        lines, first = lines[costly], first[costly]
        figures.worst[lines] = self.rules.charge
        figures.at[lines] = encoded.missing[first] - encoded.origins[lines] - 1
        nats = figures.nats + unknown * self.rules.charge
        return figures._replace(nats=nats, chars=figures.chars + unknown, unknown=unknown)


def in_blocks(lines: Iterable[str], size: int = BLOCK_CHARS) -> Iterator[list[str]]:
    """Yield the lines in blocks of about ``size`` characters, at least a line each."""
    block: list[str] = []
    chars = 0
    for line in lines:
        block.append(line)
        chars += len(line) + 1
        if chars >= size:
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
    it. Raises TrainingError if the logits are not finite, WorkerLostError if a process dies.
    """
    number, chars = 1, 0

    def score(lines: list[str]) -> list[tuple[LineScore, ...]]:
        return list(zip(*(scorer.score(lines) for scorer in scorers), strict=True))

    with ExitStack() as stack:
        score_parts: Callable[[Iterable[list[str]]], Iterator[list[tuple[LineScore, ...]]]]
        score_parts, count = partial(map, score), 1
        for lines in (part for block in blocks for part in in_blocks(block)):
            refusals = [(scorer.first_refused(lines), scorer) for scorer in scorers]
            bad = min((at for at, _ in refusals if at is not None), default=len(lines))
            if known := lines[:bad]:
                parts = [known[at::count] for at in range(count) if known[at::count]]
                scored = list(score_parts(parts))
                yield [scored[at % count][at // count] for at in range(len(known))]
            for at, scorer in refusals:
                if at == bad:
                    _refuse(scorer, lines[bad], number + bad)
            number += len(lines)
            chars += sum(map(len, lines))
            if chars >= WORKERS_AFTER and count < workers:
                count = workers
                score_parts = stack.enter_context(map_in_processes(score, count))


def _refuse(scorer: LineScorer, line: str, number: int) -> None:
    """Raise VocabularyError for the unknown characters of a line."""
    try:
        scorer.vocabulary.encode(normalized(line, scorer.normalize))
    except VocabularyError as error:
        raise VocabularyError(
            f"line {number}: {error}",
            hint="'--unknown charge' scores such lines as very unlikely, '--unknown skip' leaves "
            "the characters out",
        ) from None
