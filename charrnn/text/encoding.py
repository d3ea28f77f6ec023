"""Streaming encoder: from pieces of text to ids while reading."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.spool import Spool, stored
from charrnn.text.vocabulary import CODE_POINTS, Ids, Vocabulary, code_points, id_dtype

BYTE = 256


def encode_pieces(pieces: Iterable[str]) -> tuple[Ids, Vocabulary]:
    """Encode pieces of text with the vocabulary of those pieces.

    Characters get provisional ids in order of appearance. At the end, these are mapped to the ids
    of the sorted vocabulary.
    """
    encoder = _Encoder()
    with Spool() as spool:
        for piece in pieces:
            spool.append(encoder.encode(piece))
        if not spool.length:
            return np.empty(0, np.uint8), Vocabulary("\0")
        order = np.argsort(encoder.seen)
        final: Ids = np.empty(len(order), id_dtype(len(order)))
        final[order] = np.arange(len(order))
        characters = "".join(map(chr, encoder.seen[order].tolist()))
        ids = stored((mapped(piece, final) for piece in spool.pieces()), spool.length, final.dtype)
    return ids, Vocabulary(characters, encoder.counts[order])


class _Encoder:
    """Assigns provisional ids to characters in order of appearance, and counts them.

    seen     code point of each id
    counts   occurrences of each id
    """

    def __init__(self) -> None:
        self.seen = np.empty(0, np.uint32)
        self.counts = np.zeros(0, np.int64)
        self._ids = np.full(CODE_POINTS, -1, np.int32)

    def encode(self, piece: str) -> Ids:
        """Return the ids of a piece in the smallest type that holds all ids so far."""
        if piece.isascii():
            points = np.frombuffer(piece.encode("ascii"), np.uint8)
            counts = _count(points, BYTE)
            present = np.flatnonzero(counts)
            self._learn(present)
            self.counts[self._ids[present]] += counts[present]
            table: Ids = np.maximum(self._ids[:BYTE], 0).astype(id_dtype(len(self.seen)))
            return mapped(points, table)
        wide = code_points(piece)
        found = self._ids.take(wide)
        if found.min() < 0:
            self._learn(np.unique(wide[found < 0]))
            found = self._ids.take(wide)
        ids: Ids = found.astype(id_dtype(len(self.seen)))
        self.counts += _count(ids, len(self.seen))
        return ids

    def _learn(self, points: NDArray[np.integer[Any]]) -> None:
        """Assign ids to those of these code points that have none."""
        new = points[self._ids[points] < 0]
        self._ids[new] = np.arange(len(self.seen), len(self.seen) + len(new))
        self.seen = np.concatenate([self.seen, new.astype(np.uint32)])
        self.counts = np.pad(self.counts, (0, len(new)))


def _count(ids: Ids, size: int) -> NDArray[np.int64]:
    """Return how often each of the ids 0 to size - 1 occurs."""
    if ids.dtype != np.uint8:
        return np.bincount(ids, minlength=size)
    # Counting pairs of bytes halves the work: one byte is the row, the other the column.
    even = ids[: len(ids) // 2 * 2]
    pairs = np.bincount(even.view(np.uint16), minlength=BYTE**2).reshape(BYTE, BYTE)
    counts: NDArray[np.int64] = pairs.sum(axis=0) + pairs.sum(axis=1)
    counts[ids[len(even) :]] += 1
    return counts[:size]


def mapped(ids: Ids, table: Ids) -> Ids:
    """Return table[ids]."""
    if ids.dtype == table.dtype == np.uint8:  # bytes.translate is several times faster
        whole = np.zeros(BYTE, np.uint8)
        whole[: len(table)] = table
        return np.frombuffer(ids.tobytes().translate(whole.tobytes()), np.uint8)
    return table[ids]
