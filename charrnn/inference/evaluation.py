"""Validation of a language model on held-out text, fast enough to run during training."""

from itertools import islice

import numpy as np

from charrnn.nn.language_model import LanguageModel
from charrnn.text.lines import batches_by_length, line_batch, line_examples
from charrnn.text.vocabulary import Ids

# The most held-out characters to validate on: their mean loss is accurate to about 0.003 nats, and
# more would slow down the run.
MAX_VALIDATED = 200_000

STREAMS = 32
WINDOW = 64


def evaluate(model: LanguageModel, ids: Ids, rank: int = 0, size: int = 1) -> tuple[float, int]:
    """Return -log p of a text in nats and the number of characters predicted.

    The text is cut into a few streams that form a batch. Each starts from a zero state, and its
    state is carried to its end. Of ``size`` processes, each reads every ``size``-th stream.
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


def evaluate_lines(
    model: LanguageModel, ids: Ids, longest: int, rank: int = 0, size: int = 1
) -> tuple[float, int]:
    """Return -log p of flat lines in nats, each read from a zero state, and the characters of all.

    longest   where longer lines are cut

    Line breaks at their ends count. Of ``size`` processes, this one reads every ``size``-th batch.
    """
    examples, total, chars = line_examples(ids, longest), 0.0, 0
    workspaces = model.workspaces()
    for which in islice(batches_by_length(examples, STREAMS * WINDOW), rank, None, size):
        batch = line_batch(examples, which)
        log_p, _ = model.log_probabilities(batch.inputs, batch.targets, workspaces=workspaces)
        if batch.mask is not None:
            log_p = log_p * batch.mask
        total -= float(log_p.sum(dtype=np.float64))
        chars += batch.count or 0
    return total, chars
