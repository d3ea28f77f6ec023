"""A table of n-grams: a language model that looks up how a text went on.

The probability of a character c after a context h, the last characters of a text, is

    p(c | h) = alpha(h, c) + gamma(h) p(c | h')        gamma(h) = 1 - sum_x alpha(h, x)

where h' is the longest suffix of h that has entries, and behind the empty one all V characters are
alike; see ``kneser_ney``. As only contexts with entries matter, the state of a text is one number:
the node of its longest suffix that has some.
"""

from functools import cached_property

import numpy as np

from charrnn.ngrams.rows import Rows
from charrnn.ngrams.tree import NONE, ROOT, Floats, Indices, Nodes, States, Tree

LARGEST = 1 << 31

# Contexts fall into so many groups by gamma, which falls with how often they were seen.
GROUPS = 10


class NGramTable:
    """A table of n-grams.

    tree   its entries, at least one

    Attributes: ``vocab_size``, the number of characters V; ``order``, the largest n; and, for each
    of the E + 2 nodes, of which the last is NONE:

    gammas   see above
    groups   number of the group of gammas it is in
    chains   all its suffixes that have entries, itself if it has some, the longest first; behind
             the root, which ends each, NONE: (E + 2, order). A node without entries has only the
             first, whose own chain goes on

    For each of the E entries, and one more: ``keys``, parent and character as one number;
    ``alphas``.
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
        self.keys = np.append(tree.keys(), np.iinfo(short).max).astype(short)
        self.alphas = np.append(tree.alphas, np.float16(0)).astype(np.float32)
        self.gammas = np.append(tree.gammas(), 1).astype(np.float32)
        self.groups = np.minimum(self.gammas * GROUPS, GROUPS - 1).astype(np.int64)
        self.chains = np.full((len(self.gammas), self.order), NONE, np.int32)
        self._fill_chains(levels)

    @cached_property
    def rows(self) -> Rows:
        """What sampling reads, made when it is first asked for."""
        return Rows(self.tree, self.alphas, self.gammas, self.chains)

    def start(self, count: int) -> States:
        """Return the node of nothing for so many texts, (count,)."""
        return np.full(count, ROOT, np.int32)

    def sound(self, nodes: Nodes) -> States:
        """Return nodes that have entries: the longest suffix of one that does not."""
        found: States = self.chains[np.clip(nodes, ROOT, self.tree.entries), 0]
        return found

    def read(self, nodes: Nodes, ids: Nodes) -> States:
        """Return the nodes (T, B) after each character of texts, ids (T, B), from nodes (B,).

        All characters are looked up together, one length of contexts after the other.
        """
        T, B = ids.shape
        exact = np.full((self.order, T + 1, B), NONE, np.int64)  # the context of each length
        chains = self.chains[nodes]
        rows, columns = np.nonzero(chains != NONE)
        before = chains[rows, columns]
        exact[self._lengths[before], 0, rows] = before
        exact[0] = longest = np.full((T + 1, B), ROOT)
        for length in range(1, self.order):
            entries = self._entry(exact[length - 1, :-1], ids)
            exact[length, 1:] = found = np.where(entries < 0, NONE, entries + 1)
            has_entries = (self.chains[found, 0] == found) & (found != NONE)
            longest[1:] = np.where(has_entries, found, longest[1:])
        return longest[1:].astype(np.int32)

    def probabilities(self, nodes: Nodes, targets: Nodes) -> Floats:
        """Return p of each target (...,) after each node (...,)."""
        p: Floats = np.full(nodes.shape, 1 / self.vocab_size, np.float32)
        for chain in reversed(self.chains.T):
            contexts = chain[nodes]
            p = self.alphas[self._entry(contexts, targets)] + self.gammas[contexts] * p
        return p

    def _entry(self, nodes: Nodes, ids: Nodes) -> Indices:
        """Return the entry of each character below each node; -1 for none."""
        keys = (nodes * np.int64(self.vocab_size) + ids).astype(self.keys.dtype)
        at = self.keys.searchsorted(keys)
        return np.where(self.keys[at] == keys, at, -1)

    def _fill_chains(self, levels: list[slice]) -> None:
        """Write the chains of all nodes."""
        chains, tree = self.chains, self.tree
        chains[ROOT, 0] = ROOT
        parents = tree.parents
        for level in levels:
            suffixes = chains[self._suffixes(parents[level], tree.characters[level]), 0]
            begin, end = level.start + 1, level.stop + 1
            chains[begin:end, 0] = suffixes
            own = np.flatnonzero(tree.children[begin:end])
            chains[begin + own, 1:] = chains[suffixes[own], :-1]
            chains[begin + own, 0] = begin + own

    def _suffixes(self, parents: Indices, characters: Indices) -> Indices:
        """Return the longest suffix of n-grams, given as parents and characters, among the nodes.

        It is below the longest suffix of the parent that has this character below it.
        """
        found, missing = np.full(len(parents), ROOT), np.arange(len(parents))
        for chain in self.chains.T[1:]:
            entries = self._entry(chain[parents[missing]], characters[missing])
            found[missing] = entries + 1
            missing = missing[entries < 0]
        return found
