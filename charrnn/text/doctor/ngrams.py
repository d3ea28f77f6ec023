"""How predictable a text is: what an n-gram model of one part leaves of another.

p(x | h) = max(c(h x) - D, 0) / n(h) + D t(h) / n(h) p(x | h') with c, n and t the counts of h x, of
h, and of the different characters after h; h' is h without its first character. That is absolute
discounting, interpolated (Ney, Essen & Kneser 1994). It takes a fraction of a second, where
training a network takes minutes.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary import Ids

# The longest context, in characters, and the discount.
LONGEST_CONTEXT, DISCOUNT = 4, 0.8
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Keys = NDArray[np.uint64]


def ngram_nats(train_ids: Ids, held_out: Ids, vocab_size: int) -> float:
    """Return the mean nats per character that an n-gram model leaves of a held-out text.

    train_ids    the text to count, (N,)
    held_out     the text to predict, (M,)
    vocab_size   different characters (V)
    """
    # A key is a hash of the context, and in its last bits the character.
    bits = np.uint64(max(vocab_size - 1, 1).bit_length())
    seen, unseen = train_ids.astype(np.uint64), held_out.astype(np.uint64)
    p = np.full(len(unseen), 1 / vocab_size)
    for order in range(min(LONGEST_CONTEXT + 1, len(seen), len(unseen))):
        counted, wanted = ((_contexts(ids, order) << bits) | ids[order:] for ids in (seen, unseen))
        p[order:] = _discounted(p[order:], np.sort(counted), wanted, bits)
    return float(-np.log(p).mean())


def _contexts(ids: Keys, order: int) -> Keys:
    """Return hashes of the so many characters before each, but for the first ones."""
    hashes = np.zeros(len(ids) - order, np.uint64)
    for back in range(1, order + 1):
        hashes = (hashes ^ (ids[order - back : len(ids) - back] + np.uint64(1))) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(32)
    return hashes


def _discounted(
    p: NDArray[np.float64], counted: Keys, wanted: Keys, bits: np.uint64
) -> NDArray[np.float64]:
    """Return the probabilities with contexts that are one character longer.

    counted   keys of the text that was counted, sorted
    """
    starts = _starts(counted)
    grams, count = counted[starts], np.diff(starts, append=len(counted))
    contexts = grams >> bits
    first = _starts(contexts)
    kinds = np.diff(first, append=len(contexts))
    totals = np.add.reduceat(count, first)
    c = _found(grams, count, wanted)
    n, t = (_found(contexts[first], values, wanted >> bits) for values in (totals, kinds))
    n = np.maximum(n, 1e-9)
    return np.where(t > 0, (np.maximum(c - DISCOUNT, 0) + DISCOUNT * t * p) / n, p)


def _starts(keys: Keys) -> NDArray[np.int64]:
    """Return where each run of equal keys begins."""
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def _found(keys: Keys, values: NDArray[np.int64], wanted: Keys) -> NDArray[np.float64]:
    """Return the value of each wanted key, 0 for one that is not there."""
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0).astype(float)
