"""How predictable a text is: what an n-gram model of one part leaves of another.

p(x | h) = max(c(h x) - D, 0) / n(h) + D t(h) / n(h) p(x | h') with c, n and t the counts of h x, of
h, and of the different characters after h; h' is h without its first character. That is absolute
discounting, interpolated (Ney, Essen & Kneser 1994). It takes a fraction of a second, where
training a network takes minutes.
"""

import numpy as np

from charrnn.ngrams.counting import count_ngrams, digit_bits, last_characters
from charrnn.text.vocabulary import Ids

# The longest context, in characters, and the discount.
LONGEST_CONTEXT, DISCOUNT = 4, 0.8


def ngram_nats(train_ids: Ids, held_out: Ids, vocab_size: int) -> float:
    """Return the mean nats per character that an n-gram model leaves of a held-out text.

    train_ids    the text to count, (N,)
    held_out     the text to predict, (M,)
    vocab_size   different characters (V); contexts are shorter if V is large, see ``count_ngrams``
    """
    V, ids = vocab_size, held_out.astype(np.int64)
    p = np.full(len(ids), 1 / V)
    contexts, count = np.zeros_like(ids), 1  # of each character, of so many; -1: was never there
    for level in count_ngrams(train_ids, V, LONGEST_CONTEXT + 1):
        grams = level.parents * V + last_characters(level, digit_bits(V))
        wanted = contexts * V + ids
        at = np.searchsorted(grams, wanted).clip(max=len(grams) - 1)
        there = grams[at] == wanted
        c = np.where(there, level.counts[at], 0)
        # One more for the context that was never there.
        n = np.bincount(level.parents, level.counts, count + 1)[contexts]
        t = np.bincount(level.parents, minlength=count + 1)[contexts]
        discounted = np.maximum(c - DISCOUNT, 0) + DISCOUNT * t * p
        p = np.divide(discounted, n, out=p, where=n > 0)
        contexts, count = np.where(there, at, -1), len(grams)
        contexts[1:], contexts[0] = contexts[:-1].copy(), -1
    return float(-np.log(p).mean())
