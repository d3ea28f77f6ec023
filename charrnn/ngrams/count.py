"""Counts of all n-grams of a text, up to an order, in one sorted table.

An n-gram is packed into a 64-bit key, its last character in the lowest digit. A digit is id + 1,
and 0 above the first character: so shorter n-grams sort before longer ones, and those with the same
context, the n-gram without its last character, are neighbors.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.text.storage import release
from charrnn.text.vocabulary import Ids

Keys = NDArray[np.uint64]
Integers = NDArray[np.integer[Any]]
Indices = NDArray[np.intp]

KEY_BITS = 64

# Bounds of the memory, some 50 MB, and of the file, 2.4 MB. A longer text is counted in passages
# from all over it. Of more n-grams, the rarest go, and of equally rare ones the longest.
MAX_COUNTED, PASSAGES = 1 << 21, 64
MAX_ENTRIES = 600_000


class Counts(NamedTuple):
    """E n-grams of all lengths, sorted by key. The first is the empty one, all of it 0.

    keys       (E,). With an n-gram, all its prefixes are in the table
    adjusted   number of different characters before it; its count if there are none, (E,)
    dropped    sum of ``adjusted`` over the n-grams with this context that are left out, (E,)
    """

    keys: Keys
    adjusted: Integers
    dropped: Integers


class _Level(NamedTuple):
    """All n-grams of one length, N of them, the columns (N,).

    counts   how often each occurs
    totals   sum of ``adjusted`` over all n-grams of the text with the same context
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


def max_order(order: int, vocab_size: int) -> int:
    """Return the order, or the largest whose digits fit into a key."""
    return min(order, KEY_BITS // digit_bits(vocab_size))


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
    order         the largest n, if its digits fit into a key
    end           id of the END of flat pieces (``text.pieces``): an n-gram may begin or end with
                  it, but does not reach beyond it. None: the text is a stream
    max_entries   how many n-grams to keep beside the single characters
    """
    bits, last = np.uint64(digit_bits(vocab_size)), low_digits(1, vocab_size)
    order = max_order(order, vocab_size)
    keys = _pack_longest(_sample(ids), order, bits, end)
    keys.sort()
    counts, longer = np.ones(len(keys), np.int8), np.empty(0, np.uint64)
    levels: list[_Level] = []
    for length in range(order, 0, -1):
        first = begins_of(keys)
        keys, counts = keys[first], np.add.reduceat(counts, first, dtype=np.int32)
        complete = (keys & last) != 0  # not cut short by the end of the text or piece
        suffixes, longer = longer & low_digits(length, vocab_size), keys[complete]
        levels.append(_count_level(longer, counts[complete], suffixes, bits))
        if length > 1:
            _drop_rare(levels, max_entries)
        keys = keys >> bits
    return _join(levels, vocab_size)


def recode(counts: Counts, vocab_size: int, ids: Ids, new_size: int) -> Counts:
    """Return the counts in a vocabulary of ``new_size`` characters, where ``ids`` (V,) are the old.

    The new ids must be in the order of the old ones.
    """
    bits, new_bits = digit_bits(vocab_size), digit_bits(new_size)
    digits = np.append(0, ids.astype(np.uint64) + np.uint64(1)).astype(np.uint64)
    keys = np.zeros_like(counts.keys)
    for at in range(KEY_BITS // new_bits):
        old = counts.keys >> np.uint64(at * bits) & low_digits(1, vocab_size)
        keys |= digits[old.astype(np.intp)] << np.uint64(at * new_bits)
    return counts._replace(keys=keys)


def merge_counts(first: Counts, second: Counts, vocab_size: int) -> Counts:
    """Return the counts of two texts together, both of n-grams up to the same order."""
    keys = np.concatenate([first.keys, second.keys])
    keys, places, times = np.unique(keys, return_inverse=True, return_counts=True)
    columns = [(first.adjusted, second.adjusted), (first.dropped, second.dropped)]
    adjusted, dropped = (
        np.bincount(places, np.concatenate(column)).astype(np.int32) for column in columns
    )
    lengths = levels_of(keys, vocab_size)
    for length, level in enumerate(lengths[2:], 1):
        # A character before an n-gram in both texts is one.
        suffixes = keys[level][times[level] == 2] & low_digits(length, vocab_size)
        at = np.minimum(keys.searchsorted(suffixes), len(keys) - 1)
        np.subtract.at(adjusted, at[keys[at] == suffixes], 1)
    adjusted[1:] = np.maximum(adjusted[1:], 1)
    parents = np.append(0, parents_of(keys, vocab_size))
    totals = dropped + np.bincount(parents[1:], adjusted[1:], len(keys)).astype(np.int32)
    # How often each occurs, but for the end of the text.
    counts = adjusted.copy()
    for level in reversed(lengths[2:]):
        sums = np.bincount(parents[level], counts[level], len(keys))
        counts = np.maximum(counts, sums.astype(np.int32))
    whole = _Level(keys, counts, adjusted, totals[parents])
    levels = [_Level._make(column[level] for column in whole) for level in reversed(lengths[1:])]
    longer, single = levels[:-1], levels[-1:]
    _drop_rare(longer, MAX_ENTRIES)
    return _join(longer + single, vocab_size)


def levels_of(keys: Keys, vocab_size: int) -> list[slice]:
    """Return where the n-grams of each length are among sorted keys, the empty one first."""
    length = -(-int(keys[-1]).bit_length() // digit_bits(vocab_size))
    masks = np.array([low_digits(n, vocab_size) for n in range(length + 1)], np.uint64)
    ends = keys.searchsorted(masks, "right").tolist()
    return [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def parents_of(keys: Keys, vocab_size: int) -> Indices:
    """Return the entry of the context of each n-gram in a table but the empty one, (E - 1,)."""
    return keys.searchsorted(keys[1:] >> np.uint64(digit_bits(vocab_size)))


def _join(levels: list[_Level], vocab_size: int) -> Counts:
    """Return the counts of all levels, the longest n-grams first."""
    empty = _Level._make(np.zeros(1, column.dtype) for column in levels[0])
    keys, _, adjusted, totals = map(np.concatenate, zip(empty, *reversed(levels), strict=True))
    parents, dropped = parents_of(keys, vocab_size), np.zeros(len(keys), np.int32)
    dropped[parents] = totals[1:]
    dropped -= np.bincount(parents, adjusted[1:], len(keys)).astype(np.int32)
    return Counts(keys, adjusted, dropped)


def _count_level(keys: Keys, counts: Integers, suffixes: Keys, bits: np.uint64) -> _Level:
    """Return the n-grams of one length, given the suffixes of this length of all longer ones."""
    adjusted = counts.copy()
    suffixes.sort()
    first = begins_of(suffixes)
    adjusted[keys.searchsorted(suffixes[first])] = np.diff(first, append=len(suffixes))
    begins = begins_of(keys >> bits)
    totals = np.add.reduceat(adjusted, begins, dtype=np.int32) if len(keys) else adjusted
    return _Level(keys, counts, adjusted, totals.repeat(np.diff(begins, append=len(keys))))


def _drop_rare(levels: list[_Level], max_entries: int) -> None:
    """Shorten levels, the longest n-grams first, until they have this many entries at most.

    No n-gram is rarer than one that begins with it: so its beginnings stay.
    """
    excess, rare = sum(len(level.keys) for level in levels) - max_entries, 0
    while excess > 0:
        rare += 1
        for at, level in enumerate(levels):
            dropped = np.flatnonzero(level.counts <= rare)
            if len(dropped) > excess:
                dropped = dropped[np.linspace(0, len(dropped) - 1, excess).astype(int)]
            levels[at] = _Level._make(np.delete(column, dropped) for column in level)
            excess -= len(dropped)


def begins_of(keys: Keys) -> Indices:
    """Return where equal ones of sorted keys begin."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])


def _sample(ids: Ids) -> Ids:
    """Return a text, or passages from all over it if it is longer than MAX_COUNTED."""
    if len(ids) <= MAX_COUNTED:
        return ids
    length = MAX_COUNTED // PASSAGES
    starts = np.linspace(0, len(ids) - length, PASSAGES).astype(int)
    passages = np.concatenate([ids[at : at + length] for at in starts])
    release(ids)
    return passages


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
