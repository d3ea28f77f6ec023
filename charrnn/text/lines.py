r"""Line mode: every line of a text is an example of its own.

Its first input is a line break, read from a zero state, and its last target is one too, so that the
model learns how lines begin and where they end:

    inputs    \n a b c
    targets   a  b c \n

Ids are kept as one flat array that begins with a line break and has one after every line. Read from
end to end with a zero state at every line break, each line is an example: ``windows.LineStreams``.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids

# What is held out for validation: this share of the lines, up to this many characters.
HELD_OUT, MAX_HELD_OUT = 0.05, 20_000
FEWEST_LINES = 200


def as_lines(ids: Ids, newline: int) -> Ids:
    """Return a text as flat lines: a line break at both ends, no empty lines.

    newline   id of the line break
    """
    around = np.concatenate([[newline], ids, [newline]]).astype(ids.dtype)
    breaks = around == newline
    lines: Ids = around[~(breaks & np.roll(breaks, 1)) | (np.arange(len(around)) == 0)]
    return lines


def line_bounds(ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the line break before each line is, and the length of the line without it."""
    breaks = np.flatnonzero(ids == ids[0]) if len(ids) else np.empty(0, np.int64)
    return breaks[:-1], np.diff(breaks) - 1


def split_lines(ids: Ids, fraction: float | None, random_seed: int) -> tuple[Ids, Ids]:
    """Return the lines to train on and those held out, as flat lines.

    fraction   share of the lines to hold out. None: a twentieth, none of fewer than FEWEST_LINES

    Lines are held out at random, as many short ones as long ones for their number; never the end of
    the text, which is the end of the alphabet in a sorted list. Copies of a held-out line stay in
    the training part, so a list should have none.
    """
    starts, lengths = line_bounds(ids)
    if not len(starts):
        raise CorpusError("all lines are empty: there is nothing to learn from")
    if fraction is None:
        fraction = HELD_OUT if len(starts) >= FEWEST_LINES else 0.0
        fraction = min(fraction, MAX_HELD_OUT / len(ids))
    wanted = min(round(fraction * len(starts)), len(starts) - 1)
    rng = generator(random_seed, Purpose.SPLIT)
    order = np.lexsort((rng.random(len(starts)), lengths))
    # One from each of as many groups of neighbors in length.
    edges = np.linspace(0, len(order), wanted + 1).astype(int)
    chosen = [order[rng.integers(first, end)] for first, end in pairwise(edges.tolist())]
    held_out = np.zeros(len(starts), bool)
    held_out[chosen] = True
    return _lines_of(ids, lengths, ~held_out), _lines_of(ids, lengths, held_out)


def _lines_of(ids: Ids, lengths: NDArray[np.int64], which: NDArray[np.bool_]) -> Ids:
    """Return some of the lines as flat lines."""
    lines: Ids = ids[np.concatenate([[which.any()], np.repeat(which, lengths + 1)])]
    return lines


def in_another_order(ids: Ids, rng: np.random.Generator) -> Ids:
    """Return flat lines in a random order."""
    starts, lengths = line_bounds(ids)
    order = rng.permutation(len(starts))
    sizes = lengths[order] + 1
    first = starts[order] + 1 - (np.cumsum(sizes) - sizes)
    places = np.repeat(first, sizes) + np.arange(sizes.sum())
    shuffled: Ids = np.concatenate([ids[:1], ids[places]])
    return shuffled
