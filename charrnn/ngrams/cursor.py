"""Where texts stand in a table of n-grams, for sampling: fed one character at a time.

What was read for the last distribution is remembered, because the next characters are mostly among
it.
"""

import numpy as np

from charrnn.ngrams.rows import Rows
from charrnn.ngrams.tree import ROOT, Floats, Indices, Nodes, States


class BatchCursor:
    """Where B texts stand.

    rows    what is read of the table
    count   number of texts B

    Attribute: ``nodes``, of the longest n-gram that ends each text, (B,).
    """

    def __init__(self, rows: Rows, count: int) -> None:
        self._rows, self._begin = rows, np.arange(count) * rows.vocab_size  # of each in p of all
        self._begin_of = self._begin.repeat(rows.longer)  # the same for each longer context
        self.start(np.array([ROOT]))

    def start(self, nodes: Nodes) -> None:
        """Start from nodes (B,), or from one for all texts, (1,)."""
        self._read(np.resize(nodes, len(self._begin)))

    def select(self, numbers: Nodes) -> None:
        """Give text i the node of text ``numbers[i]``, (B,)."""
        self._read(self.nodes[numbers])

    def feed(self, ids: Nodes) -> None:
        """Go on with the next character of each text, ids (B,)."""
        after = self._rows.after.take(self._base, axis=0).ravel()
        # Of several entries the longest context counts, which is written last.
        after[self._places[::-1]] = self._entries[::-1] + 1
        self._read(after.take(self._begin + ids))

    def p(self, shares: Floats) -> Floats:
        """Return p of all characters after each text, (B, V), times its share, (B,)."""
        rows, contexts = self._rows, self._contexts
        B, K = contexts.shape
        left = np.empty((B, K + 1), np.float32)  # what is left for each context, and behind them
        left[:, 0], left[:, 1:] = shares, rows.gammas.take(contexts)
        np.multiply.accumulate(left, axis=1, out=left)
        p: Floats = rows.p.take(self._base, axis=0)
        p *= left[:, K:]
        longer = rows.alphas.take(self._entries)
        longer *= left[:, :K].ravel().take(self._of)
        np.add.at(p.ravel(), self._places, longer)
        return p

    def _read(self, nodes: Nodes) -> None:
        """Find the N entries of the longer contexts of all texts."""
        rows, self.nodes = self._rows, nodes
        contexts: Indices = rows.contexts.take(nodes, axis=0).astype(np.int64)
        self._contexts, self._base = contexts[:, :-1], contexts[:, -1]
        begin, end = rows.spans.take(self._contexts, axis=0).reshape(-1, 2).T
        sizes = end - begin
        self._of = of = np.arange(len(sizes)).repeat(sizes)  # the context of each, (N,)
        self._entries = np.arange(len(of))
        self._entries += (end - np.add.accumulate(sizes)).take(of)
        self._places = self._begin_of.take(of)  # in p of all texts
        self._places += rows.characters.take(self._entries)


class OneCursor:
    """Where a single text stands: the same, to the last bit, without arrays of one element.

    rows   what is read of the table

    Attribute: ``node``, of the longest n-gram that ends the text.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows, self._spans = rows, rows.spans.data
        self._read(ROOT)

    @property
    def nodes(self) -> States:
        """The node as an array, (1,)."""
        return np.array([self.node], np.int32)

    def start(self, nodes: Nodes) -> None:
        """See ``BatchCursor.start``."""
        self._read(int(nodes[0]))

    def select(self, numbers: Nodes) -> None:
        """See ``BatchCursor.select``: there is no other text."""

    def feed(self, ids: Nodes) -> None:
        """See ``BatchCursor.feed``."""
        chosen, rows = int(ids[0]), self._rows
        character = chr(chosen)
        for _, begin, end in self._longer:
            entry = rows.text.find(character, begin, end)
            if entry >= 0:
                self._read(entry + 1)
                return
        self._read(int(rows.after[self._base, chosen]))

    def p(self, share: np.float32) -> Floats:
        """Return p of all characters after the text, (V,), times its share."""
        rows, characters, longer = self._rows, [], []
        for context, begin, end in self._longer:
            characters.append(rows.characters[begin:end])
            longer.append(rows.alphas[begin:end] * share)
            share = share * rows.gammas[context]
        p: Floats = rows.p[self._base] * share
        if characters:
            np.add.at(p, np.concatenate(characters), np.concatenate(longer))
        return p

    def _read(self, node: int) -> None:
        """Find the entries of the longer contexts."""
        spans, self.node, self._longer = self._spans, node, []
        *longer, self._base = self._rows.contexts[node].tolist()
        for context in longer:
            begin, end = spans[context, 0], spans[context, 1]
            if begin < end:
                self._longer.append((context, begin, end))


Cursor = OneCursor | BatchCursor


def make_cursor(rows: Rows, nodes: Nodes) -> Cursor:
    """Return where texts stand, from their nodes (B,)."""
    cursor = OneCursor(rows) if len(nodes) == 1 else BatchCursor(rows, len(nodes))
    cursor.start(nodes)
    return cursor
