"""The likelihood of a text under a language model."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.scoring.likelihood import held_out_sequences, require_ids, score_sequences
from charrnn.text.vocabulary import Ids


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
    range, TrainingError if the outputs of the model are not finite.
    """
    length = len(ids) - 1
    if length < 1:
        raise CorpusError(
            "there is nothing to score: it takes two characters",
            hint="'charrnn score --lines' scores a line and its end",
        )
    require_ids(ids, model.vocab_size)
    size = window or length
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
    nats = 0.0
    for it in score_sequences(model, ids, starts, steps):
        nats += float(it.nats.sum(dtype=np.float64))
        on_progress(it.nats.size)
    return Score(nats, int(steps.sum()))
