"""What is held out of a text."""

import numpy as np

from charrnn.text.spool import IN_MEMORY
from charrnn.text.vocabulary import Ids

# What is held out by default: passages from all over the text, because its end may be unlike the
# rest: a list may be sorted, a book may end with its license. They are lost to training, and to
# compare the weights of one run with each other does not take much. A poem is better learned whole.
DEFAULT_VAL_FRACTION = 0.05
MAX_HELD_OUT = 10_000
PASSAGES = 10
SMALLEST_SPLIT = 10_000


def split(ids: Ids, val_fraction: float | None) -> tuple[Ids, Ids]:
    """Return what to train on and what is held out, which may be empty.

    val_fraction   share of the text, at its end, to hold out. None: the default, passages from all
                   over the text, or its end if it is too large to be copied
    """
    if val_fraction is None:
        held_out = min(int(len(ids) * DEFAULT_VAL_FRACTION), MAX_HELD_OUT)
        if len(ids) < SMALLEST_SPLIT:
            held_out = 0
        elif ids.nbytes <= IN_MEMORY:
            return _split_passages(ids, held_out // PASSAGES)
    else:
        held_out = int(len(ids) * val_fraction)
    if held_out < 2:  # noqa: PLR2004  # one character predicts nothing
        held_out = 0
    return ids[: len(ids) - held_out], ids[len(ids) - held_out :]


def _split_passages(ids: Ids, length: int) -> tuple[Ids, Ids]:
    """Hold out a passage of this length at the end of each of PASSAGES equal parts."""
    held_out = np.zeros(len(ids), bool)
    for end in np.linspace(0, len(ids), PASSAGES + 1)[1:].astype(int):
        held_out[end - length : end] = True
    return ids[~held_out], ids[held_out]
