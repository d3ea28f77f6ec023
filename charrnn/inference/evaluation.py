"""How well a language model predicts a held-out text, measured quickly while it is trained."""

import numpy as np

from charrnn.nn.language_model import LanguageModel
from charrnn.text.vocabulary import Ids

# Characters that are measured if more are held out: the mean over so many is sure to about 0.003
# nats, and more would hold up the run.
MAX_VALIDATED = 200_000

STREAMS = 32
WINDOW = 64


def evaluate(model: LanguageModel, ids: Ids, rank: int = 0, size: int = 1) -> tuple[float, int]:
    """Return -log p of a text in nats and the number of characters predicted.

    The text is cut into a few streams that are read side by side, each from a zero state that is
    carried through it. Of ``size`` processes, this one reads every ``size``-th stream.
    """
    n_streams = max(1, min(STREAMS, (len(ids) - 1) // WINDOW))
    length = (len(ids) - 1) // n_streams
    used = n_streams * length
    inputs, targets = (
        ids[first : first + used].reshape(n_streams, -1)[rank::size].T for first in (0, 1)
    )
    state, total, workspaces = None, 0.0, model.workspaces()
    for start in range(0, length if inputs.size else 0, WINDOW):
        window = slice(start, start + WINDOW)
        log_p, state = model.log_probabilities(inputs[window], targets[window], state, workspaces)
        total -= float(log_p.sum(dtype=np.float64))
    return total, inputs.size
