"""Validation of a language model on held-out text, fast enough to run during training."""

import numpy as np

from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import LanguageModel
from charrnn.scoring.line_batches import LineBatches, Sums
from charrnn.text.lines import line_bounds
from charrnn.text.split import WINDOW, streams
from charrnn.text.vocabulary import Ids

# The most held-out characters to validate on: their mean loss is accurate to about 0.003 nats, and
# more would slow down the run.
MAX_VALIDATED = 200_000


def evaluate(
    model: LanguageModel | Ensemble, ids: Ids, rank: int = 0, size: int = 1
) -> tuple[float, int]:
    """Return -log p of a text in nats and the number of characters predicted.

    The text is cut into a few streams that form a batch. Each starts from a zero state, and its
    state is carried to its end. Of ``size`` processes, each reads every ``size``-th stream.
    """
    inputs, targets = (part[:, rank::size] for part in streams(ids))
    state, total, workspaces = None, 0.0, model.workspaces()
    for start in range(0, len(inputs) if inputs.size else 0, WINDOW):
        window = slice(start, start + WINDOW)
        log_p, state = model.log_probabilities(inputs[window], targets[window], state, workspaces)
        total -= float(log_p.sum(dtype=np.float64))
    return total, inputs.size


def evaluate_lines(
    model: LanguageModel | Ensemble, ids: Ids, rank: int = 0, size: int = 1
) -> tuple[float, int]:
    """Return -log p of flat lines in nats, each read from a zero state, and their characters.

    Line breaks at their ends count. Of ``size`` processes, this one reads every ``size``-th batch,
    and the first counts the characters of all.
    """
    starts, lengths = line_bounds(ids)
    sums = Sums.zeros(len(starts))
    LineBatches(model).add_sums(ids, starts, lengths + 1, sums, (rank, size))
    return float(sums.nats.sum()), 0 if rank else len(ids) - 1
