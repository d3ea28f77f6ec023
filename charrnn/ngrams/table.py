"""A table of n-grams: a language model that looks up how a text went on.

The probability of a character c after a context h, the last characters of a text, is

    p(c | h) = alpha(h, c) + gamma(h) p(c | h')        gamma(h) = 1 - sum_x alpha(h, x)

where h' is the longest suffix of h that has entries, and behind the empty one all V characters are
alike; see ``kneser_ney``. As only contexts with entries matter, the state of a text is one number:
the node of its longest suffix that has some.
"""

from bisect import bisect_left
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.tree import ROOT, Indices, Tree

Nodes = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]
States = NDArray[np.int32]

# Behind the end of a chain of suffixes: it has no entries and leaves everything to the next.
NONE = -1

# Up to so many values, the distributions after all contexts of the same lengths are computed at
# once.
AT_ONCE = 1 << 20

LARGEST = 1 << 31

# Contexts fall into so many groups by gamma, which falls with how often they were seen.
GROUPS = 10


class NGramTable:
    """A table of n-grams.

    tree   its entries, at least one

    Attributes: ``vocab_size``, the number of characters V; ``order``, the largest n; ``groups``,
    the group of each node, (E + 2,), of which the last is NONE.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree, self.vocab_size = tree, tree.vocab_size
        levels = tree.levels()
        self.order = len(levels)
        self._lengths = np.zeros(tree.entries + 2, np.int64)  # of the context of each node
        for length, level in enumerate(levels, 1):
            self._lengths[1:-1][level] = length
        # A search takes as long as its memory is large, so keys are short where they can be.
        short = np.int32 if (tree.entries + 2) * tree.vocab_size < LARGEST else np.int64
        self._keys = np.append(tree.keys(), np.iinfo(short).max).astype(short)
        self._alphas = np.append(tree.alphas, np.float16(0)).astype(np.float32)
        self._gammas = np.append(tree.gammas(), 1).astype(np.float32)
        self.groups = np.minimum(self._gammas * GROUPS, GROUPS - 1).astype(np.int64)
        self._sizes = np.append(tree.children, 0)
        self._first = np.cumsum(self._sizes) - self._sizes
        self._chains = np.full((len(self._gammas), self.order), NONE, np.int32)
        self._fill_chains(levels)
        self._short = self._after_short(levels)

    def start(self, count: int) -> States:
        """Return the node of nothing for so many texts, (count,)."""
        return np.full(count, ROOT, np.int32)

    def sound(self, nodes: Nodes) -> States:
        """Return nodes, of which those that there are not are replaced."""
        return np.clip(nodes, ROOT, self.tree.entries).astype(np.int32)

    def step(self, nodes: Nodes, ids: Nodes) -> States:
        """Return the nodes (B,) after one more character, ids (B,)."""
        if len(nodes) == 1:
            return np.array([self._step_one(int(nodes[0]), int(ids[0]))], np.int32)
        # Four times in five the longest context has the character, and nothing else is looked up.
        found = self._entry(self._chains[nodes, 0], ids) + 1
        missing = np.flatnonzero(found == 0)
        if len(missing):
            shorter = self._chains[nodes[missing], 1:].T
            # Nodes of longer contexts have larger numbers; none is the root.
            entries = self._entry(shorter, ids[missing])
            found[missing] = entries.max(axis=0, initial=-1) + 1
        result: States = self._chains[found, 0]
        return result

    def read(self, nodes: Nodes, ids: Nodes) -> States:
        """Return the nodes (T, B) after each character of texts, ids (T, B), from nodes (B,).

        All characters are looked up together, one length of contexts after the other.
        """
        T, B = ids.shape
        exact = np.full((self.order, T + 1, B), NONE, np.int64)  # the context of each length
        chains = self._chains[nodes]
        rows, columns = np.nonzero(chains != NONE)
        before = chains[rows, columns]
        exact[self._lengths[before], 0, rows] = before
        exact[0] = longest = np.full((T + 1, B), ROOT)
        for length in range(1, self.order):
            entries = self._entry(exact[length - 1, :-1], ids)
            exact[length, 1:] = found = np.where(entries < 0, NONE, entries + 1)
            has_entries = (self._chains[found, 0] == found) & (found != NONE)
            longest[1:] = np.where(has_entries, found, longest[1:])
        return longest[1:].astype(np.int32)

    def probabilities(self, nodes: Nodes, targets: Nodes) -> Floats:
        """Return p of each target (...,) after each node (...,)."""
        p: Floats = np.full(nodes.shape, 1 / self.vocab_size, np.float32)
        for chain in reversed(self._chains.T):
            contexts = chain[nodes]
            p = self._alphas[self._entry(contexts, targets)] + self._gammas[contexts] * p
        return p

    def distributions(self, nodes: Nodes) -> Floats:
        """Return p of all characters, (B, V), after each node, (B,)."""
        if len(nodes) == 1:
            return self._after_one(int(nodes[0]))[None]
        return self._after(self._chains[nodes], self._short)

    def _after(self, chains: States, short: Floats) -> Floats:
        """Return p of all characters, (B, V), after contexts with their suffixes, (B, order).

        short   the same after the nodes up to its length, whose own sizes are 0 by now
        """
        chains = np.ascontiguousarray(chains.T)
        B, every, V = chains.shape[1], np.arange(chains.shape[1]), self.vocab_size
        longer = (chains >= len(short)).sum(axis=0)  # of each chain, the contexts not in there
        left = np.ones((self.order + 1, B), np.float32)  # for each context of a chain
        np.multiply.accumulate(self._gammas[chains], axis=0, out=left[1:])
        p: Floats = short[chains[longer, every]]
        p *= left[longer, every, None]
        sizes = self._sizes[chains].ravel()
        ends = sizes.cumsum()
        of = np.arange(len(sizes)).repeat(sizes)  # for each entry, the context it belongs to
        entries = np.arange(len(of)) + (self._first[chains].ravel() - ends + sizes)[of]
        shares = self._alphas[entries] * left[:-1].ravel()[of]
        places = self.tree.characters[entries] + of % B * V
        p += np.bincount(places, shares, B * V).reshape(B, V)
        return p

    def _step_one(self, node: int, chosen: int) -> int:
        """Do what ``step`` does, for one text: most of its time would go into calls of NumPy."""
        first, keys = self._first.data, self._keys.data
        for context in self._chains[node].tolist():
            key = context * self.vocab_size + chosen
            at = bisect_left(keys, key, first[context], first[context + 1])
            if keys[at] == key:
                return int(self._chains[at + 1, 0])
            if context == ROOT:
                break
        return ROOT

    def _after_one(self, node: int) -> Floats:
        """Do what ``distributions`` does, for one text and to the same last bit."""
        longer, left = np.zeros(self.vocab_size), np.float32(1)
        first, characters = self._first.data, self.tree.characters
        for context in self._chains[node].tolist():
            if context < len(self._short):
                break
            entries = slice(first[context], first[context + 1])
            longer[characters[entries]] += self._alphas[entries] * left
            left = left * self._gammas[context]
        p: Floats = self._short[context] * left
        p += longer
        return p

    def _after_short(self, levels: list[slice]) -> Floats:
        """Return the distributions after the shortest contexts, of as many lengths as AT_ONCE."""
        V = self.vocab_size
        short = np.full((1, V), self._gammas[ROOT] / V, np.float32)
        short[0, self.tree.characters[levels[0]]] += self._alphas[levels[0]]
        self._sizes[ROOT] = 0
        for level in levels[:-1]:
            if (level.stop + 1) * V > AT_ONCE:
                break
            nodes = np.arange(level.start, level.stop) + 1
            short = np.concatenate([short, self._after(self._chains[nodes], short)])
            self._sizes[nodes] = 0
        return short

    def _entry(self, nodes: Nodes, ids: Nodes) -> Indices:
        """Return the entry of each character below each node; -1 for none."""
        keys = (nodes * np.int64(self.vocab_size) + ids).astype(self._keys.dtype)
        at = self._keys.searchsorted(keys)
        return np.where(self._keys[at] == keys, at, -1)

    def _fill_chains(self, levels: list[slice]) -> None:
        """Write for each node all its suffixes that have entries, itself first if it has some.

        The chains are (E + 2, order). Behind the root, which ends each, is NONE.
        """
        chains, tree = self._chains, self.tree
        chains[ROOT, 0] = ROOT
        parents = tree.parents
        for level in levels:
            suffixes = chains[self._suffixes(parents[level], tree.characters[level])]
            nodes = np.arange(level.start, level.stop) + 1
            own = tree.children[nodes] > 0
            suffixes[own, 1:] = suffixes[own, :-1]
            suffixes[own, 0] = nodes[own]
            chains[nodes] = suffixes

    def _suffixes(self, parents: Indices, characters: Indices) -> Indices:
        """Return the longest suffix of n-grams, given as parents and characters, among the nodes.

        It is below the longest suffix of the parent that has this character below it.
        """
        found, missing = np.full(len(parents), ROOT), np.arange(len(parents))
        for chain in self._chains.T[1:]:
            entries = self._entry(chain[parents[missing]], characters[missing])
            found[missing] = entries + 1
            missing = missing[entries < 0]
        return found
