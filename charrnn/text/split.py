"""The split of a text, or of its pieces, into what is trained on and what is held out."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.randomness import Purpose, generator
from charrnn.text.pieces import copy_pieces, find_ends
from charrnn.text.storage import blocks_of, store
from charrnn.text.vocabulary import Ids

# By default, passages from all over the text are held out, because its end may differ from the
# rest: a list may be sorted, a book may end with its license. Held-out text is lost to training,
# and a little is enough to compare the weights of one run. Short texts are trained on in full.
HELD_OUT, MAX_HELD_OUT = 0.05, 10_000
PASSAGES = 10
MIN_HELD_OUT = 2  # one character predicts nothing
# The same share of pieces is held out, up to this many characters, unless the text has both fewer
# characters and fewer pieces than these.
MAX_IN_PIECES = 20_000
MIN_CHARS, MIN_PIECES = 10_000, 200

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


def split_pieces(ids: Ids, fraction: float | None, random_seed: int) -> tuple[Ids, Ids]:
    """Return the pieces to train on and those held out, as flat pieces.

    fraction   share of the pieces to hold out. None: a twentieth, none of a short text

    Pieces are held out at random, as many short ones as long ones for their number; never the end
    of the text, which is the end of the alphabet in a sorted list. Copies of a held-out piece stay
    in the training part, so a text should have none.
    """
    ends = find_ends(ids)
    count = len(ends) - 1
    if count < 1:
        raise CorpusError("there are empty pieces only: there is nothing to learn from")
    if fraction is None:
        enough = count >= MIN_PIECES or len(ids) >= MIN_CHARS
        fraction = min(HELD_OUT, MAX_IN_PIECES / len(ids)) if enough else 0.0
    wanted = min(round(fraction * count), count - 1)
    held_out = np.zeros(count, bool)
    if wanted:
        rng = generator(random_seed, Purpose.SPLIT)
        order = np.lexsort((rng.random(count), np.diff(ends)))
        # One from each of as many groups of neighbors in length.
        edges = np.linspace(0, count, wanted + 1).astype(int)
        held_out[[order[rng.integers(*edge)] for edge in pairwise(edges.tolist())]] = True
    train, val = (np.flatnonzero(part) for part in (~held_out, held_out))
    return copy_pieces(ids, ends, train), copy_pieces(ids, ends, val)


def stream_bounds(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each of a few streams of equal length begins in a text, and its inputs, (S,).

    The text has 2 characters or more. What does not fill the streams is left out at its end.
    """
    count = max(1, min(STREAMS, (length - 1) // WINDOW))
    steps = (length - 1) // count
    return np.arange(count) * steps, np.full(count, steps)
