"""Class probabilities of a classifier."""

import numpy as np

from charrnn.nn.cells import Array
from charrnn.nn.classifier import SequenceClassifier
from charrnn.text.sequences import Examples

# The most sequences, and steps, per batch at inference.
AT_ONCE = 256
STEPS_AT_ONCE = 1 << 16


def log_probabilities(model: SequenceClassifier, examples: Examples) -> Array:
    """Return log p of every class for each sequence, in nats, (S, K).

    model      a classifier of K classes
    examples   S sequences of features or ids, in any order of lengths; their labels are not used

    ``Examples.of(sequences, labels)`` builds the examples.
    """
    result: Array = np.empty((len(examples), model.classes), model.flat.dtype)
    order = np.argsort(examples.lengths, kind="stable")
    start = 0
    while start < len(order):
        count = min(AT_ONCE, len(order) - start)
        while count > 1 and count * examples.lengths[order[start + count - 1]] > STEPS_AT_ONCE:
            count //= 2
        which = order[start : start + count]
        batch = examples.take(which)
        result[which] = model.log_probabilities(batch.inputs, batch.mask)
        start += count
    return result
