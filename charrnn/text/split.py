"""The split of a text into training and held-out text."""

import numpy as np
from numpy.typing import NDArray

from charrnn.text.storage import IN_MEMORY
from charrnn.text.vocabulary import Ids

# By default, passages from all over the text are held out, because its end may differ from the
# rest: a list may be sorted, a book may end with its license. Held-out text is lost to training,
# and a little is enough to compare the weights of one run. Short texts are trained on in full.
DEFAULT_VAL_FRACTION = 0.05
MAX_HELD_OUT = 10_000
PASSAGES = 10
SMALLEST_SPLIT = 10_000
MIN_HELD_OUT = 2  # one character predicts nothing

# Held-out text is read in this many streams, in windows of this many characters.
STREAMS, WINDOW = 32, 64


def split(ids: Ids, val_fraction: float | None) -> tuple[Ids, Ids]:
    """Split a text into training text and held-out text, which may be empty.

    ids            the text, (N,)
    val_fraction   share of the text to hold out, at its end, 0 to 1. None: ten passages spread over
                   the text, 5 % of it and at most 10,000 characters; at its end if the ids exceed
                   64 MB; nothing if the text is shorter than 10,000 characters

    Returns (train_ids, val_ids).
    """
    held_out = int(len(ids) * (DEFAULT_VAL_FRACTION if val_fraction is None else val_fraction))
    if val_fraction is None:
        held_out = min(held_out, MAX_HELD_OUT) if len(ids) >= SMALLEST_SPLIT else 0
    if held_out < MIN_HELD_OUT:
        held_out = 0
    if val_fraction is None and held_out and ids.nbytes <= IN_MEMORY:
        return _split_passages(ids, held_out // PASSAGES)
    return ids[: len(ids) - held_out], ids[len(ids) - held_out :]


def _split_passages(ids: Ids, length: int) -> tuple[Ids, Ids]:
    """Hold out a passage of this length at the end of each of PASSAGES equal parts of the text."""
    held_out = np.zeros(len(ids), bool)
    for end in np.linspace(0, len(ids), PASSAGES + 1)[1:].astype(int):
        held_out[end - length : end] = True
    return ids[~held_out], ids[held_out]


def stream_bounds(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each of a few streams of equal length begins in a text, and its inputs, (S,).

    The text has 2 characters or more. What does not fill the streams is left out at its end.
    """
    count = max(1, min(STREAMS, (length - 1) // WINDOW))
    steps = (length - 1) // count
    return np.arange(count) * steps, np.full(count, steps)
