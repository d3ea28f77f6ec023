"""The contexts of a table of n-grams as a tree, which predicts all characters while a text goes on.

The context of a text is the longest n-gram at its end that others in the table begin with. What it
does not predict is left to the longest other context that it ends with, its suffix link (Aho &
Corasick 1975), and so on to the empty one:

    p(c | h) = alpha(h, c) + gamma(h) p(c | shorter(h))

After short contexts, which recur most, p is computed ahead.

    tree = ContextTree(table, weights, spelled)
    contexts = np.zeros(B, int)                  # of B texts that have not begun
    contexts = tree.feed(contexts, ids)          # after one more character of each, (B,)
    tree.mix(p, contexts)                        # with p of a network, (B, V), in place
"""

from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.count import Integers, Keys, digit_bits, levels_of, low_digits

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.intp]
AnyIds = NDArray[np.integer[Any]]

# Groups of contexts, by gamma; see ``mixture``.
GROUPS = 10
# The most probabilities that are computed ahead.
MAX_DENSE = 1 << 20
# Up to this many entries of one context are added faster without NumPy.
FEW = 16


class Table(NamedTuple):
    """The smoothed n-grams: E entries, sorted by key; the first is the empty one.

    The last entry, without an alpha, is that of all n-grams that are not in the table.

    keys         see ``count``, (E,)
    characters   the last of each, (E,)
    alphas       of each, 0 if its character is not spelled, (E,)
    gammas       of each as a context; 1 for what is none, (E,)
    sums         of the alphas after each, (E,)
    begins       the entries begins[i] to begins[i + 1] have entry i as their context, (E + 1,)
    """

    keys: Keys
    characters: Indices
    alphas: Singles
    gammas: Singles
    sums: Floats
    begins: Integers


class ContextTree:
    """The C contexts of a table, numbered by key: the empty one is 0.

    table     of n-grams of V characters
    weights   of a network beside them, for each group of contexts, (GROUPS,)
    spelled   the characters S whose probabilities they change, (V,) bool
    """

    def __init__(self, table: Table, weights: Floats, spelled: NDArray[np.bool_]) -> None:
        V, children = len(spelled), np.diff(table.begins)
        own = np.flatnonzero(children)
        C, levels = len(own), levels_of(table.keys[own], V)
        self._bits, self._table, self._spelled = digit_bits(V), table, spelled
        # What mixing leaves of p under a network after a context of each group, (GROUPS, V).
        self._weights, self._kept = weights, 1 - np.outer(1 - weights, spelled)
        # One more, which no text has: its key is never found, and it has no entries.
        self._keys = np.append(table.keys[own], ~np.uint64(0))
        self._ends = np.append(table.begins[own + 1], 0)
        self._begins = self._ends - np.append(children[own], 0)
        self._gammas, self._shorter = table.gammas[own], self._link(levels, V)
        self._groups = group_contexts(self._gammas)
        # p of all spelled characters, (C,), and of each after the first D contexts, (D, V).
        self._totals, dense = np.full(C, spelled.mean()), spelled[None] / V
        for level in levels:
            left = self._gammas[level] * self._totals[self._shorter[level]]
            self._totals[level] = table.sums[own[level]] + left
        for level in levels:
            if level.start and level.stop * V > MAX_DENSE:
                break
            rows = self._gammas[level, None] * dense[self._shorter[level]]
            entries = slice(self._begins[level.start], self._ends[level.stop - 1])
            places = np.arange(len(rows)).repeat(children[own[level]])
            rows[places, table.characters[entries]] += table.alphas[entries]
            dense = np.concatenate([dense[: level.start], rows])
        self._dense = dense
        # Of each context the longest suffix among these, (C,), and the longer ones, itself first,
        # (C, K); what is left before each of these and the first, (C, K + 1).
        base, chain, left = np.arange(C), [], [np.ones(C)]
        while (deep := base >= len(dense)).any():
            chain.append(np.where(deep, base, C))
            left.append(np.where(deep, left[-1] * self._gammas[base], left[-1]))
            base = np.where(deep, self._shorter[base], base)
        self._base, self._left = base, np.array(left).T.copy()
        self._chain = np.array(chain, np.intp).reshape(-1, C).T.copy()
        # Columns of contexts and of entries, as Python indexes faster.
        own_columns = (self._keys, self._shorter, self._groups, self._totals, self._begins)
        columns = (*own_columns, self._ends, base, table.characters, table.alphas)
        self._views: tuple[Any, ...] = tuple(column.data for column in columns)

    def _link(self, levels: list[slice], vocab_size: int) -> Indices:
        """Return the longest other context that each ends with, (C,)."""
        sizes = np.repeat(np.arange(len(levels)), [it.stop - it.start for it in levels])
        masks = np.array([low_digits(size, vocab_size) for size in range(len(levels))], np.uint64)
        shorter, rest = np.zeros(len(sizes), np.intp), np.arange(1, len(sizes))
        while len(rest):
            sizes[rest] -= 1
            suffixes = self._keys[rest] & masks[sizes[rest]]
            at = self._keys.searchsorted(suffixes)
            found = self._keys[at] == suffixes
            shorter[rest[found]] = at[found]
            rest = rest[~found]
        return shorter

    def feed(self, contexts: Indices, ids: AnyIds) -> Indices:
        """Return the contexts after one more character of each text, ids (B,)."""
        if len(contexts) == 1:
            return np.array([self._feed_one(contexts.item(), ids.item() + 1)])
        after, digits = np.zeros_like(contexts), ids.astype(np.uint64) + 1
        rows = np.arange(len(ids))
        while len(rows):
            wanted = self._keys[contexts] << np.uint64(self._bits) | digits
            at = self._keys.searchsorted(wanted)
            found = self._keys[at] == wanted
            after[rows[found]] = at[found]
            rest = ~found & (contexts > 0)
            rows, digits, contexts = rows[rest], digits[rest], self._shorter[contexts[rest]]
        return after

    def _feed_one(self, context: int, digit: int) -> int:
        """Do what ``feed`` does for one text, faster."""
        keys, shorter, *_ = self._views
        while True:
            wanted = keys[context] << self._bits | digit
            at = bisect_left(keys, wanted)
            if keys[at] == wanted:
                return at
            if context == 0:
                return 0
            context = shorter[context]

    def mix(self, p: Floats, contexts: Indices) -> None:
        """Mix with what a network predicts after contexts (B,), in place; see ``mixture``.

        p   of all characters, (B, V), up to a factor for each row
        """
        p_spelled = np.add.reduce(p * self._spelled, axis=1)
        if len(contexts) == 1:
            self._mix_one(p[0], p_spelled.item(), contexts.item())
            return
        groups, chain = self._groups[contexts], self._chain[contexts]
        share = p_spelled * (1 - self._weights[groups]) / self._totals[contexts]
        left = self._left[contexts] * share[:, None]
        p *= self._kept[groups]
        p += self._dense[self._base[contexts]] * left[:, -1:]
        ends = self._ends[chain].ravel()
        sizes = ends - self._begins[chain].ravel()
        which = np.arange(len(sizes)).repeat(sizes)  # place in the chains of each of N entries
        entries = np.arange(len(which)) + (ends - sizes.cumsum())[which]
        places = which // chain.shape[1] * p.shape[1] + self._table.characters[entries]
        alphas = self._table.alphas[entries] * left[:, :-1].ravel()[which]
        np.add.at(p.reshape(-1), places, alphas)

    def _mix_one(self, p: Floats, p_spelled: float, context: int) -> None:
        """Do what ``mix`` does for one text, p (V,), to the same last bit but faster."""
        _, _, groups, totals, begins, ends, base, characters, alphas = self._views
        group = groups[context]
        share = p_spelled * (1 - self._weights.item(group)) / totals[context]
        left = (self._left[context] * share).tolist()
        p *= self._kept[group]
        p += self._dense[base[context]] * left[-1]
        entry = p.data
        for deep, part in zip(self._chain[context].tolist(), left, strict=False):
            begin, end = begins[deep], ends[deep]
            if end - begin > FEW:
                shares = np.multiply(self._table.alphas[begin:end], part, dtype=np.float64)
                p[self._table.characters[begin:end]] += shares
                continue
            for at in range(begin, end):
                entry[characters[at]] += alphas[at] * part


def group_contexts(gammas: Singles) -> Indices:
    """Return the group of each context, 0 to GROUPS - 1."""
    return np.minimum(gammas * GROUPS, GROUPS - 1).astype(np.intp)
