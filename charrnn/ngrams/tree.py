"""The n-grams of a text as a tree, in arrays.

Below the root are the single characters, below each those that follow it, and so on. A node is a
context, the characters on the way to it, and each character below it is an entry.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import MAX_NGRAM

Indices = NDArray[np.int64]
Nodes = NDArray[np.integer[Any]]
States = NDArray[np.int32]
Floats = NDArray[np.float32]

ROOT = 0

# Behind the end of a chain of suffixes: it has no entries and leaves everything to the next.
NONE = -1


@dataclass(frozen=True)
class Tree:
    """E n-grams, level by level, those of a level in the order of their parents.

    Entry e belongs to node e + 1; node 0 is the root.

    characters   id of the last character of each, increasing among those of one parent, (E,)
    children     number of entries below each node, (E + 1,)
    alphas       the share of each that its context does not leave to shorter ones, (E,)
    vocab_size   number of characters V
    """

    characters: Indices
    children: Indices
    alphas: NDArray[np.float16]
    vocab_size: int

    @property
    def entries(self) -> int:
        """The number of n-grams E."""
        return len(self.characters)

    @property
    def order(self) -> int:
        """The largest n."""
        return len(self.levels())

    @property
    def parents(self) -> Indices:
        """The node above each entry, (E,)."""
        return np.repeat(np.arange(len(self.children)), self.children)

    def levels(self) -> list[slice]:
        """Return the entries of each length, the single characters first."""
        found, begin, end = [], 0, int(self.children[ROOT])
        while begin < end:
            found.append(slice(begin, end))
            begin, end = end, end + int(self.children[begin + 1 : end + 1].sum())
        return found

    def keys(self) -> Indices:
        """Return parent and character of each entry as one number, (E,): in increasing order."""
        return self.parents * self.vocab_size + self.characters

    def gammas(self) -> NDArray[np.float64]:
        """Return what each node leaves to shorter contexts, (E + 1,)."""
        sums = np.bincount(self.parents, self.alphas.astype(np.float64), len(self.children))
        return 1 - sums.astype(np.float64)

    def check(self) -> None:
        """Raise ValueError unless the arrays are a tree and its shares add up to 1 at most."""
        E, V = self.entries, self.vocab_size
        if not E or self.children.shape != (E + 1,) or self.alphas.shape != (E,):
            raise ValueError("the n-grams do not have the right shapes")
        if int(self.characters.max()) >= V or int(self.characters.min()) < 0:
            raise ValueError("the n-grams have characters that there are not")
        if int(self.children.max()) > V or int(self.children.min()) < 0:
            raise ValueError("the n-grams have more characters after one context than there are")
        levels = self.levels()
        if not levels or levels[-1].stop != E or int(self.children.sum()) != E:
            raise ValueError("the n-grams are no tree")
        if len(levels) > MAX_NGRAM:
            raise ValueError(f"the n-grams are longer than {MAX_NGRAM}")
        if (np.diff(self.keys()) <= 0).any():
            raise ValueError("the n-grams are not in order")
        if float(self.alphas.min()) < 0 or float(self.gammas().min()) < 0:
            raise ValueError("the n-grams have shares that are no probabilities")
