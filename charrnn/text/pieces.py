r"""Pieces: every line, poem or record of a text is an example of its own.

A piece ends with an END character: the separator if that is one character, such as a line break,
else U+001E. The first input of a piece is an END too, read from a zero state, so that the model
learns how pieces begin and where they end:

    inputs    END a b c
    targets   a   b c END

Ids are kept as one flat array that begins with an END and has one after every piece. Read from end
to end with a zero state at every END, each piece is an example: ``windows.Streams``.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.text.storage import BLOCK, blocks_of, release, store
from charrnn.text.vocabulary import Ids

# Indices in a text, in 32 bits if it is not too long: of short pieces they take more than its ids.
Places = NDArray[np.signedinteger[Any]]

# Pieces copied at once.
PIECES_AT_ONCE = 1 << 13


def flatten_pieces(ids: Ids, end: int) -> Ids:
    """Return a text as flat pieces: an END at both ends, no empty pieces.

    end   id of the END character
    """

    def blocks() -> Iterator[Ids]:
        around = np.array([end], ids.dtype)
        last = around
        yield around
        for block in chain(blocks_of(ids), [around]):
            text = np.concatenate([last, block])
            yield text[1:][(text[1:] != end) | (text[:-1] != end)]
            last = text[-1:]

    return store(blocks())


def find_ends(ids: Ids) -> Places:
    """Return the indices of the ENDs of flat pieces: of one more than there are pieces."""
    dtype = np.int32 if len(ids) < 1 << 31 else np.int64
    found, at = [np.empty(0, dtype)], 0
    for block in blocks_of(ids):
        found.append((np.flatnonzero(block == ids[0]) + at).astype(dtype))
        at += len(block)
    return np.concatenate(found)


def piece_bounds(ids: Ids) -> tuple[Places, Places]:
    """Return where the END before each piece is, and the length of the piece without it."""
    ends = find_ends(ids)
    return ends[:-1], np.diff(ends) - 1


class Sizes(NamedTuple):
    """The number of pieces, and the characters of the shortest and of the longest."""

    number: int
    shortest: int
    longest: int


def piece_sizes(ids: Ids) -> Sizes:
    """Return the sizes of flat pieces."""
    lengths = piece_bounds(ids)[1]
    return Sizes(len(lengths), int(lengths.min()), int(lengths.max()))


def shuffle_pieces(ids: Ids, rng: np.random.Generator) -> Ids:
    """Return flat pieces in a random order."""
    ends = find_ends(ids)
    order = np.arange(len(ends) - 1, dtype=ends.dtype)
    rng.shuffle(order)
    return copy_pieces(ids, ends, order)


def copy_pieces(ids: Ids, ends: Places, order: Places) -> Ids:
    """Return some of the pieces, in this order, as flat pieces."""

    def blocks() -> Iterator[Ids]:
        yield ids[: min(len(order), 1)]
        for number in range(0, len(order), PIECES_AT_ONCE):
            chosen = order[number : number + PIECES_AT_ONCE]
            sizes = ends[chosen + 1] - ends[chosen]
            stops = np.cumsum(sizes)
            shifts = ends[chosen] + 1 - (stops - sizes)  # from a place in the result to one in ids
            for at in range(0, int(stops[-1]), BLOCK):
                places = np.arange(at, min(at + BLOCK, int(stops[-1])))
                lengths = np.diff(stops.clip(at, at + len(places)), prepend=at)
                yield ids[np.repeat(shifts, lengths) + places]
            release(ids)

    return store(blocks())
