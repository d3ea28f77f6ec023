"""Counts of all n-grams of a text, up to an order, in one sorted table.

An n-gram is packed into a 64-bit key, its last character in the lowest digit. A digit is id + 1,
and 0 above the first character: so shorter n-grams sort before longer ones, and those with the same
context, the n-gram without its last character, are neighbors.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary import Ids

Keys = NDArray[np.uint64]
Integers = NDArray[np.int32]

KEY_BITS = 64

# Bounds of the memory, some 60 MB, and of the file, 2.4 MB. A longer text is counted in passages
# from all over it. Of more n-grams, the rarest go, and of equally rare ones the longest.
MAX_COUNTED, PASSAGES = 1 << 21, 64
MAX_ENTRIES = 600_000


class Counts(NamedTuple):
    """E n-grams of all lengths, sorted by key. The first is the empty one, all of it 0.

    keys       (E,)
    counts     how often each occurs, (E,)
    adjusted   number of different characters before it; its count if there are none, (E,)
    totals     sum of ``adjusted`` over all n-grams of the text with the same context, (E,)
    """

    keys: Keys
    counts: Integers
    adjusted: Integers
    totals: Integers


def digit_bits(vocab_size: int) -> int:
    """Return the number of bits of a digit; the largest, all ones, is not a character."""
    return (vocab_size + 1).bit_length()


def low_digits(count: int, vocab_size: int) -> np.uint64:
    """Return a mask of the last ``count`` digits of a key."""
    return np.uint64((1 << count * digit_bits(vocab_size)) - 1)


def count_ngrams(
    ids: Ids,
    vocab_size: int,
    order: int,
    *,
    end: int | None = None,
    max_entries: int = MAX_ENTRIES,
) -> Counts:
    """Count the n-grams of a text and keep the most frequent.

    ids           the text, (N,), at least one character
    vocab_size    number of characters V
    order         the largest n; fewer if so many digits do not fit into a key
    end           id of the END of flat pieces (``text.pieces``): an n-gram may begin or end with
                  it, but does not reach beyond it. None: the text is a stream
    max_entries   how many n-grams to keep beside the single characters
    """
    bits, last = np.uint64(digit_bits(vocab_size)), low_digits(1, vocab_size)
    order = min(order, KEY_BITS // int(bits))
    keys = _pack_longest(_sample(ids), order, bits, end)
    keys.sort()
    counts, longer = np.ones(len(keys), np.int32), np.empty(0, np.uint64)
    levels: list[Counts] = []
    for length in range(order, 0, -1):
        first = np.flatnonzero(_differ(keys))
        keys, counts = keys[first], np.add.reduceat(counts, first, dtype=np.int32)
        complete = (keys & last) != 0  # not cut short by the end of the text or piece
        suffixes, longer = longer & low_digits(length, vocab_size), keys[complete]
        levels.append(_count_level(longer, counts[complete], suffixes, bits))
        if length > 1:
            _drop_rare(levels, max_entries)
        keys = keys >> bits
    levels.append(Counts._make(np.zeros(1, column.dtype) for column in levels[0]))
    return Counts._make(map(np.concatenate, zip(*reversed(levels), strict=True)))


def _count_level(keys: Keys, counts: Integers, suffixes: Keys, bits: np.uint64) -> Counts:
    """Return the n-grams of one length, given the suffixes of this length of all longer ones."""
    adjusted = counts.copy()
    after, before = np.unique(suffixes, return_counts=True)
    adjusted[keys.searchsorted(after)] = before
    begins = np.flatnonzero(_differ(keys >> bits))
    totals = np.add.reduceat(adjusted, begins, dtype=np.int32) if len(keys) else adjusted
    return Counts(keys, counts, adjusted, totals.repeat(np.diff(begins, append=len(keys))))


def _drop_rare(levels: list[Counts], max_entries: int) -> None:
    """Shorten levels, the longest n-grams first, until they have so many entries at most.

    No n-gram is rarer than one that begins with it: so its beginnings stay.
    """
    excess, rare = sum(len(level.keys) for level in levels) - max_entries, 0
    while excess > 0:
        rare += 1
        for at, level in enumerate(levels):
            dropped = np.flatnonzero(level.counts <= rare)
            if len(dropped) > excess:
                dropped = dropped[np.linspace(0, len(dropped) - 1, excess).astype(int)]
            levels[at] = Counts._make(np.delete(column, dropped) for column in level)
            excess -= len(dropped)


def _differ(keys: Keys) -> NDArray[np.bool_]:
    """Return whether each key differs from the one before it, (N,)."""
    return np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]])


def _sample(ids: Ids) -> Ids:
    """Return a text, or passages from all over it if it is longer than MAX_COUNTED."""
    if len(ids) <= MAX_COUNTED:
        return ids
    length = MAX_COUNTED // PASSAGES
    starts = np.linspace(0, len(ids) - length, PASSAGES).astype(int)
    return np.concatenate([ids[at : at + length] for at in starts])


def _pack_longest(ids: Ids, order: int, bits: np.uint64, end: int | None) -> Keys:
    """Return the n-gram that begins at each character, (N,), with zeros behind its end."""
    digits = ids.astype(np.uint32) + np.uint32(1)
    keys, inside = np.zeros(len(ids), np.uint64), np.ones(len(ids), bool)
    for at in range(order):
        keys <<= bits
        size = max(len(ids) - at, 0)
        keys[:size] += digits[at:] * inside[:size]
        if at and end is not None:
            inside[:size] &= ids[at:] != end
    return keys
