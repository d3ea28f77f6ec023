"""A table of n-grams arranged for sampling, which asks for p of all characters after a context.

Short contexts come again and again: their p, and where each character leads, are written down
beforehand, a row for each. There are too many longer ones, but these have few entries, which are
read every time.
"""

from itertools import pairwise

import numpy as np

from charrnn.ngrams.tree import ROOT, Floats, States, Tree

# Short are the contexts of all lengths up to which their rows have no more numbers than this.
AT_ONCE = 1 << 20


class Rows:
    """What sampling reads of a table of E entries and V characters, see ``NGramTable``.

    tree     its entries
    alphas   of the entries, (E + 1,)
    gammas   of the nodes, (E + 2,)
    chains   of the nodes, (E + 2, order)

    Attributes: ``vocab_size``; ``longer``, the number K of contexts of a chain that can be longer
    than short; ``alphas``, ``gammas``; and

    characters   of the entries, (E,)
    text         the same as codes of a string, in which a search is quickest
    spans        of each node: its first entry, and behind its last one, (E + 2, 2)
    p            of all characters after each short context; these are the first nodes, (S, V)
    after        the nodes that they lead to, (S, V)
    contexts     of each node: the K longer ones of its chain, the longest first, and the longest
                 short one, (E + 2, K + 1). For one that there is not stands the last node, which
                 has no entries
    """

    def __init__(self, tree: Tree, alphas: Floats, gammas: Floats, chains: States) -> None:
        V = self.vocab_size = tree.vocab_size
        self.alphas, self.gammas = alphas, gammas
        self.characters = tree.characters
        self.text = tree.characters.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        self.spans = np.full((tree.entries + 2, 2), tree.entries)
        self.spans[:-1, 1] = np.cumsum(tree.children)
        self.spans[0, 0], self.spans[1:, 0] = 0, self.spans[:-1, 1]
        stops = [1, *(level.stop + 1 for level in tree.levels()[:-1])]  # of the nodes of a length
        stops = [stop for stop in stops if stop == 1 or stop * V <= AT_ONCE]
        self.p = np.empty((stops[-1], V), np.float32)
        self.after = np.empty((stops[-1], V), np.int32)
        self._write_short(tree, chains, stops)
        self.longer = chains.shape[1] - len(stops)
        self.contexts = self._contexts(chains)

    def _write_short(self, tree: Tree, chains: States, stops: list[int]) -> None:
        """Write down what follows the nodes of each length, which stop at ``stops``."""
        p, after = self.p, self.after
        p[ROOT], after[ROOT] = self.gammas[ROOT] * np.float32(1 / self.vocab_size), ROOT
        for begin, stop in pairwise([0, *stops]):
            if begin:
                own = tree.children[begin:stop] > 0
                shorter = np.where(own, chains[begin:stop, 1], chains[begin:stop, 0])
                p[begin:stop] = p[shorter] * self.gammas[begin:stop, None]
                after[begin:stop] = after[shorter]
            entries = slice(self.spans[begin, 0], self.spans[stop - 1, 1])
            nodes = np.repeat(np.arange(begin, stop), tree.children[begin:stop])
            places = nodes, tree.characters[entries]
            p[places] += self.alphas[entries]
            after[places] = np.arange(entries.start, entries.stop) + 1

    def _contexts(self, chains: States) -> States:
        """Return the attribute ``contexts``."""
        K, short, last = self.longer, len(self.p), len(chains) - 1
        own = np.flatnonzero(self.spans[:, 0] < self.spans[:, 1])
        found = chains[own, : K + 1]
        for column in reversed(range(K)):
            contexts = found[:, column]
            np.copyto(found[:, K], contexts, where=(contexts >= ROOT) & (contexts < short))
        np.copyto(found[:, :K], last, where=found[:, :K] < short)
        places = np.zeros(last + 1, np.int32)
        places[own] = np.arange(len(own))
        return found.take(places.take(chains[:, 0]), axis=0)
