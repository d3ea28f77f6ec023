"""Interpolated Kneser-Ney smoothing (Kneser & Ney 1995), and prediction with it.

The probability of a character c after a context h, the last few characters, is

    p(c | h) = alpha(h, c) + gamma(h) p(c | h')        p(c | nothing) = alpha(c) + gamma / V

where h' is h without its first character, and

    alpha(h, c) = (a(hc) - D) / sum_x a(hx)        gamma(h) = 1 - sum_x alpha(h, x)

a(hc) is the number of different characters before hc or, if there are none as for the longest
n-grams and the first of a line, how often it occurs. Beside a network, one discount D is no worse
than the three of modified Kneser-Ney for each length (``benchmarks/QUALITY.md``).

The alphas of n-grams that are not in the table are left to the shorter contexts.

    ngrams = build_ngrams(ids, vocab_size, order=7)
    contexts = ngrams.start(B)                        # of B texts: the last n - 1 ids of each
    contexts = ngrams.feed(contexts, ids)             # after one more character of each, (B,)
    weighted, w = ngrams.predict(contexts)            # (1 - w) p, (B, V), beside a network
"""

from bisect import bisect_left
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import MAX_NGRAM
from charrnn.ngrams.count import (
    KEY_BITS,
    MAX_ENTRIES,
    Counts,
    Integers,
    Keys,
    count_ngrams,
    digit_bits,
    levels_of,
    low_digits,
    merge_counts,
)
from charrnn.text.vocabulary import Ids

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.intp]
AnyIds = NDArray[np.integer[Any]]
Arrays = dict[str, NDArray[Any]]

DISCOUNT = 0.8

# Groups of contexts, by gamma. The weight of a network before it is fitted.
GROUPS, DEFAULT_WEIGHT = 10, 0.7
GROUP = 15  # the bits of a group's number, below those of a length

# The arrays of a file, and their types.
UNSIGNED = ("uint8", "uint16", "uint32")
TYPES: dict[str, tuple[str, ...]] = {
    "characters": UNSIGNED,
    "children": UNSIGNED,
    "adjusted": UNSIGNED,
    "dropped": UNSIGNED,
    "weights": ("float64",),
    "spelled": ("uint8",),
    "loss": ("float64",),
}

# Bounds of the predictions that are kept after short contexts: contexts, and probabilities.
MAX_CONTEXTS, MAX_KEPT = 1 << 21, 1 << 20
# Up to this many entries of one context are added faster without NumPy.
FEW = 16
TINY = np.float32(np.finfo(np.float32).tiny)


class NGrams:
    """The n-grams of a text with their smoothed probabilities.

    counts       of E n-grams and the empty one
    vocab_size   number of characters V
    weights      of a network beside it, for each group of contexts, (GROUPS,); see ``mixture``
    val_loss     of the mixture on held-out text in nats per character; None: nothing is held out
    spelled      the characters whose probabilities it changes beside a network, (V,) bool; None:
                 all; see ``mixture``

    Attributes: ``entries``, the number of n-grams E; ``order``, the largest n.

    The state of a text is its context: the key of the last n - 1 characters, with the digit V + 1
    for each that is before its beginning.
    """

    def __init__(
        self,
        counts: Counts,
        vocab_size: int,
        weights: Floats | None = None,
        val_loss: float | None = None,
        spelled: NDArray[np.bool_] | None = None,
    ) -> None:
        keys, adjusted, dropped = counts
        self.vocab_size, self.entries = vocab_size, len(keys) - 1
        self.weights = np.full(GROUPS, DEFAULT_WEIGHT) if weights is None else weights
        self.val_loss = val_loss
        self._bits, self._last = np.uint64(digit_bits(vocab_size)), low_digits(1, vocab_size)
        self.order = len(levels_of(keys, vocab_size)) - 1
        parents = keys.searchsorted(keys[1:] >> self._bits)
        totals = dropped + np.bincount(parents, adjusted[1:], len(keys))
        alphas = np.maximum(adjusted[1:] - DISCOUNT, 0) / totals[parents]
        gammas = 1 - np.bincount(parents, alphas, len(keys))
        # The last entry, without an alpha or children, is that of all n-grams not in the table.
        self._keys = np.append(keys, ~np.uint64(0))
        self.counts = counts._replace(keys=self._keys[:-1])
        self._alphas = np.concatenate([[0], alphas, [0]]).astype(np.float32)
        self._gammas = np.append(gammas, 1).astype(np.float32)
        self._characters = (self._keys & self._last).astype(np.intp) - 1
        # Entries begins[i] to begins[i + 1] have entry i as their context.
        self._begins = (parents.searchsorted(np.arange(len(keys) + 2)) + 1).astype(np.int32)
        masks = [low_digits(length, vocab_size) for length in range(self.order + 1)]
        self._masks, self._parents = np.array(masks, np.uint64), parents
        self.spell(np.ones(vocab_size, bool) if spelled is None else spelled)

    def spell(self, spelled: NDArray[np.bool_]) -> None:
        """Set the spelled characters, (V,) bool."""
        self.spelled, self._spelled = spelled, spelled.astype(np.float32)
        alphas = self._alphas[1:-1] * self._spelled[self._characters[1:-1]]
        self._sums = np.bincount(self._parents, alphas, len(self._keys))  # below each entry

    def start(self, count: int) -> Keys:
        """Return the contexts of texts that have not begun, (count,)."""
        contexts, nothing = np.zeros(count, np.uint64), np.full(count, self.vocab_size)
        for _ in range(self.order - 1):
            contexts = self.feed(contexts, nothing)
        return contexts

    def feed(self, contexts: Keys, ids: AnyIds) -> Keys:
        """Return the contexts after one more character of each text, ids (B,)."""
        if len(contexts) == 1:  # faster without NumPy
            key = int(contexts[0]) << int(self._bits) | int(ids[0]) + 1
            return np.array([key & int(self._masks[-2])], np.uint64)
        after: Keys = contexts << self._bits | ids.astype(np.uint64) + 1
        after &= self._masks[-2]
        return after

    def predict(self, contexts: Keys) -> tuple[Singles, Singles]:
        """Return (1 - w) p of all characters after contexts (B,), (B, V), and w, (B, 1).

        w is the weight of the network for the longest suffix of each context that is a context in
        the table.
        """
        if len(contexts) == 1:
            return self._predict_one(int(contexts[0]))
        length, rows, kept = self._short
        keys, sizes, ends, gammas, levels = self._long
        short = kept.take(rows.take((contexts & self._masks[length]).astype(np.intp)), axis=0)
        wanted = contexts & self._masks[-2:length:-1, None]  # (K, B), the longest first
        at = keys.searchsorted(wanted)
        at[keys.take(at) != wanted] = len(keys) - 1
        longest = np.maximum.reduce(levels.take(at), axis=0, initial=0)
        share = self.weights.take(np.maximum(longest, short[:, -1].astype(np.int32)) & GROUP)
        # What the network and the longer suffixes leave to each.
        rest = np.subtract(1, share, dtype=np.float64)[None]
        left = np.concatenate([rest, gammas.take(at)], dtype=np.float64)
        np.multiply.accumulate(left, axis=0, out=left)
        p = short[:, :-1] * left[-1, :, None]
        sizes = sizes.take(at.ravel())
        which = np.arange(len(sizes)).repeat(sizes)  # suffix of each of N entries
        entries = np.arange(len(which)) + (ends.take(at.ravel()) - sizes.cumsum()).take(which)
        starts = np.arange(0, p.size, self.vocab_size)[None].repeat(len(at), axis=0).ravel()
        places = starts.take(which) + self._characters.take(entries)
        np.add.at(p.reshape(-1), places, self._alphas.take(entries) * left.take(which))
        return p.astype(np.float32), share.astype(np.float32)[:, None]

    def mix(self, p: NDArray[Any], contexts: Keys) -> None:
        """Mix with p of all characters under a network after contexts (B,), (B, V), in place."""
        p_ngrams, w = self.predict(contexts)  # the factor 1 - w cancels out below
        rest, p_network = 1 - w, p * self._spelled
        p_ngrams *= self._spelled
        scale = np.add.reduce(p_network, axis=1, keepdims=True)
        scale /= np.maximum(np.add.reduce(p_ngrams, axis=1, keepdims=True), TINY)
        p_ngrams *= scale  # now p_ngrams(S) = p_network(S)
        p_ngrams -= p_network
        p_ngrams *= rest
        p += p_ngrams

    def _predict_one(self, context: int) -> tuple[Singles, Singles]:
        """Do what ``predict`` does, to the same last bit but faster."""
        length, rows, kept = self._short
        keys, sizes, ends, gammas, levels, characters, alphas, masks = self._views
        found = []
        for mask in masks[-2:length:-1]:
            key = context & mask
            at = bisect_left(keys, key)
            if keys[at] == key:
                found.append(at)
        short = kept[rows[context & masks[length]]]
        share = self.weights.item(levels[found[0]] & GROUP if found else int(short[-1]))
        left, parts = 1 - share, []
        for at in found:
            parts.append((ends[at] - sizes[at], ends[at], left))
            left *= gammas[at]
        p: Floats = np.multiply(short[:-1], left, dtype=np.float64)
        entry = p.data
        for begin, end, part in parts:
            if end - begin > FEW:
                shares = np.multiply(self._alphas[begin:end], part, dtype=np.float64)
                p[self._characters[begin:end]] += shares
                continue
            for at in range(begin, end):
                entry[characters[at]] += alphas[at] * part
        return p.astype(np.float32)[None], np.array([[share]], np.float32)

    def score(
        self, contexts: Keys, inputs: AnyIds, targets: AnyIds
    ) -> tuple[Floats, Indices, NDArray[Any]]:
        """Return p of each target (T, B), the groups of its contexts (T, B) and the contexts after.

        p is relative to all spelled characters: p(c) / p(S).

        contexts   before the first input, (B,)
        inputs     (T, B)
        targets    (T, B); targets[t] follows inputs[t] and is inputs[t + 1]
        """
        packed = self._pack(contexts, np.concatenate([inputs, targets[-1:]]))
        p = np.full(inputs.shape, 1 / self.vocab_size)
        at, nearest = np.zeros(packed.shape, np.intp), np.ones(p.shape, np.float32)
        total = np.full(inputs.shape, self.spelled.mean())  # p(S)
        for mask in self._masks[1:]:
            gammas = self._gammas[at[:-1]]
            nearest = np.where(gammas < 1, gammas, nearest)
            total = self._sums[at[:-1]] + gammas * total
            at = self._find(packed & mask)
            p = self._alphas[at[1:]] + gammas * p
        return p / total, _group(nearest), packed[-2] & self._masks[-2]

    def with_weights(
        self,
        weights: Floats,
        val_loss: float | None = None,
        spelled: NDArray[np.bool_] | None = None,
    ) -> "NGrams":
        """Return the same n-grams with other weights and, unless None, other spelled characters."""
        other = copy(self)
        other.weights, other.val_loss = weights, val_loss
        if spelled is not None:
            other.spell(spelled)
        return other

    def to_arrays(self) -> Arrays:
        """Return the arrays of a file.

        characters   the last character of each n-gram, (E,)
        children     number of n-grams of which the empty one, and each, is the context, (E + 1,)
        adjusted     (E,); see ``count``
        dropped      (C,), of those that have children
        weights      (GROUPS,)
        spelled      1 for each spelled character, else 0, (V,)
        loss         (1,), if there is one
        """
        children = np.diff(self._begins)[:-1]
        numbers = {
            "characters": self._characters[1:-1],
            "children": children,
            "adjusted": self.counts.adjusted[1:],
            "dropped": self.counts.dropped[children > 0],
        }
        arrays: Arrays = {
            name: values.astype(np.min_scalar_type(values.max()))
            for name, values in numbers.items()
        }
        arrays |= {"weights": self.weights, "spelled": self.spelled.astype(np.uint8)}
        return arrays if self.val_loss is None else arrays | {"loss": np.array([self.val_loss])}

    @classmethod
    def from_arrays(cls, arrays: Arrays, vocab_size: int) -> "NGrams":
        """Make n-grams from the arrays of a file.

        Raises ValueError for arrays that ``to_arrays`` does not return.
        """
        given: Arrays = {"loss": np.zeros(1), **arrays}
        types = {name: array.dtype.name for name, array in given.items() if array.ndim == 1}
        if types.keys() != TYPES.keys() or any(types[name] not in TYPES[name] for name in types):
            raise ValueError("arrays of the n-grams are missing, unexpected or of the wrong type")
        characters, children, adjusted, left_out, weights, spelled, loss = (
            given[name] for name in TYPES
        )
        E, bits = len(characters), np.uint64(digit_bits(vocab_size))
        sizes = (len(children) - 1, len(adjusted), len(left_out), len(weights), len(loss))
        right = sizes == (E, E, int(np.count_nonzero(children)), GROUPS, 1)
        if not E or not right or len(spelled) != vocab_size or not spelled.any():
            raise ValueError("the n-grams do not have the right shapes")
        ends = np.cumsum(children, dtype=np.int64)
        if int(characters.max()) >= vocab_size or ends[-1] != E:
            raise ValueError("the n-grams have characters or contexts that do not exist")
        digits = characters.astype(np.uint64) + np.uint64(1)
        parents = np.arange(E + 1).repeat(children)
        keys, begin, end, order = np.zeros(E + 1, np.uint64), 0, int(ends[0]), 0
        while begin < end and order < min(MAX_NGRAM, KEY_BITS // int(bits)):
            keys[begin + 1 : end + 1] = keys[parents[begin:end]] << bits | digits[begin:end]
            begin, end, order = end, int(ends[end]), order + 1
        if begin < end or (keys[1:] <= keys[:-1]).any():
            raise ValueError("the n-grams are too long or not in order")
        if not adjusted.all() or not ((weights >= 0) & (weights <= 1)).all():
            raise ValueError("the n-grams have counts of 0 or weights that are not shares")
        dropped = np.zeros(E + 1, np.int64)
        dropped[children > 0] = left_out
        counts = Counts(keys, np.append(0, adjusted.astype(np.int64)), dropped)
        val_loss = float(loss[0]) if "loss" in arrays else None
        return cls(counts, vocab_size, weights, val_loss, spelled > 0)

    @cached_property
    def _short(self) -> tuple[int, NDArray[np.int32], Singles]:
        """A cache of the predictions after short contexts, which recur most.

        Returns their length, the longest suffix in the table of each, and p and the group after
        each of these, which are the first entries, (S, V + 1).
        """
        V, shift = self.vocab_size, int(self._bits)
        rows, kept, length = np.zeros(1, np.int32), np.empty((0, V + 1), np.float32), 0
        before = np.append(np.full(V, 1 / V), GROUPS - 1)[None]
        for level in levels_of(self._keys[:-1], V):
            begins = self._begins[level.start : level.stop + 1]
            sizes, entries = np.diff(begins), slice(begins[0], begins[-1])
            own = before * self._gammas[level, None]
            own[:, V] = np.where(sizes > 0, _group(self._gammas[level]), before[:, V])
            contexts = np.arange(len(own)).repeat(sizes)
            own[contexts, self._characters[entries]] += self._alphas[entries]
            kept = np.concatenate([kept, own.astype(np.float32)])
            fits = len(rows) << shift <= MAX_CONTEXTS and entries.stop * (V + 1) <= MAX_KEPT
            if length == self.order - 1 or not fits:
                break
            keys = self._keys[entries].astype(np.intp)
            before = kept[rows[keys & len(rows) - 1]]
            rows, length = np.tile(rows, 1 << shift), length + 1
            rows[keys] = np.arange(entries.start, entries.stop)
        return length, rows, kept

    @cached_property
    def _long(self) -> tuple[Keys, Integers, Integers, Singles, Integers]:
        """The longer contexts: what ``predict`` reads of them, (C + 1,) each; the last is none.

        Returns their keys, the number of entries that have each as their context, the end of these,
        gammas, and as one number length and group.
        """
        sizes = np.diff(self._begins)
        own = np.append(np.flatnonzero(sizes), len(sizes) - 1)
        own = own[own >= len(self._short[2])]
        keys, gammas = self._keys[own], self._gammas[own]
        levels = self._masks.searchsorted(keys) * (GROUP + 1) | _group(gammas)
        levels[-1] = 0
        return keys, sizes[own], self._begins[own + 1], gammas, levels.astype(np.int32)

    @cached_property
    def _views(self) -> tuple[Any, ...]:
        """The columns of ``_long`` and of the entries, and the masks, as Python indexes faster."""
        columns = *self._long, self._characters, self._alphas
        return *(column.data for column in columns), self._masks.tolist()

    def _find(self, keys: Keys) -> Indices:
        """Return the entry of each n-gram; the last one for those that are not in the table."""
        at = self._keys.searchsorted(keys)
        return np.where(self._keys[at] == keys, at, len(self._keys) - 1)

    def _pack(self, contexts: Keys, ids: AnyIds) -> Keys:
        """Return the n-gram of full length that ends with each id (T, B), after contexts (B,)."""
        n, T = self.order, len(ids)
        shifts = np.arange(n - 1, dtype=np.uint64)[::-1, None] * self._bits
        digits = np.concatenate([contexts >> shifts & self._last, ids.astype(np.uint64) + 1])
        packed = digits[:T]
        for at in range(1, n):
            packed = packed << self._bits | digits[at : at + T]
        return packed


def build_ngrams(
    ids: Ids,
    vocab_size: int,
    order: int,
    *,
    end: int | None = None,
    max_entries: int = MAX_ENTRIES,
    older: Counts | None = None,
) -> NGrams:
    """Count and smooth the n-grams of a text; see ``count_ngrams``.

    older   counts of another text, to add
    """
    counts = count_ngrams(ids, vocab_size, order, end=end, max_entries=max_entries)
    if older is not None:
        counts = merge_counts(counts, older, vocab_size, max_entries=max_entries)
    return NGrams(counts, vocab_size)


def _group(gammas: Floats | Singles) -> Indices:
    return np.minimum(gammas * GROUPS, GROUPS - 1).astype(np.intp)
