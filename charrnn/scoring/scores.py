"""The likelihood of a text under a language model."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.scoring.likelihood import require_ids, score_sequences
from charrnn.text.vocabulary import Ids

# Windows whose bounds are held at once.
WINDOWS_AT_ONCE = 1 << 12


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
        try:
            return math.exp(self.nats_per_char)
        except OverflowError:
            return math.inf


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
    ids: Ids,
    *,
    window: int | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    """Return the likelihood of a text under a language model.

    model         a language model; of a ``Model``, its ``distribution()``
    ids           the text, (N,)
    window        None: predict every character except the first, with the hidden state carried
                  through the text. W: use independent windows of W inputs, each from a zero state,
                  and predict the next character of each input; an incomplete last window is skipped
    on_progress   called with the number of characters done since the last call

    Raises CorpusError if the text is too short to predict anything, VocabularyError for ids out of
    range, TrainingError if the outputs of the model are not finite.
    """
    length = len(ids) - 1
    if length < 1:
        raise CorpusError(
            "there is nothing to score: the model predicts each character from those before it, "
            "so it takes two",
            hint="a model of lines, or 'charrnn score --lines', scores a line and its end",
        )
    require_ids(ids, model.vocab_size)
    steps = window or length
    if steps > length:
        raise CorpusError(
            f"the text has {length + 1} characters, too few for a window of {steps} and the "
            "character after it",
            hint=f"--window {length} or less, or no --window",
        )
    nats, count = 0.0, length // steps
    for first in range(0, count, WINDOWS_AT_ONCE):
        starts = np.arange(first, min(first + WINDOWS_AT_ONCE, count)) * steps
        for it in score_sequences(model, ids, starts, np.full(len(starts), steps)):
            nats += float(it.nats.sum(dtype=np.float64))
            on_progress(it.nats.size)
    return Score(nats, count * steps)
