r"""Line mode: every line of a text is an example of its own.

Its first input is a line break, read from a zero state, and its last target is one too, so that the
model learns how lines begin and where they end:

    inputs    \n a b c
    targets   a  b c \n

Ids are kept as one flat array that begins with a line break and has one after every line. Read from
end to end with a zero state at every line break, each line is an example: ``windows.Streams``.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.randomness import Purpose, generator
from charrnn.text.storage import BLOCK, blocks_of, release, store
from charrnn.text.vocabulary import Ids

# What is held out for validation: this share of the lines, up to this many characters.
HELD_OUT, MAX_HELD_OUT = 0.05, 20_000
MIN_LINES = 200

# Lines copied at once.
LINES_AT_ONCE = 1 << 13


def unify_line_breaks(pieces: Iterable[str]) -> Iterator[str]:
    r"""Yield a text with \n for every line break: \n, \r\n or \r, and nothing else, ends a line."""
    decoder = io.IncrementalNewlineDecoder(None, translate=True)
    yield from map(decoder.decode, pieces)
    yield decoder.decode("", final=True)


def cut_lines(text: str) -> list[str]:
    r"""Return the lines of a text without their line breaks, which are \n, \r\n and \r."""
    lines = "".join(unify_line_breaks([text])).split("\n")
    return lines if lines[-1] else lines[:-1]


def as_lines(ids: Ids, newline: int) -> Ids:
    """Return a text as flat lines: a line break at both ends, no empty lines.

    newline   id of the line break
    """

    def blocks() -> Iterator[Ids]:
        around = np.array([newline], ids.dtype)
        last = around
        yield around
        for block in chain(blocks_of(ids), [around]):
            text = np.concatenate([last, block])
            yield text[1:][(text[1:] != newline) | (text[:-1] != newline)]
            last = text[-1:]

    return store(blocks())


def find_line_breaks(ids: Ids) -> NDArray[np.int64]:
    """Return the indices of the line breaks of flat lines: of one more than there are lines."""
    found, at = [np.empty(0, np.int64)], 0
    for block in blocks_of(ids):
        found.append(np.flatnonzero(block == ids[0]) + at)
        at += len(block)
    return np.concatenate(found)


def line_bounds(ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the line break before each line is, and the length of the line without it."""
    breaks = find_line_breaks(ids)
    return breaks[:-1], np.diff(breaks) - 1


def split_lines(ids: Ids, fraction: float | None, random_seed: int) -> tuple[Ids, Ids]:
    """Return the lines to train on and those held out, as flat lines.

    fraction   share of the lines to hold out. None: a twentieth, none of fewer than MIN_LINES

    Lines are held out at random, as many short ones as long ones for their number; never the end of
    the text, which is the end of the alphabet in a sorted list. Copies of a held-out line stay in
    the training part, so a list should have none.
    """
    breaks = find_line_breaks(ids)
    count = len(breaks) - 1
    if count < 1:
        raise CorpusError("all lines are empty: there is nothing to learn from")
    if fraction is None:
        fraction = HELD_OUT if count >= MIN_LINES else 0.0
        fraction = min(fraction, MAX_HELD_OUT / len(ids))
    wanted = min(round(fraction * count), count - 1)
    held_out = np.zeros(count, bool)
    if wanted:
        rng = generator(random_seed, Purpose.SPLIT)
        order = np.lexsort((rng.random(count), np.diff(breaks)))
        # One from each of as many groups of neighbors in length.
        edges = np.linspace(0, count, wanted + 1).astype(int)
        held_out[[order[rng.integers(*edge)] for edge in pairwise(edges.tolist())]] = True
    train, val = (np.flatnonzero(part) for part in (~held_out, held_out))
    return copy_lines(ids, breaks, train), copy_lines(ids, breaks, val)


def shuffle_lines(ids: Ids, rng: np.random.Generator) -> Ids:
    """Return flat lines in a random order."""
    breaks = find_line_breaks(ids)
    return copy_lines(ids, breaks, rng.permutation(len(breaks) - 1))


def copy_lines(ids: Ids, breaks: NDArray[np.int64], order: NDArray[np.int64]) -> Ids:
    """Return some of the lines, in this order, as flat lines."""

    def blocks() -> Iterator[Ids]:
        yield ids[: min(len(order), 1)]
        for number in range(0, len(order), LINES_AT_ONCE):
            chosen = order[number : number + LINES_AT_ONCE]
            sizes = breaks[chosen + 1] - breaks[chosen]
            ends = np.cumsum(sizes)
            shifts = breaks[chosen] + 1 - (ends - sizes)  # from a place in the result to one in ids
            for at in range(0, int(ends[-1]), BLOCK):
                places = np.arange(at, min(at + BLOCK, int(ends[-1])))
                lengths = np.diff(ends.clip(at, at + len(places)), prepend=at)
                yield ids[np.repeat(shifts, lengths) + places]
            release(ids)

    return store(blocks())
