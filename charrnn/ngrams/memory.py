"""A memory of the text that is being read: counts of what followed its last few characters.

A recurrent network forgets a name after a few lines. A cache of the text recalls it (Kuhn & De Mori
1990; Grave et al. 2017). The model's probability of a character c, p_2, is mixed with the counts n
after each context, from the shortest to the longest, as in PPM (Cleary & Witten 1984):

    p_k(c) = (1 - l) p_(k-1)(c) + l n(h_k c) / n(h_k)        k = 3 ... 8

h_k is the last k characters. The weight l depends on k, on how often the text so far has h_k, and
on whether one character alone followed it; it is 0 if h_k is new. It is learned from the text by
online expectation maximization, and updated after every BLOCK characters:

    l = (PRIOR l_0 + sum of r) / (PRIOR + number of r)       r = l n(h_k c) / n(h_k) / p_k(c)

Last, the model with and without the memory are two experts in a Bayesian mixture,

    p(c) = w p_8(c) + (1 - w) p_2(c)        w / (1 - w) = product of p_8 / p_2 over the text so far

so the memory costs no text more than ln 2 nats.

A context is a key of 64 bits with its last character in the highest digit: in the sorted keys of
the text, all occurrences of a context of any length are neighbors. A digit is id + 1, and 0 before
the text. Of characters with wide digits, fewer fit, and the longest context is shorter.
"""

from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.count import KEY_BITS, Keys, digit_bits
from charrnn.text.vocabulary import Ids

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

MIN_ORDER, MAX_ORDER = 3, 8

# The most characters remembered. Of more, the last three quarters are kept.
MAX_CHARS = 4_000_000
# Characters that are looked up at once; after how many the weights are updated.
CHUNK, BLOCK = 1 << 16, 32

# Contexts that occurred once, 2 or 3 times, 4 to 7 times ... have different weights.
LEVELS = 6
# l_0 at each level, if different characters followed or a single one; it counts as so many uses.
SEVERAL, SINGLE = (0.05, 0.05, 0.05, 0.08, 0.1, 0.15), (0.07, 0.2, 0.4, 0.5, 0.6, 0.6)
PRIOR = 10

SMALLEST = 1e-300

# For one text, up to FEW entries are added without NumPy, which is faster. Of more of them, and of
# more than MANY for several texts, the counts are kept.
FEW, MANY = 32, 256


class Memory:
    """Counts of the text read so far, and the weights with which a model is mixed with them.

        memory = Memory(V)
        log_p = memory.read(ids, log_p)         # (N,): without the memory, and with it
        p = memory.probabilities(p, contexts)   # (B, V)

    vocab_size   number of characters V

    Attributes: ``context``, the key of the last characters. A copy (``copy.copy``) shares what was
    read; neither is changed by what the other reads.
    """

    def __init__(self, vocab_size: int) -> None:
        self._vocab_size, self._bits = vocab_size, np.uint64(digit_bits(vocab_size))
        # A key holds a context and the character that follows it.
        digits = min(MAX_ORDER + 1, KEY_BITS // int(self._bits))
        places = (digits - np.arange(digits + 1, dtype=np.uint64)) * self._bits
        self._top, self._shifts = places[1], places[MIN_ORDER:]
        self._masks = (np.uint64(1) << self._shifts) - np.uint64(1)
        self._mask_list = self._masks[:-1].tolist()
        self._first_digits = np.arange(1, vocab_size + 1, dtype=np.uint64) << self._top
        self._text, self.context = np.empty(0, np.uint32), np.uint64(0)
        # Of each character of the text, sorted by context: the context, the character, and how
        # often one of these differs from the one before it. Last, an entry that is never found.
        self._keys, self._after = np.full(1, ~np.uint64(0)), np.zeros(1, np.uint32)
        self._changes = np.zeros(1, np.int32)
        self._counted: dict[tuple[int, int], Indices] = {}
        start = np.zeros((len(self._shifts) - 1, LEVELS + 1, 2))
        start[:, 1:] = np.transpose([SEVERAL, SINGLE])
        self._weight_lists: list[list[list[float]]] = start.tolist()
        self._start = start.ravel()
        self._weights, self._work, self._uses = self._start, 0 * self._start, 0 * self._start
        self._read, self._log_odds, self._trust = 0, 0.0, 0.5

    def read(self, ids: Ids, log_p: Floats) -> NDArray[np.float64]:
        """Read on, and return log p of each character with the memory, (N,).

        ids     of the characters, (N,)
        log_p   of each under the model, (N,); 0 for one that is not predicted
        """
        parts = [np.empty(0)]
        for at in range(0, len(ids), CHUNK):
            chunk = ids[at : at + CHUNK].astype(np.uint32)
            contexts = self._contexts(chunk, self.context)
            shares, groups = self._look_up(contexts, chunk)
            parts.append(self._learn(log_p[at : at + CHUNK].astype(np.float64), shares, groups))
            self._store(contexts, chunk)
        return np.concatenate(parts)

    def feed(self, contexts: Keys, ids: NDArray[np.integer[Any]]) -> Keys:
        """Return the contexts after one more character of each text, ids (B,)."""
        if len(contexts) == 1:  # faster without NumPy
            digit = int(ids[0]) + 1 << int(self._top)
            return np.array([int(contexts[0]) >> int(self._bits) | digit], np.uint64)
        after: Keys = contexts >> self._bits | self._first_digits[ids]
        return after

    def predict(self, contexts: Keys) -> tuple[Floats, Floats]:
        """Return what the memory adds to p of each character, (B, V), and the weight of the model.

        contexts   keys of the last characters of each text, (B,)
        """
        recalled, kept = self._recall(contexts)
        return recalled.astype(np.float32), kept.astype(np.float32)

    def probabilities(self, p: Floats, contexts: Keys) -> Floats:
        """Return p of all characters with the memory, (B, V), from those under the model."""
        recalled, kept = self._recall(contexts)
        return p * kept + recalled

    def _recall(self, contexts: Keys) -> tuple[Floats, Floats]:
        if len(contexts) == 1:
            return self._recall_one(int(contexts[0]))
        lows, highs = (bounds[:, :-1] for bounds in self._find(contexts))
        sizes = highs - lows
        single = self._changes[lows] == self._changes[highs - 1]
        weights = self._weights.take(_group(sizes.T, single.T).T)
        # What this context and longer ones leave to shorter ones.
        left = np.multiply.accumulate(1 - weights[:, ::-1], axis=1)[:, ::-1]
        shares = weights * self._trust / np.maximum(sizes, 1)
        shares[:, :-1] *= left[:, 1:]
        many = np.argwhere(sizes > MANY)
        counted = [self._count(lows[row, at], highs[row, at]) * shares[row, at] for row, at in many]
        sizes[sizes > MANY] = 0
        rows = np.arange(len(contexts)).repeat(sizes.sum(axis=1))
        sizes = sizes.ravel()
        entries = np.arange(len(rows)) + (highs.ravel() - sizes.cumsum()).repeat(sizes)
        places = rows * self._vocab_size + self._after[entries]
        size = len(left) * self._vocab_size
        found: Any = np.bincount(places, shares.ravel().repeat(sizes), size)
        recalled = found.reshape(len(left), -1).astype(np.float64)  # of nothing, it is an integer
        for (row, _), part in zip(many, counted, strict=True):
            recalled[row] += part
        kept = 1 - self._trust + self._trust * np.multiply.reduce(1 - weights, axis=1)
        return recalled, kept[:, None]

    def _recall_one(self, context: int) -> tuple[Floats, Floats]:
        """Do what ``_recall`` does for one text, faster."""
        keys, changes, after = self._keys.data, self._changes.data, self._after.data
        low, high, left, found = 0, len(keys), 1.0, []
        for mask, weights in zip(self._mask_list, self._weight_lists, strict=True):
            low = bisect_left(keys, context & ~mask, low, high)
            high = bisect_right(keys, context | mask, low, high)
            if low == high:
                break
            single = changes[low] == changes[high - 1]
            weight = weights[min((high - low).bit_length(), LEVELS)][single]
            left *= 1 - weight
            found.append((low, high, weight / left / (high - low)))
        recalled, trust = np.zeros(self._vocab_size), self._trust * left
        entry: Any = recalled.data
        for low, high, share in found:
            if high - low > FEW:
                recalled += self._count(low, high) * (trust * share)
                continue
            for character in after[low:high]:
                entry[character] += trust * share
        return recalled[None], np.array([[1 - self._trust + trust]])

    def _count(self, low: int, high: int) -> Indices:
        """Return how often each character is among some entries, (V,)."""
        low, high = int(low), int(high)
        if (low, high) not in self._counted:
            self._counted[low, high] = np.bincount(self._after[low:high], None, self._vocab_size)
        return self._counted[low, high]

    def _contexts(self, ids: Ids, before: np.uint64) -> Keys:
        """Return the contexts before and after each character that follows a context, (N + 1,)."""
        contexts = np.zeros(len(ids) + 1, np.uint64)
        ages = np.arange(int(self._top // self._bits) + 1, dtype=np.uint64)[: len(ids) + 1]
        for age in ages[: len(ids)].tolist():
            contexts[age + 1 :] |= self._first_digits[ids[: len(ids) - age]] >> age * self._bits
        contexts[: len(ages)] |= before >> ages * self._bits
        return contexts

    def _find(self, contexts: Keys) -> tuple[Indices, Indices]:
        """Return where the entries of contexts (B,) of each length begin and end, (B, K + 1)."""
        lows = self._keys.searchsorted(contexts[:, None] & ~self._masks)
        return lows, self._keys.searchsorted(contexts[:, None] | self._masks, "right")

    def _look_up(self, contexts: Keys, ids: Ids) -> tuple[NDArray[np.float64], Indices]:
        """Return n(h_k c) / n(h_k) and the group of l, each (K, N).

        contexts   before each character and after all, (N + 1,)
        ids        of the characters, (N,)
        """
        shape = len(self._shifts), len(contexts)
        counts, single = np.empty(shape, np.int64), np.empty(shape, bool)
        places, ids = np.arange(len(contexts)), np.append(ids, 0)
        all_lows, all_highs = self._find(contexts)
        for row, shift in enumerate(self._shifts):
            # Sorted by context, and then by place.
            order = (contexts >> shift).argsort(kind="stable")
            key, after = (contexts >> shift)[order], ids[order]
            differ = np.append(True, key[1:] != key[:-1])
            first = np.maximum.accumulate(np.where(differ, places, 0))
            changes = np.append(0, after[1:] != after[:-1]).cumsum()
            low, high = all_lows[order, row], all_highs[order, row]
            now, old = places - first, high - low
            counts[row, order] = now + old
            single[row, order] = (
                ((now == 0) | (changes[places - 1] == changes[first]))
                & ((old == 0) | (self._changes[high - 1] == self._changes[low]))
                & ((now == 0) | (old == 0) | (self._after[low] == after[first]))
            )
        totals = counts[:-1, :-1]
        return counts[1:, 1:] / np.maximum(totals, 1), _group(totals, single[:-1, :-1])

    def _learn(
        self, log_p: NDArray[np.float64], shares: NDArray[np.float64], groups: Indices
    ) -> NDArray[np.float64]:
        """Return log p with the memory, (N,), and learn the weights."""
        mixed, begin = np.maximum(np.exp(log_p), SMALLEST), 0
        while begin < len(mixed):
            block = slice(begin, begin + BLOCK - self._read % BLOCK)
            group = groups[:, block]
            weights = self._weights.take(group)
            added, kept, p = weights * shares[:, block], 1 - weights, mixed[block]
            after = np.empty_like(added)
            for row, left in enumerate(kept):
                after[row] = p = p * left + added[row]
            mixed[block] = p
            work = np.bincount(group.ravel(), (added / after).ravel(), len(self._start))
            self._work = self._work + work
            self._uses = self._uses + np.bincount(group.ravel(), minlength=len(self._start))
            begin, self._read = begin + len(p), self._read + len(p)
            if self._read % BLOCK == 0:
                learned = PRIOR * self._start + self._work
                self._weights = learned / (PRIOR + self._uses)
        self._weight_lists = self._weights.reshape(-1, LEVELS + 1, 2).tolist()
        odds = self._log_odds + np.append(0, np.cumsum(np.log(mixed) - log_p))
        self._log_odds = float(odds[-1])
        self._trust = float(np.exp(-np.logaddexp(0, -self._log_odds)))
        return log_p + np.diff(np.logaddexp(0, odds))

    def _store(self, contexts: Keys, ids: Ids) -> None:
        """Add the characters that followed contexts, and forget the oldest if they are too many."""
        self._text, self.context = np.append(self._text, ids), contexts[-1]
        if len(self._text) > MAX_CHARS:
            ids = self._text = self._text[-(MAX_CHARS * 3 // 4) :]
            contexts = self._contexts(ids, np.uint64(0))
            self._keys, self._after = self._keys[-1:], self._after[-1:]
        order = contexts[:-1].argsort()
        at = self._keys.searchsorted(contexts[order])
        self._keys = np.insert(self._keys, at, contexts[order])
        self._after = np.insert(self._after, at, ids[order])
        self._counted = {}
        differ = self._after[1:] != self._after[:-1]
        self._changes = np.append(np.int32(0), differ.cumsum(dtype=np.int32))


def _group(sizes: Indices, single: NDArray[np.bool_]) -> Indices:
    """Return the group of l of contexts (K, ...), from how often each occurred."""
    levels = np.minimum(np.frexp(sizes)[1], LEVELS)
    orders = np.arange(len(sizes)).reshape(-1, *[1] * (sizes.ndim - 1))
    return 2 * ((LEVELS + 1) * orders + levels) + single
