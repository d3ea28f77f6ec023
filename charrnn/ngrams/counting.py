"""How often each n-gram stands in a text, for all n up to an order.

An n-gram is packed into 64 bits, its first character in the highest. Sorted once, the keys of the
longest n-grams have those of all shorter ones as their beginnings, in the same order.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary import Ids

Keys = NDArray[np.uint64]
Indices = NDArray[np.int64]

KEY_BITS = 64

# The most characters to count: passages from all over a longer text. It takes some 60 bytes each.
MAX_COUNTED = 1 << 22
PASSAGES = 64


class Level(NamedTuple):
    """The E different n-grams of one length, in lexicographic order of their ids.

    keys       packed, (E,)
    counts     how often each occurs, (E,)
    parents    index, one level below, of the n-gram without its last character, (E,)
    suffixes   index, one level below, of the n-gram without its first character, (E,)
    """

    keys: Keys
    counts: Indices
    parents: Indices
    suffixes: Indices


def digit_bits(vocab_size: int) -> int:
    """Return the bits of a character in a key, in which 0 stands for none."""
    return vocab_size.bit_length()


def count_ngrams(
    ids: Ids, vocab_size: int, order: int, line_break: int | None = None
) -> list[Level]:
    """Return the n-grams of a text, of 1 to ``order`` characters, or fewer if the text is short.

    ids          the text, (N,), at least one character; only MAX_COUNTED characters are counted
    vocab_size   number of characters V
    order        the largest n; fewer if so many characters do not fit into a key
    line_break   id of the line break of flat lines, see ``text.lines``: an n-gram may begin or end
                 with it, but not reach beyond it. None: the text is no list of lines
    """
    bits = digit_bits(vocab_size)
    order = min(order, KEY_BITS // bits)
    keys = np.sort(_packed(sampled(ids), order, bits, line_break))
    counts = np.ones(len(keys), np.int64)
    found: list[tuple[Keys, Indices]] = []
    for _ in range(order):
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        keys, counts = keys[first], np.add.reduceat(counts, first)
        whole = (keys & _ones(bits)) != 0  # not cut short by the end of the text
        found.append((keys[whole], counts[whole]))
        keys = keys >> np.uint64(bits)
    levels: list[Level] = []
    below = np.zeros(1, np.uint64)
    for length, (keys, counts) in enumerate(reversed(found), 1):
        if not len(keys):
            break
        parents = np.searchsorted(below, keys >> np.uint64(bits))
        suffixes = np.searchsorted(below, keys & _ones(bits * (length - 1)))
        levels.append(Level(keys, counts, parents, suffixes))
        below = keys
    return levels


def last_characters(level: Level, bits: int) -> Indices:
    """Return the id of the last character of each n-gram, (E,)."""
    return (level.keys & _ones(bits)).astype(np.int64) - 1


def sampled(ids: Ids) -> Ids:
    """Return a text, or passages from all over it if it is longer than MAX_COUNTED."""
    if len(ids) <= MAX_COUNTED:
        return ids
    length = MAX_COUNTED // PASSAGES
    starts = np.linspace(0, len(ids) - length, PASSAGES).astype(int)
    return np.concatenate([ids[at : at + length] for at in starts])


def _packed(ids: Ids, order: int, bits: int, line_break: int | None) -> Keys:
    """Return the n-gram that begins at each character, (N,), with zeros behind its end."""
    digits = ids.astype(np.uint64) + np.uint64(1)
    keys = np.zeros(len(ids), np.uint64)
    inside = np.ones(len(ids), bool)
    for at in range(order):
        keys <<= np.uint64(bits)
        size = max(len(ids) - at, 0)
        if line_break is None:
            keys[:size] += digits[at:]
            continue
        keys[:size] += digits[at:] * inside[:size]
        if at:
            inside[:size] &= ids[at:] != line_break
    return keys


def _ones(bits: int) -> np.uint64:
    return np.uint64((1 << bits) - 1)
