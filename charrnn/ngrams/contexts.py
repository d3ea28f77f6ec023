"""The contexts of a table of n-grams as a tree, which predicts all characters while a text goes on.

The context of a text is the longest n-gram at its end that others in the table begin with. What it
does not predict is left to the longest other context that it ends with, its suffix link (Aho &
Corasick 1975), and so on to the empty one:

    p(c | h) = alpha(h, c) + gamma(h) p(c | suffix(h))

Of the n-grams "thin" and "hid" with their beginnings, the context of a text that ends in "thi" is
"thi". What n leaves goes to "hi", its suffix link, what d leaves there to "", for nothing begins
with "i". After short contexts, which recur most, p is computed ahead.

    tree = ContextTree(table, weights, spelled)
    contexts = np.zeros(B, int)                  # of B texts that have not begun
    contexts = tree.feed(contexts, ids)          # after one more character of each, (B,)
    tree.mix(p, contexts)                        # with p of a network, (B, V), in place

In scores one character of each text counts: ``mix_targets`` gives what ``mix`` makes of it.
"""

from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.count import Keys, digit_bits, levels_of, low_digits
from charrnn.nn.cell import Array
from charrnn.text.vocabulary import Ids

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

    keys         see ``count``, (E,)
    characters   the last of each, (E,)
    alphas       of each, 0 if its character is not spelled, (E,)
    contexts     keys of those that others begin with, the empty one first, (C + 1,); the last is
                 that of no text, which is never found
    begins       the entries begins[i] to begins[i + 1] follow context i, (C + 1,)
    gammas       of the contexts, (C,)
    sums         of the alphas after each, (C,)
    """

    keys: Keys
    characters: Ids
    alphas: Singles
    contexts: Keys
    begins: NDArray[np.int32]
    gammas: Singles
    sums: Floats


class ContextTree:
    """The C contexts of a table, numbered by key: the empty one is 0.

    table     of n-grams of V characters
    weights   of a network beside them, for each group of contexts, (GROUPS,)
    spelled   the characters S whose probabilities they change, (V,) bool

    Attributes: ``groups`` of the contexts, 0 to GROUPS - 1, (C,).
    """

    def __init__(self, table: Table, weights: Floats, spelled: NDArray[np.bool_]) -> None:
        V, C, gammas = len(spelled), len(table.gammas), table.gammas
        levels = levels_of(table.contexts[:-1], V)
        self._bits, self._spelled = digit_bits(V), spelled
        self._entries = table.keys, table.characters, table.alphas
        self._keys = keys = table.contexts
        # Contexts with one character more are neighbors: from first[i] to first[i + 1], (C + 1,).
        first = keys.searchsorted(keys << np.uint64(self._bits)).astype(np.int32)
        # Of each context the longest suffix, itself first, that may go on, and of that the next.
        suffixes, goes_on = self._link(levels, V), first[1:] > first[:-1]
        self._growing = np.where(goes_on, np.arange(C), 0)
        for level in levels:
            rest = level.start + np.flatnonzero(~goes_on[level])
            self._growing[rest] = self._growing[suffixes[rest]]
        self._shorter = self._growing[suffixes]
        # p of all spelled characters, (C,), and of each after the first D contexts, (D, V).
        totals, self._dense = np.full(C, spelled.mean()), self._expand(table, levels, suffixes)
        for level in levels:
            totals[level] = table.sums[level] + gammas[level] * totals[suffixes[level]]
        # What mixing leaves of p under a network after a context of each group, (GROUPS, V).
        self.groups = np.minimum(gammas * GROUPS, GROUPS - 1).astype(np.int8)
        self._kept = 1 - np.outer(1 - weights, spelled)
        # What alpha = 1 after each context adds for p(S), (C,).
        self._share = ((1 - weights)[self.groups] / totals).astype(np.float32)
        # Where the entries of each context begin and end, two numbers in one, its gamma and suffix
        # link, (C,). The first D, after which nothing is left to others, link to themselves.
        D, ends = len(self._dense), np.stack([table.begins[:-1], table.begins[1:]], axis=1)
        self._spans, self._gammas, self._suffixes = (
            ends.view(np.int64)[:, 0],
            gammas.copy(),
            suffixes,
        )
        self._spans[:D], self._gammas[:D], self._suffixes[:D] = 0, 1, np.arange(D)
        # The most suffix links from a context to one of the first D.
        self._links = sum(level.start >= D for level in levels)
        # Python indexes these faster.
        spans, groups = self._spans.view(np.int32), self.groups
        own = keys, first, self._shorter, groups, self._share, spans, self._gammas, self._suffixes
        each = *own, table.characters, table.alphas
        self._views: tuple[Any, ...] = tuple(column.data for column in each)

    def _link(self, levels: list[slice], vocab_size: int) -> Indices:
        """Return the longest other context that each ends with, (C,)."""
        sizes = np.repeat(np.arange(len(levels)), [it.stop - it.start for it in levels])
        masks = np.array([low_digits(size, vocab_size) for size in range(len(levels))], np.uint64)
        suffixes, rest = np.zeros(len(sizes), np.intp), np.arange(1, len(sizes))
        while len(rest):
            sizes[rest] -= 1
            wanted = self._keys[rest] & masks[sizes[rest]]
            at = self._keys.searchsorted(wanted)
            found = self._keys[at] == wanted
            suffixes[rest[found]] = at[found]
            rest = rest[~found]
        return suffixes

    def _expand(self, table: Table, levels: list[slice], suffixes: Indices) -> Singles:
        """Return p of all characters after the contexts of the first levels, (D, V)."""
        V = len(self._spelled)
        dense: Singles = (self._spelled[None] / V).astype(np.float32)
        for level in levels:
            if level.start and level.stop * V > MAX_DENSE:
                break
            rows = table.gammas[level, None] * dense[suffixes[level]]
            begins = table.begins[level.start : level.stop + 1]
            entries = slice(begins[0], begins[-1])
            places = np.arange(len(rows)).repeat(np.diff(begins))
            rows[places, table.characters[entries]] += table.alphas[entries]
            dense = np.concatenate([dense[: level.start], rows])
        return dense

    def feed(self, contexts: Indices, ids: AnyIds) -> Indices:
        """Return the contexts after one more character of each text, ids (B,)."""
        if len(contexts) == 1:
            return np.array([self._feed_one(contexts.item(), ids.item() + 1)])
        keys, digits = self._keys, ids.astype(np.uint64) + 1
        wanted = keys.take(self._growing.take(contexts)) << np.uint64(self._bits) | digits
        after = keys.searchsorted(wanted)
        # Nine of ten go on from there; of the others, each looks for itself.
        for row in np.flatnonzero(keys.take(after) != wanted).tolist():
            after[row] = self._feed_one(contexts.item(row), ids.item(row) + 1)
        return after

    def read(self, contexts: Indices, ids: AnyIds) -> Indices:
        """Return the contexts after each of T characters, ids (T, B)."""
        after = [contexts]
        for row in ids:
            after.append(self.feed(after[-1], row))
        return np.array(after[1:])

    def _feed_one(self, context: int, digit: int) -> int:
        """Do what ``feed`` does for one text, faster."""
        keys, first, shorter, *_ = self._views
        while True:
            wanted, end = keys[context] << self._bits | digit, first[context + 1]
            at = bisect_left(keys, wanted, first[context], end)
            if at < end and keys[at] == wanted:
                return at
            if context == 0:
                return 0
            context = shorter[context]

    def mix(self, p: Floats, contexts: AnyIds) -> None:
        """Mix with what a network predicts after contexts (B,), in place; see ``mixture``.

        p   of all characters, (B, V), up to a factor for each row
        """
        p_spelled = np.add.reduce(p * self._spelled, axis=1)
        if len(contexts) == 1:
            self._mix_one(p[0], p_spelled.item(), contexts.item())
            return
        p *= self._kept.take(self.groups.take(contexts), axis=0)
        part = self._share.take(contexts) * p_spelled
        if self._links:
            spans, parts = [], []
            for _ in range(self._links):
                spans.append(self._spans.take(contexts))
                parts.append(part)
                part = part * self._gammas.take(contexts)
                contexts = self._suffixes.take(contexts)
            begins, ends = np.concatenate(spans).view(np.int32).reshape(-1, 2).T
            sizes = ends - begins
            entries = (ends - sizes.cumsum()).repeat(sizes)
            entries += np.arange(len(entries))
            _, characters, alphas = self._entries
            rows = np.arange(0, p.size, p.shape[1])
            places = np.concatenate([rows] * self._links).repeat(sizes) + characters.take(entries)
            added = alphas.take(entries) * np.concatenate(parts).repeat(sizes)
            np.add.at(p.reshape(-1), places, added)
        p += self._dense.take(contexts, axis=0) * part[:, None]

    def mix_targets(self, p: Array, p_spelled: Array, contexts: AnyIds, targets: AnyIds) -> Floats:
        """Return what ``mix`` makes of p of one character of each text, (B,).

        p           of the targets (B,), normalized
        p_spelled   of all spelled characters together, (B,)
        """
        (keys, _, alphas), last = self._entries, low_digits(1, len(self._spelled))
        digits = targets.astype(np.uint64) + np.uint64(1)
        q: Floats = p * self._kept[self.groups.take(contexts), targets]
        part = self._share.take(contexts) * p_spelled
        for _ in range(self._links):
            begins, ends = self._spans.take(contexts).view(np.int32).reshape(-1, 2).T
            wanted = keys[begins] & ~last | digits
            at = keys.searchsorted(wanted)
            found = np.flatnonzero((at < ends) & (keys.take(at, mode="clip") == wanted))
            q[found] += alphas[at[found]] * part[found]
            part *= self._gammas.take(contexts)
            contexts = self._suffixes.take(contexts)
        q += self._dense[contexts, targets] * part
        return q

    def _mix_one(self, p: Floats, p_spelled: float, context: int) -> None:
        """Do what ``mix`` does for one text, p (V,), to the same last bit but faster."""
        *_, groups, share, spans, gammas, suffixes, characters, alphas = self._views
        p *= self._kept[groups[context]]
        entry, part = p.data, share[context] * p_spelled
        while context >= len(self._dense):
            begin, end = spans[2 * context], spans[2 * context + 1]
            if end - begin > FEW:
                _, columns, every = self._entries
                p[columns[begin:end]] += np.multiply(every[begin:end], part, dtype=np.float64)
            else:
                for at in range(begin, end):
                    entry[characters[at]] += alphas[at] * part
            part *= gammas[context]
            context = suffixes[context]
        p += np.multiply(self._dense[context], part, dtype=np.float64)
