"""The likelihood of a text under a language model."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from charrnn.errors import CorpusError, VocabularyError
from charrnn.ngrams.mixture import AnyLanguageModel
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import sliding_windows

STATEFUL_WINDOW = 512
WINDOWS_AT_ONCE = 32


@dataclass(frozen=True)
class Score:
    """The likelihood of a text under a language model; see ``score``.

    nats             -log p of all predicted characters together, in nats
    chars            number of characters predicted
    nats_per_char    mean cross-entropy in nats per character; nan if nothing was predicted
    bits_per_char    the same in bits
    perplexity       exp(nats_per_char)
    """

    nats: float
    chars: int

    @property
    def nats_per_char(self) -> float:
        """Mean cross-entropy in nats per character."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def bits_per_char(self) -> float:
        """The same in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats per character): the effective number of equally likely next characters."""
        return math.exp(self.nats_per_char)


def total(scores: Iterable[Score]) -> Score:
    """Return the likelihood of several texts together.

    Raises CorpusError if there is none.
    """
    nats, chars = 0.0, 0
    for part in scores:
        nats, chars = nats + part.nats, chars + part.chars
    if not chars:
        raise CorpusError("there is no line to score")
    return Score(nats, chars)


def score(
    model: AnyLanguageModel,
    ids: Ids | Iterable[Ids],
    *,
    window: int | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    """Return the likelihood of a text under a language model.

    model         a language model; of a ``Model``, its ``distribution()``
    ids           the text, (N,), or an iterable of pieces of it, for texts larger than memory
    window        None: predict every character except the first, with the hidden state carried
                  through the text. W: use independent windows of W inputs, each from a zero state,
                  and predict the next character of each input; an incomplete last window is skipped
    on_progress   called with the number of characters done since the last call

    Raises CorpusError if the text is too short to predict anything, VocabularyError for ids out of
    range.
    """
    pieces = [ids] if isinstance(ids, np.ndarray) else ids
    total, chars, length, state = 0.0, 0, 0, None
    workspaces = model.workspaces()
    for run in _runs(pieces, STATEFUL_WINDOW if window is None else window * WINDOWS_AT_ONCE):
        if int(run.min()) < 0 or int(run.max()) >= model.vocab_size:
            raise VocabularyError(f"ids must be from 0 to {model.vocab_size - 1}")
        length += len(run) - 1
        if window is None:
            inputs, targets = run[:-1, None], run[1:, None]
        elif len(run) > window:
            inputs, targets = (part.T for part in sliding_windows(run, window, stride=window))
        else:
            continue
        before = state if window is None else None
        log_p, state = model.log_probabilities(inputs, targets, before, workspaces)
        total -= float(log_p.sum(dtype=np.float64))
        chars += log_p.size
        on_progress(log_p.size)
    if not chars:
        _refuse(length, window)
    return Score(total, chars)


def _runs(pieces: Iterable[Ids], size: int) -> Iterator[Ids]:
    """Yield the ids in chunks of size + 1 that overlap by one id; the last may be shorter."""
    held: Ids = np.empty(0, np.uint8)
    for piece in pieces:
        held = np.concatenate([held, piece]) if len(held) else piece
        while len(held) > size:
            yield held[: size + 1]
            held = held[size:]
    if len(held) > 1:
        yield held


def _refuse(length: int, window: int | None) -> NoReturn:
    """Raise CorpusError for a text too short to predict anything."""
    if window is None or not length:
        raise CorpusError(
            "there is nothing to score: the model predicts each character from those before it, "
            "so it takes two"
        )
    raise CorpusError(
        f"the text has {length + 1} characters, too few for a window of {window} and the "
        "character after it",
        hint=f"--window {length} or less, or no --window",
    )
