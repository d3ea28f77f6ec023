"""The split of a text into training and held-out text."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.text.storage import blocks_of, store
from charrnn.text.vocabulary import Ids

# By default, passages from all over the text are held out, because its end may differ from the
# rest: a list may be sorted, a book may end with its license. Held-out text is lost to training,
# and a little is enough to compare the weights of one run. Short texts are trained on in full.
HELD_OUT = 0.05
MAX_HELD_OUT = 10_000
PASSAGES = 10
MIN_CHARS = 10_000
MIN_HELD_OUT = 2  # one character predicts nothing

# Held-out text is read in this many streams, in windows of this many characters.
STREAMS, WINDOW = 32, 64


def split(ids: Ids, val_fraction: float | None) -> tuple[Ids, Ids]:
    """Split a text into training text and held-out text, which may be empty.

    ids            the text, (N,)
    val_fraction   share of the text to hold out, at its end, 0 to 1. None: a passage at the end of
                   each tenth of the text, 5 % of it and at most 10,000 characters together; nothing
                   if the text is shorter than 10,000 characters

    Returns (train_ids, val_ids).
    """
    if val_fraction is None and len(ids) >= MIN_CHARS:
        length = min(int(len(ids) * HELD_OUT), MAX_HELD_OUT) // PASSAGES
        bounds = np.linspace(0, len(ids), PASSAGES + 1).astype(int).tolist()
        train = (ids[begin : end - length] for begin, end in pairwise(bounds))
        held_out = [ids[end - length : end] for end in bounds[1:]]
        return store(block for part in train for block in blocks_of(part)), np.concatenate(held_out)
    length = int(len(ids) * (val_fraction or 0))
    start = len(ids) - length if length >= MIN_HELD_OUT else len(ids)
    return ids[:start], ids[start:]


def stream_bounds(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each of a few streams of equal length begins in a text, and its inputs, (S,).

    The text has 2 characters or more. What does not fill the streams is left out at its end.
    """
    count = max(1, min(STREAMS, (length - 1) // WINDOW))
    steps = (length - 1) // count
    return np.arange(count) * steps, np.full(count, steps)
