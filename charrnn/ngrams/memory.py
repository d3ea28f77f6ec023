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
from charrnn.nn.cell import Array
from charrnn.text.vocabulary import Ids

Indices = NDArray[np.int64]

MIN_ORDER, MAX_ORDER = 3, 8

# The most characters remembered. Of more, the last three quarters are kept.
MAX_CHARS = 4_000_000
# Characters that are looked up at once; after how many the weights are updated.
CHUNK, BLOCK = 1 << 16, 32

# Contexts that occurred once, 2 or 3 times, 4 to 7 times ... have different weights.
LEVELS = 6
# l_0 at each level, if different characters followed or a single one; it counts as this many uses.
SEVERAL, SINGLE = (0.05, 0.05, 0.05, 0.08, 0.1, 0.15), (0.07, 0.2, 0.4, 0.5, 0.6, 0.6)
PRIOR = 10

SMALLEST = 1e-300

# For one text, up to FEW entries are added without NumPy. Of more, and of more than MANY for
# several texts, the counts are kept.
FEW, MANY = 32, 256


class Memory:
    """Counts of the text read so far, and the weights with which a model is mixed with them.

        memory = Memory(V)
        log_p = memory.read(ids, log_p)                  # (N,): without the memory, and with it
        recalled, kept = memory.predict(contexts)        # p of all is then p * kept + recalled

    vocab_size   number of characters V

    Attributes: ``context``, the key of the last characters. A copy (``copy.copy``) shares what was
    read; neither is changed by what the other reads.
    """

    def __init__(self, vocab_size: int) -> None:
        self._vocab_size, self._bits = vocab_size, digit_bits(vocab_size)
        # A key holds a context and the character that follows it.
        size = min(MAX_ORDER + 1, KEY_BITS // self._bits)
        self._places = (size - 1 - np.arange(size, dtype=np.uint64)) * np.uint64(self._bits)
        self._shifts = self._places[MIN_ORDER - 1 :]  # from a key to a context of each length
        self._masks = (np.uint64(1) << self._shifts) - np.uint64(1)
        # Its digits, after those before it.
        self._text, self.context = np.zeros(size, np.uint32), np.uint64(0)
        # Of each character of the text, sorted by context: the context, the character, and how
        # often one of these differs from the one before it. Last, an entry that is never found.
        self._keys, self._after = np.full(1, ~np.uint64(0)), np.zeros(1, np.uint32)
        self._changes = np.zeros(1, np.int32)
        self._counted: dict[tuple[int, int], Indices] = {}
        start = np.zeros((len(self._shifts) - 1, LEVELS + 1, 2))
        start[:, 1:] = np.transpose([SEVERAL, SINGLE])
        self._weights = self._start = start.ravel()
        self._work, self._uses = 0 * self._start, 0 * self._start
        self._levels = self._list_levels()
        self._read, self._log_odds, self._trust = 0, 0.0, 0.5

    def read(self, ids: Ids, log_p: Array) -> NDArray[np.float64]:
        """Read on, and return log p of each character with the memory, (N,).

        ids     of the characters, (N,)
        log_p   of each under the model, (N,); 0 for one that is not predicted
        """
        parts = [np.empty(0)]
        for at in range(0, len(ids), CHUNK):
            digits = ids[at : at + CHUNK].astype(np.uint32) + np.uint32(1)
            contexts = self._contexts(np.append(self._text[-len(self._places) :], digits))
            shares, groups = self._look_up(contexts)
            parts.append(self._learn(log_p[at : at + CHUNK].astype(np.float64), shares, groups))
            self._store(contexts, digits)
        return np.concatenate(parts)

    def feed(self, contexts: Keys, ids: NDArray[np.integer[Any]]) -> Keys:
        """Return the contexts after one more character of each text, ids (B,)."""
        top = (len(self._places) - 1) * self._bits
        keys = zip(contexts.tolist(), ids.tolist(), strict=True)
        return np.array([key >> self._bits | chosen + 1 << top for key, chosen in keys], np.uint64)

    def predict(self, contexts: Keys) -> tuple[Array, Array]:
        """Return what the memory adds to p of each character, (B, V), and the weight of the model.

        contexts   keys of the last characters of each text, (B,)
        """
        if len(contexts) == 1:
            return self._predict_one(int(contexts[0]))
        lows, highs = (bounds[:-1] for bounds in self._find(contexts))  # (K, B)
        sizes, B = highs - lows, len(contexts)
        single = self._changes[lows] == self._changes[highs - 1]
        weights = self._weights.take(_group(sizes, single))
        # What each length and the longer ones leave to the shorter ones.
        left = np.multiply.accumulate(1 - weights[::-1], axis=0)[::-1]
        shares = self._trust * weights / np.maximum(sizes, 1)
        shares[:-1] *= left[1:]
        many = np.argwhere(sizes > MANY)
        counted = [self._count(int(lows[*at]), int(highs[*at])) * shares[*at] for at in many]
        sizes[sizes > MANY] = 0
        which = np.arange(sizes.size).repeat(sizes.ravel())
        entries = np.arange(len(which)) + (highs.ravel() - sizes.cumsum()).take(which)
        places = which % B * self._vocab_size + self._after[entries]
        found = np.bincount(places, shares.ravel().take(which), B * self._vocab_size)
        recalled = found.reshape(B, -1).astype(np.float64)  # of nothing, it is an integer
        for (_, row), part in zip(many, counted, strict=True):
            recalled[row] += part
        kept = 1 - self._trust + self._trust * np.multiply.reduce(1 - weights, axis=0)
        return recalled, kept[:, None]

    def mix(self, p: NDArray[np.float64], contexts: Keys) -> None:
        """Mix with what a model predicts after contexts (B,), in place.

        p   of all characters, (B, V), up to a factor for each row
        """
        recalled, kept = self.predict(contexts)
        p /= p.sum(axis=1, keepdims=True)
        p *= kept
        p += recalled

    def _predict_one(self, context: int) -> tuple[Array, Array]:
        """Do what ``predict`` does, faster."""
        keys, changes, after = self._keys.data, self._changes.data, self._after.data
        low, high, left, found = 0, len(keys), 1.0, []
        for mask, weights in self._levels:
            low = bisect_left(keys, context & ~mask, low, high)
            high = bisect_right(keys, context | mask, low, high)
            if low == high:
                break
            single = changes[low] == changes[high - 1]
            weight = weights[min((high - low).bit_length(), LEVELS)][single]
            left *= 1 - weight
            found.append((low, high, weight / left / (high - low)))
        recalled, trust = np.zeros((1, self._vocab_size)), self._trust * left
        entry: Any = recalled[0].data
        for low, high, share in found:
            if high - low > FEW:
                recalled += self._count(low, high) * (trust * share)
                continue
            for character in after[low:high]:
                entry[character] += trust * share
        return recalled, np.array([[1 - self._trust + trust]])

    def _count(self, low: int, high: int) -> Indices:
        """Return how often each character is among some entries, (V,)."""
        if (low, high) not in self._counted:
            self._counted[low, high] = np.bincount(self._after[low:high], None, self._vocab_size)
        return self._counted[low, high]

    def _contexts(self, digits: NDArray[np.uint32]) -> Keys:
        """Return the contexts after as many digits as fit into a key, and after each that follows.

        digits   of a text, ids + 1, after those before it
        """
        size = len(self._places)
        contexts = np.zeros(len(digits) - size + 1, np.uint64)
        for age, place in enumerate(self._places):
            contexts |= digits[size - 1 - age : len(digits) - age].astype(np.uint64) << place
        return contexts

    def _find(self, contexts: Keys) -> tuple[Indices, Indices]:
        """Return where the entries of contexts (B,) of each length begin and end, (K + 1, B)."""
        lows = self._keys.searchsorted(contexts & ~self._masks[:, None])
        return lows, self._keys.searchsorted(contexts | self._masks[:, None], "right")

    def _look_up(self, contexts: Keys) -> tuple[NDArray[np.float64], Indices]:
        """Return n(h_k c) / n(h_k) and the group of l of each character, (K, N).

        contexts   before each character and after all, (N + 1,)
        """
        lows, highs = self._find(contexts)
        counts, single = highs - lows, np.empty(lows.shape, bool)
        places = np.arange(len(contexts))
        for row in reversed(range(len(lows))):
            keys = contexts >> self._shifts[row]
            order = keys.argsort(kind="stable")  # by context, and then by place
            keys, old = keys[order], counts[row, order]
            differ = np.append(True, keys[1:] != keys[:-1])
            new = places - np.maximum.accumulate(np.where(differ, places, 0))
            counts[row, order] = total = old + new
            if row < len(lows) - 1:
                # One character alone followed if it did so each time: where this was read, or what
                # is stored, the last occurrence tells.
                after_last = counts[row + 1].take(order[places - 1] + 1, mode="clip") + 1
                low, high = lows[row, order], highs[row, order]
                stored = self._changes[high - 1] == self._changes[low]
                single[row, order] = np.where(new, after_last == total, stored)
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
        self._levels = self._list_levels()
        odds = self._log_odds + np.append(0, np.cumsum(np.log(mixed) - log_p))
        self._log_odds = float(odds[-1])
        self._trust = float(np.exp(-np.logaddexp(0, -self._log_odds)))
        return log_p + np.diff(np.logaddexp(0, odds))

    def _list_levels(self) -> list[tuple[int, list[list[float]]]]:
        """Return of each length of contexts the mask of the rest of a key, and its weights."""
        weights = self._weights.reshape(-1, LEVELS + 1, 2).tolist()
        return list(zip(self._masks.tolist(), weights, strict=False))

    def _store(self, contexts: Keys, digits: NDArray[np.uint32]) -> None:
        """Add the characters that followed contexts, and forget the oldest if they are too many."""
        self._text, self.context = np.append(self._text, digits), contexts[-1]
        if len(self._text) > MAX_CHARS:
            digits = self._text = self._text[-(MAX_CHARS * 3 // 4) :]
            contexts = self._contexts(np.append(np.zeros_like(self._places, np.uint32), digits))
            self._keys, self._after = self._keys[-1:], self._after[-1:]
        order = contexts[:-1].argsort()
        at = self._keys.searchsorted(contexts[order])
        self._keys = np.insert(self._keys, at, contexts[order])
        self._after = np.insert(self._after, at, digits[order] - np.uint32(1))
        self._counted = {}
        differ = self._after[1:] != self._after[:-1]
        self._changes = np.append(np.int32(0), differ.cumsum(dtype=np.int32))


def _group(sizes: Indices, single: NDArray[np.bool_]) -> Indices:
    """Return the group of l of contexts (K, N), from how often each occurred."""
    levels = np.minimum(np.frexp(sizes)[1], LEVELS)
    return 2 * ((LEVELS + 1) * np.arange(len(sizes))[:, None] + levels) + single
