"""Where texts stand in a table of n-grams, for sampling: fed one character at a time.

It does what ``NGramTable.read`` and ``probabilities`` do, for a step, and is made to be quick:
it remembers which entries it read for the last distributions, because the next characters are
mostly among them, and a single text is done without arrays of one element.
"""

from bisect import bisect_left

import numpy as np

from charrnn.ngrams.table import EntriesRead, Floats, NGramTable, Nodes, States
from charrnn.ngrams.tree import ROOT


class Cursor:
    """Where B texts stand in a table.

    table   the table
    count   number of texts B

    Attribute: ``nodes``, the state of each, (B,).
    """

    def __init__(self, table: NGramTable, count: int) -> None:
        self._table, self.nodes = table, table.start(count)
        self._read: EntriesRead | None = None

    def start(self, nodes: States) -> None:
        """Start from nodes (B,), or from one for all texts, (1,)."""
        self.nodes, self._read = np.resize(nodes, len(self.nodes)), None

    def select(self, rows: Nodes) -> None:
        """Give text i the node of text ``rows[i]``, rows (B,)."""
        self.nodes, self._read = self.nodes[rows], None

    def feed(self, ids: Nodes) -> None:
        """Go on with the next character of each text, ids (B,)."""
        if len(ids) == 1:
            self.nodes = np.array([self._after_one(int(self.nodes[0]), int(ids[0]))], np.int32)
            return
        found = np.zeros(len(ids), np.int64)
        if self._read is not None:
            entries, characters, texts = self._read
            # Of several entries the longest context counts, which is written last.
            hits = np.flatnonzero(characters == ids[texts])[::-1]
            found[texts[hits]] = entries[hits] + 1
            self._read = None
        missing = np.flatnonzero(found == ROOT)
        found[missing] = self._table.longest(self.nodes[missing], ids[missing])
        self.nodes = self._table.chains[found, 0]

    def distributions(self, shares: Floats) -> Floats:
        """Return p of all characters after each text, (B, V), times its share, (B,)."""
        table = self._table
        if len(shares) == 1:
            return self.distribution(shares[0])[None]
        p, self._read = table.distributions(table.chains[self.nodes], shares, table.short)
        return p

    def distribution(self, share: np.float32) -> Floats:
        """Return p of all characters after the only text, (V,), times its share.

        It is the same as of several texts, to the last bit.
        """
        table, characters, shares = self._table, [], []
        first, short = table.first.data, len(table.short)
        for context in table.chains[self.nodes[0]].tolist():
            if context < short:
                break
            entries = slice(first[context], first[context + 1])
            characters.append(table.characters[entries])
            shares.append(table.alphas[entries] * share)
            share = share * table.gammas[context]
        p: Floats = table.short[context] * share
        if characters:
            p += np.bincount(np.concatenate(characters), np.concatenate(shares), table.vocab_size)
        return p

    def _after_one(self, node: int, chosen: int) -> int:
        """Return the node after a node and a character."""
        table = self._table
        first, keys = table.first.data, table.keys.data
        for context in table.chains[node].tolist():
            key = context * table.vocab_size + chosen
            at = bisect_left(keys, key, first[context], first[context + 1])
            if keys[at] == key:
                return int(table.chains[at + 1, 0])
            if context == ROOT:
                break
        return ROOT
