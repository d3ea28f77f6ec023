"""What follows contexts of a table, for all characters at once: for sampling.

Short contexts come again and again: what follows them, and where each character leads, is written
down beforehand. Of longer ones, of which there are too many, the few entries are read every time.
"""

from itertools import pairwise

import numpy as np

from charrnn.ngrams.tree import NONE, ROOT, Floats, States, Tree

# Short contexts are those of all lengths for which so many numbers are enough.
AT_ONCE = 1 << 20


class Rows:
    """What is read of a table of E entries and V characters, see ``NGramTable``.

    tree     its entries
    alphas   of the entries, (E + 1,)
    gammas   of the nodes, (E + 2,)
    chains   of the nodes, (E + 2, order)

    Attributes: ``alphas``, ``gammas``, and

    characters   of the entries, (E,), and ``text``, in which they are the codes: a search in it is
                 the quickest there is
    first        entry of each node, (E + 3,); those of the next begin behind its last
    p, after     of all characters after short contexts, which are the first nodes, and the nodes
                 that they lead to: (short, V)
    contexts     of each node: the K of its chain that can be longer, or the last node, which has
                 no entries; and the longest of the short ones, (E + 2, K + 1)
    """

    def __init__(self, tree: Tree, alphas: Floats, gammas: Floats, chains: States) -> None:
        V = self.vocab_size = tree.vocab_size
        self.alphas, self.gammas = alphas, gammas
        self.characters = tree.characters
        self.text = tree.characters.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        self.first = np.cumsum(np.concatenate([[0], tree.children, [0]]))
        stops = [1, *(level.stop + 1 for level in tree.levels()[:-1])]  # of the nodes of a length
        stops = [stop for stop in stops if stop == 1 or stop * V <= AT_ONCE]
        self.p = np.empty((stops[-1], V), np.float32)
        self.after = np.empty((stops[-1], V), np.int32)
        self._write_short(tree, chains, stops)
        self.longer = chains.shape[1] - len(stops)
        self.contexts = self._contexts(chains)

    def _write_short(self, tree: Tree, chains: States, stops: list[int]) -> None:
        """Write down what follows the nodes of each length, which stop at ``stops``."""
        p, after, parents = self.p, self.after, tree.parents
        p[ROOT], after[ROOT] = self.gammas[ROOT] * np.float32(1 / self.vocab_size), ROOT
        for begin, stop in pairwise([0, *stops]):
            if begin:
                own = tree.children[begin:stop] > 0
                shorter = np.where(own, chains[begin:stop, 1], chains[begin:stop, 0])
                p[begin:stop] = p[shorter] * self.gammas[begin:stop, None]
                after[begin:stop] = after[shorter]
            entries = slice(self.first[begin], self.first[stop])
            places = parents[entries], tree.characters[entries]
            p[places] += self.alphas[entries]
            after[places] = np.arange(entries.start, entries.stop) + 1

    def _contexts(self, chains: States) -> States:
        """Return the attribute ``contexts``."""
        found, short = chains[:, : self.longer + 1].copy(), len(self.p)
        for column in reversed(range(self.longer)):
            is_short = (found[:, column] >= ROOT) & (found[:, column] < short)
            found[is_short, -1] = found[is_short, column]
            found[is_short, column] = NONE
        found[found == NONE] = len(chains) - 1
        return found
