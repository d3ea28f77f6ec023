"""How likely a text is under a model."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.nn.language_model import LanguageModel
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import sliding_windows

STATEFUL_WINDOW = 512
WINDOWS_AT_ONCE = 32


@dataclass(frozen=True)
class Score:
    """Likelihood of a text.

    nats    -log p of all predicted characters together, in nats
    chars   characters predicted
    """

    nats: float
    chars: int

    @property
    def nats_per_char(self) -> float:
        """Mean cross-entropy in nats per character."""
        return self.nats / self.chars

    @property
    def bits_per_char(self) -> float:
        """The same in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats per character): among how many characters the model seems to choose."""
        return math.exp(self.nats_per_char)


def score(
    model: LanguageModel,
    ids: Ids,
    *,
    window: int | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    """Score a text.

    window        None: every character but the first is predicted, with the state carried from the
                  start. N: independent windows of N inputs, each from a zero state and predicting
                  its N next characters; an incomplete last window is left out
    on_progress   called with the number of characters done since the last call

    Raises CorpusError if the text is too short to predict anything.
    """
    if len(ids) < 2:  # noqa: PLR2004
        raise CorpusError(
            "there is nothing to score: the model predicts each character from those before it, "
            "so it takes two"
        )
    if window is None:
        inputs, targets = ids[:-1, None], ids[1:, None]
        state, total, workspaces = None, 0.0, model.workspaces()
        for start in range(0, len(inputs), STATEFUL_WINDOW):
            piece = slice(start, start + STATEFUL_WINDOW)
            log_p, state = model.log_probabilities(inputs[piece], targets[piece], state, workspaces)
            total -= float(log_p.sum(dtype=np.float64))
            on_progress(len(log_p))
        return Score(total, len(inputs))
    if len(ids) <= window:
        raise CorpusError(
            f"the text has {len(ids)} characters, too few for a window of {window} and the "
            "character after it",
            hint=f"--window {max(1, len(ids) - 1)} or less, or no --window",
        )
    inputs, targets = sliding_windows(ids, window, stride=window)
    total, workspaces = 0.0, model.workspaces()
    for start in range(0, len(inputs), WINDOWS_AT_ONCE):
        rows = slice(start, start + WINDOWS_AT_ONCE)
        log_p, _ = model.log_probabilities(inputs[rows].T, targets[rows].T, workspaces=workspaces)
        total -= float(log_p.sum(dtype=np.float64))
        on_progress(log_p.size)
    return Score(total, inputs.size)
