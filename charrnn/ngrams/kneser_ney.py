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
    contexts = np.zeros(B, int)                       # of B texts that have not begun
    contexts = ngrams.feed(contexts, ids)             # after one more character of each, (B,)
    ngrams.mix(p, contexts)                           # with p of a network, (B, V), in place
"""

from bisect import bisect_left
from functools import cached_property
from typing import Any, NamedTuple

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

# The most probabilities that are computed ahead, after short contexts.
MAX_DENSE = 1 << 20
# Up to this many entries of one context are added faster without NumPy.
FEW = 16


class _Tree(NamedTuple):
    """The C n-grams that are contexts in the table, sorted by key; the first is the empty one.

    keys           and one that is never found, (C + 1,)
    shorter        the longest other context that each ends with, (C,)
    begins, ends   first entry after each and behind the last; of a further context, which has none,
                   (C + 1,)
    groups         (C,)
    totals         p(S | h), (C,)
    dense          p of all characters after the first D contexts, which recur most, (D, V)
    base           the longest suffix of each among these, (C,)
    chain          its longer suffixes, itself first; then C, (C, K)
    left           what these leave: product of the gammas before each and before the base,
                   (C, K + 1)
    """

    keys: Keys
    shorter: Indices
    begins: Integers
    ends: Integers
    groups: Indices
    totals: Floats
    dense: Floats
    base: Indices
    chain: Indices
    left: Floats


class NGrams:
    """The n-grams of a text with their smoothed probabilities.

    counts       of E n-grams and the empty one
    vocab_size   number of characters V
    weights      of a network beside it, for each group of contexts, (GROUPS,); see ``mixture``
    val_loss     of the mixture on held-out text in nats per character; None: nothing is held out
    spelled      the characters S whose probabilities it changes beside a network, (V,) bool; None:
                 all; see ``mixture``

    Attributes: ``entries``, the number of n-grams E; ``order``, the largest n.

    The state of a text is its context: the number of the longest n-gram at its end that is a
    context in the table, 0 at the beginning.
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
        self.spelled = np.ones(vocab_size, bool) if spelled is None else spelled
        self._bits, self._last = np.uint64(digit_bits(vocab_size)), low_digits(1, vocab_size)
        self.order = len(levels_of(keys, vocab_size)) - 1
        masks = [low_digits(length, vocab_size) for length in range(self.order + 1)]
        self._masks = np.array(masks, np.uint64)
        # What is left of p under a network after a context of each group, (GROUPS, V).
        self._kept = 1 - np.outer(1 - self.weights, self.spelled)
        parents = keys.searchsorted(keys[1:] >> self._bits)
        totals = dropped + np.bincount(parents, adjusted[1:], len(keys))
        alphas = np.maximum(adjusted[1:] - DISCOUNT, 0) / totals[parents]
        gammas = 1 - np.bincount(parents, alphas, len(keys))
        characters = (keys & self._last).astype(np.intp) - 1
        alphas *= self.spelled[characters[1:]]
        sums = np.bincount(parents, alphas, len(keys))
        # The last entry, without an alpha or children, is that of all n-grams not in the table.
        self._keys, self._characters = np.append(keys, ~np.uint64(0)), np.append(characters, 0)
        self.counts = counts._replace(keys=self._keys[:-1])
        # Of each entry its alpha, 0 if its character is not spelled; as a context, its gamma and
        # the sum of the alphas of the entries begins[i] to begins[i + 1] after it.
        self._alphas = np.concatenate([[0], alphas, [0]]).astype(np.float32)
        self._gammas, self._sums = np.append(gammas, 1).astype(np.float32), np.append(sums, 0)
        children = np.bincount(parents, minlength=len(keys) + 1)
        self._begins = np.append(1, 1 + children.cumsum()).astype(np.int32)

    def feed(self, contexts: Indices, ids: AnyIds) -> Indices:
        """Return the contexts after one more character of each text, ids (B,)."""
        tree = self._tree
        if len(contexts) == 1:  # faster without NumPy
            return np.array([self._feed_one(contexts.item(), ids.item() + 1)])
        nodes, rows, digits = contexts, np.arange(len(ids)), ids.astype(np.uint64) + 1
        after = np.zeros_like(nodes)
        while len(rows):
            wanted = tree.keys[nodes] << self._bits | digits
            at = tree.keys.searchsorted(wanted)
            found = tree.keys[at] == wanted
            after[rows[found]] = at[found]
            rest = ~found & (nodes > 0)
            rows, nodes, digits = rows[rest], tree.shorter[nodes[rest]], digits[rest]
        return after

    def _feed_one(self, node: int, digit: int) -> int:
        keys, shorter = self._views[:2]
        bits = int(self._bits)
        while True:
            key = keys[node] << bits | digit
            at = bisect_left(keys, key)
            if keys[at] == key:
                return at
            if not node:
                return 0
            node = shorter[node]

    def mix(self, p: Floats, contexts: Indices) -> None:
        """Mix with what a network predicts after contexts (B,), in place; see ``mixture``.

        p   of all characters, (B, V), up to a factor for each row
        """
        p_spelled = np.add.reduce(p * self.spelled, axis=1)
        if len(contexts) == 1:
            self._mix_one(p[0], p_spelled.item(), contexts.item())
            return
        tree = self._tree
        groups, chain = tree.groups[contexts], tree.chain[contexts]
        share = p_spelled * (1 - self.weights[groups]) / tree.totals[contexts]
        left = tree.left[contexts] * share[:, None]
        p *= self._kept[groups]
        p += tree.dense[tree.base[contexts]] * left[:, -1:]
        ends = tree.ends[chain].ravel()
        sizes = ends - tree.begins[chain].ravel()
        which = np.arange(len(sizes)).repeat(sizes)  # place in the chains of each of N entries
        entries = np.arange(len(which)) + (ends - sizes.cumsum())[which]
        places = which // chain.shape[1] * self.vocab_size + self._characters[entries]
        np.add.at(p.reshape(-1), places, self._alphas[entries] * left[:, :-1].ravel()[which])

    def _mix_one(self, p: Floats, p_spelled: float, node: int) -> None:
        """Do what ``mix`` does for one text, p (V,), to the same last bit but faster."""
        tree = self._tree
        _, _, groups, totals, begins, ends, base, characters, alphas = self._views
        group = groups[node]
        share = p_spelled * (1 - self.weights.item(group)) / totals[node]
        left = (tree.left[node] * share).tolist()
        p *= self._kept[group]
        p += tree.dense[base[node]] * left[-1]
        entry = p.data
        for deep, part in zip(tree.chain[node].tolist(), left, strict=False):
            begin, end = begins[deep], ends[deep]
            if end - begin > FEW:
                shares = np.multiply(self._alphas[begin:end], part, dtype=np.float64)
                p[self._characters[begin:end]] += shares
                continue
            for at in range(begin, end):
                entry[characters[at]] += alphas[at] * part

    def score(
        self, contexts: Indices, inputs: AnyIds, targets: AnyIds
    ) -> tuple[Floats, Indices, NDArray[Any]]:
        """Return p of each target (T, B), the groups of its contexts (T, B) and the contexts after.

        p is relative to all spelled characters: p(c) / p(S).

        contexts   before the first input, (B,)
        inputs     (T, B)
        targets    (T, B); targets[t] follows inputs[t] and is inputs[t + 1]
        """
        packed = self._pack(contexts, np.concatenate([inputs, targets[-1:]]))
        p = np.full(inputs.shape, 1 / self.vocab_size)
        at, longest = np.zeros(packed.shape, np.intp), np.zeros(inputs.shape, np.intp)
        total = np.full(inputs.shape, self.spelled.mean())  # p(S)
        for mask in self._masks[1:]:
            gammas = self._gammas[at[:-1]]
            longest = np.where(gammas < 1, at[:-1], longest)
            total = self._sums[at[:-1]] + gammas * total
            at = self._find(packed & mask)
            p = self._alphas[at[1:]] + gammas * p
        after = self._tree.keys.searchsorted(self._keys[longest[-1]])
        return p / total, _group(self._gammas[longest]), after

    def with_weights(
        self,
        weights: Floats,
        val_loss: float | None = None,
        spelled: NDArray[np.bool_] | None = None,
    ) -> "NGrams":
        """Return the same n-grams with other weights and, unless None, other spelled characters."""
        spelled = self.spelled if spelled is None else spelled
        return NGrams(self.counts, self.vocab_size, weights, val_loss, spelled)

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
    def _tree(self) -> _Tree:
        """The contexts of the table, for predictions of all characters."""
        V, children = self.vocab_size, np.diff(self._begins)
        own = np.flatnonzero(children)
        keys, gammas, C = self._keys[own], self._gammas[own], len(own)
        levels = levels_of(keys, V)
        shorter, rest = np.zeros(C, np.intp), np.arange(1, C)
        sizes = np.repeat(np.arange(len(levels)), [it.stop - it.start for it in levels])[rest] - 1
        while len(rest):
            suffixes = keys[rest] & self._masks[sizes]
            at = keys.searchsorted(suffixes).clip(max=C - 1)
            found = keys[at] == suffixes
            shorter[rest[found]] = at[found]
            rest, sizes = rest[~found], sizes[~found] - 1
        totals, dense = np.full(C, self.spelled.mean()), self.spelled[None] / V
        for level in levels:
            totals[level] = self._sums[own[level]] + gammas[level] * totals[shorter[level]]
        for level in levels[: sum(it.stop * V <= MAX_DENSE for it in levels)] or levels[:1]:
            rows = gammas[level, None] * dense[shorter[level]]
            entries = slice(self._begins[own[level.start]], self._begins[own[level.stop - 1] + 1])
            places = np.arange(len(rows)).repeat(children[own[level]])
            rows[places, self._characters[entries]] += self._alphas[entries]
            dense = np.concatenate([dense[: level.start], rows])
        base, chain, left = np.arange(C), [], [np.ones(C)]
        while (deep := base >= len(dense)).any():
            chain.append(np.where(deep, base, C))
            left.append(np.where(deep, left[-1] * gammas[base], left[-1]))
            base = np.where(deep, shorter[base], base)
        return _Tree(
            keys=np.append(keys, ~np.uint64(0)),
            shorter=shorter,
            begins=np.append(self._begins[own], 0),
            ends=np.append(self._begins[own + 1], 0),
            groups=_group(gammas),
            totals=totals,
            dense=dense,
            base=base,
            chain=np.array(chain, np.intp).reshape(-1, C).T.copy(),
            left=np.array(left).T.copy(),
        )

    @cached_property
    def _views(self) -> tuple[Any, ...]:
        """Columns of the contexts and entries, as Python indexes faster."""
        it = self._tree
        columns = it.keys, it.shorter, it.groups, it.totals, it.begins, it.ends, it.base
        return tuple(column.data for column in (*columns, self._characters, self._alphas))

    def _find(self, keys: Keys) -> Indices:
        """Return the entry of each n-gram; the last one for those that are not in the table."""
        at = self._keys.searchsorted(keys)
        return np.where(self._keys[at] == keys, at, len(self._keys) - 1)

    def _pack(self, contexts: Indices, ids: AnyIds) -> Keys:
        """Return the n-gram of full length that ends with each id (T, B), after contexts (B,)."""
        n, T = self.order, len(ids)
        shifts = np.arange(n - 1, dtype=np.uint64)[::-1, None] * self._bits
        keys = self._tree.keys[contexts]
        before = keys >> shifts & self._last
        before[before == 0] = self._last  # of no character, so that no other n-gram is found
        digits = np.concatenate([before, ids.astype(np.uint64) + 1])
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
