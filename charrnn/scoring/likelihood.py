"""-log p of each character of many sequences: the loop behind every score and loss on text.

Sequences are read in batches of similar length, and a batch in windows that carry the state.
Sequences that have ended leave the batch: neither padding nor memory grows with the longest.
Before, as long as most sequences begin like others, as the lines of a list do, each different
beginning is read once, a character at a time.
"""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import require
from charrnn.errors import CorpusError, TrainingError, VocabularyError
from charrnn.nn.cell import Array
from charrnn.nn.ensemble import AnyLanguageModel, as_ensemble
from charrnn.nn.network import LayerStates, log_softmax, select_state
from charrnn.nn.recurrent import Workspace
from charrnn.text.pieces import piece_bounds
from charrnn.text.split import stream_bounds
from charrnn.text.vocabulary import Ids

Indices = NDArray[np.int64]

# Sequences per batch: OpenBLAS has faster kernels for up to 61 rows, see ``recurrent``.
BATCH = 60
# Steps per window, and characters.
MIN_WINDOW, MAX_WINDOW, WINDOW_CHARS = 8, 512, 2048
# Sequences whose beginnings are compared, and how many must share each on average.
MAX_SHARING, SHARED = 4096, 2


class Window(NamedTuple):
    """T steps of B sequences.

    rows      which sequences, (B,)
    begin     number of the first step
    inputs    ids, (T, B)
    targets   ids, (T, B); targets[t] follows inputs[t]
    inside    which steps are not behind the end of their sequence, (T, B)
    nats      -log p of each target, (T, B); 0 behind the end
    """

    rows: Indices
    begin: int
    inputs: Ids
    targets: Ids
    inside: NDArray[np.bool_]
    nats: Array


@dataclass(frozen=True)
class Score:
    """The likelihood of a text under a language model; see ``score``.

    nats    -log p of all predicted characters together, in nats
    chars   number of characters predicted
    """

    nats: float
    chars: int

    @property
    def nats_per_char(self) -> float:
        """Mean cross-entropy in nats per character; nan if nothing was predicted."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def bits_per_char(self) -> float:
        """The same in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats per character): the effective number of equally likely next characters."""
        try:
            return math.exp(self.nats_per_char)
        except OverflowError:
            return math.inf


def score_sequences(
    model: AnyLanguageModel, ids: Ids, starts: Indices, steps: Indices
) -> Iterator[Window]:
    """Yield -log p of the characters of S sequences, each from a zero state.

    ids      those of all sequences, (N,)
    starts   index of the first input of each, (S,); its first target is behind it
    steps    number of inputs, and of targets, of each, (S,)

    Raises TrainingError if the outputs of the model are not finite.
    """
    model, workspace = as_ensemble(model), Workspace()
    for first in range(0, len(steps), MAX_SHARING):
        chunk = np.arange(first, min(first + MAX_SHARING, len(steps)))
        read, node, states = yield from _score_beginnings(model, ids, starts, steps, chunk)
        by_length = np.argsort(-steps[chunk], kind="stable")
        by_length = by_length[steps[chunk[by_length]] > read]
        for at in range(0, len(by_length), BATCH):
            batch, begin = by_length[at : at + BATCH], read
            rows, state = chunk[batch], select_state(states, node[batch])
            while len(rows := rows[steps[rows] > begin]):
                state = select_state(state, slice(len(rows)))
                longest = min(max(WINDOW_CHARS // len(rows), MIN_WINDOW), MAX_WINDOW)
                # To the end of the shortest if that is neither near nor far: nothing is padded.
                end = begin + min(max(int(steps[rows[-1]]) - begin, MIN_WINDOW), longest)
                places = np.arange(begin, min(end, int(steps[rows[0]])) + 1)[:, None]
                texts = ids[np.minimum(starts[rows] + places, len(ids) - 1)]
                inputs, targets, inside = texts[:-1], texts[1:], places[:-1] < steps[rows]
                log_p, state = model.log_probabilities(inputs, targets, state, workspace)
                nats = np.where(inside, 0 - log_p, 0)
                require_finite(nats)
                yield Window(rows, begin, inputs, targets, inside, nats)
                begin += len(inputs)


def _score_beginnings(
    model: AnyLanguageModel, ids: Ids, starts: Indices, steps: Indices, rows: Indices
) -> Generator[Window, None, tuple[int, Indices, LayerStates]]:
    """Score how sequences begin, each different beginning once, while most share theirs.

    rows   which sequences, (S,)

    Returns how many steps of each were read, and the state in which each is: a number (S,), and
    the states, arrays (N, H).
    """
    read, node = 0, np.zeros(len(rows), np.int64)
    state, workspace = model.zero_state(1), Workspace()
    while True:
        active = np.flatnonzero(steps[rows] > read)
        inputs, targets = (ids[starts[rows[active]] + read + ahead] for ahead in (0, 1))
        different, node_of = np.unique(
            node[active] * model.vocab_size + inputs, return_inverse=True
        )
        if len(different) * SHARED >= len(active):
            return read, node, state
        parents, characters = np.divmod(different, model.vocab_size)
        before = select_state(state, parents)
        logits, state, _ = model.forward(characters[None], before, workspace=workspace)
        nats = 0 - log_softmax(logits[0])[node_of, targets]
        require_finite(nats)
        inside = np.ones((1, len(active)), bool)
        yield Window(rows[active], read, inputs[None], targets[None], inside, nats[None])
        node[active], read = node_of, read + 1


def require_finite(values: NDArray[Any]) -> None:
    """Raise TrainingError if outputs of a model are not finite."""
    if not np.isfinite(values).all():
        raise TrainingError(
            "the model's outputs are not finite numbers: its weights have exploded",
            hint="train again with a lower --learning-rate, or with --nonlinearity tanh",
        )


def require_ids(ids: Ids, vocab_size: int) -> None:
    """Raise VocabularyError if an id of a text (N,) is out of range; it has at least one."""
    if int(ids.min()) < 0 or int(ids.max()) >= vocab_size:
        raise VocabularyError(f"ids must be from 0 to {vocab_size - 1}")


def held_out_sequences(ids: Ids, *, pieces: bool) -> tuple[Indices, Indices]:
    """Return the starts and steps of the sequences as which a held-out text is read.

    pieces   each of the flat pieces with the END at its end; else a few streams
    """
    if not pieces:
        return stream_bounds(len(ids))
    starts, lengths = piece_bounds(ids)
    return starts, lengths + 1


def score(
    model: AnyLanguageModel,
    ids: Ids,
    *,
    window: int | None = None,
    pieces: bool = False,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    """Return the likelihood of a text under a language model.

    model         a language model; of a ``Model``, its ``distribution()``
    ids           the text, (N,)
    window        None: predict every character except the first, with the hidden state carried
                  through the text. W: use independent windows of W inputs, each from a zero state,
                  and predict the next character of each input; an incomplete last window is skipped
    pieces        the text is flat pieces, each of which is read from a zero state
    on_progress   called with the number of characters done since the last call

    Raises CorpusError if the text is too short to predict anything, VocabularyError for ids out of
    range, ConfigError for a window below 1, TrainingError if the outputs of the model are not
    finite.
    """
    require(window is None or window >= 1, f"window must be at least 1, not {window}")
    length = len(ids) - 1
    if length < 1:
        raise CorpusError(
            "there is nothing to score: it takes two characters",
            hint="'charrnn score --lines' scores a line and its end",
        )
    require_ids(ids, model.vocab_size)
    size = length if window is None else window
    if size > length:
        raise CorpusError(
            f"the text has {length + 1} characters, too few for a window of {size} and the "
            "character after it",
            hint=f"--window {length} or less, or no --window",
        )
    starts = np.arange(length // size) * size
    steps = np.full(len(starts), size)
    if pieces:
        starts, steps = held_out_sequences(ids, pieces=True)
    return _add_up(model, ids, starts, steps, on_progress)


def evaluate(
    model: AnyLanguageModel, ids: Ids, *, pieces: bool = False, rank: int = 0, size: int = 1
) -> Score:
    """Return the likelihood of a held-out text, or of the part that one process reads.

    pieces       as in ``held_out_sequences``
    rank, size   of ``size`` processes, each reads every ``size``-th sequence
    """
    starts, steps = held_out_sequences(ids, pieces=pieces)
    return _add_up(model, ids, starts[rank::size], steps[rank::size])


def _add_up(
    model: AnyLanguageModel,
    ids: Ids,
    starts: Indices,
    steps: Indices,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    nats = 0.0
    for it in score_sequences(model, ids, starts, steps):
        nats += float(it.nats.sum(dtype=np.float64))
        on_progress(it.nats.size)
    return Score(nats, int(steps.sum()))
