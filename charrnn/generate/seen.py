"""What the training text has, as hashes in Bloom filters (Bloom 1970): its passages, its pieces.

A filter takes two bytes for a hash. What it has is always found. Something else is found by mistake
once in about 1,700 times: with 16 bits for each and 8 probes, (1 - exp(-8/16))^8 = 0.06 %. A text
that was learned after another has a filter of its own, of the same size: they are rows (K, size),
without those of which another has all bits.

Of passages, every STRIDE-th span of SPAN characters is stored. Whatever its place, a copied passage
of SPAN + STRIDE - 1 characters has a stored span in it, and with every STRIDE characters more the
next one, exactly STRIDE characters further. So a row of k spans at this distance, a run, is a copy
of SPAN + STRIDE (k - 1) characters at least and 2 (STRIDE - 1) more at most. Nothing that is copied
is missed, and two spans in a row are hardly ever found by mistake.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.config import END
from charrnn.errors import ConfigError
from charrnn.text.pieces import find_ends
from charrnn.text.storage import release
from charrnn.text.vocabulary import Ids, Vocabulary, code_points

BITS_EACH, PROBES = 16, 8
# In a smaller filter, probes would fall on each other.
MIN_BYTES = 64
SPAN, STRIDE = 16, 8

# The longest copy that may hold no stored span: the smallest that can be promised.
SHORTEST = SPAN + STRIDE - 2

# Longer texts have no filter of spans: it would be larger than the model.
MAX_LENGTH = 1 << 26

# Spans, or pieces, hashed together, to bound the memory.
_AT_ONCE = 1 << 13

_BASE = np.uint64(0x9E3779B97F4A7C15)
_POWERS = np.multiply.accumulate(np.full(SPAN, _BASE))

Bits = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Points = NDArray[np.uint32]


def seen_spans(ids: Ids, vocabulary: Vocabulary, older: Bits | None = None) -> Bits | None:
    """Return the filters of the spans of a text (N,), and of older ones.

    None if the text is longer than MAX_LENGTH.
    """
    if len(ids) > MAX_LENGTH:
        return None
    starts, points = range(0, len(ids) - SPAN + 1, STRIDE), code_points(vocabulary.characters)
    blocks = (ids[at : at + STRIDE * (_AT_ONCE - 1) + SPAN] for at in starts[::_AT_ONCE])
    return _store(ids, len(starts), (_hash_spans(points[it], STRIDE) for it in blocks), older)


def seen_pieces(ids: Ids, vocabulary: Vocabulary, older: Bits | None = None) -> Bits:
    """Return the filters of flat pieces (see ``text.pieces``), and of those of older texts."""
    ends, points = find_ends(ids), code_points(vocabulary.characters)
    count = len(ends) - 1
    blocks = (ends[at : at + _AT_ONCE + 1] for at in range(0, count, _AT_ONCE))
    hashes = (_hash_pieces(points[ids[it[0] : it[-1]]], it - it[0]) for it in blocks)
    return _store(ids, count, hashes, older)


def is_seen(bits: Bits, piece: str) -> bool:
    """Return True if a piece is in the text, and rarely if it is not."""
    points = code_points(END + piece)
    return bool(_has(bits, _hash_pieces(points, np.array([0, len(points)])))[0])


def require_spans(bits: Bits | None) -> Bits:
    """Return the filter of a model. Raises ConfigError if it has none."""
    if bits is None:
        raise ConfigError(
            "the model does not know which passages its text has",
            hint="train one: base models and texts of more than 64 MB have no filter",
        )
    return bits


def longest_copy(bits: Bits, text: str) -> int:
    """Return the length of the longest passage of a text that was found, or 0.

    The passage may be up to 2 (STRIDE - 1) characters longer; one shorter than SPAN + STRIDE - 1
    may not be found.
    """
    if len(text) < SPAN:
        return 0
    runs = [0] * STRIDE
    for hit in _has(bits, _hash_spans(code_points(text))).tolist():
        runs.append(runs[-STRIDE] + 1 if hit else 0)
    return SPAN + STRIDE * (max(runs) - 1) if any(runs) else 0


def find_copies(bits: Bits, passages: Sequence[str]) -> NDArray[np.bool_]:
    """Return which passages are copied, (N,): of one length, a multiple of STRIDE from SPAN on."""
    points = code_points("".join(passages)).reshape(len(passages), -1)
    hits = _has(bits, _hash_spans(points, STRIDE).ravel())
    copied: NDArray[np.bool_] = np.logical_and.reduce(hits.reshape(len(passages), -1), axis=1)
    return copied


def _hash_spans(points: Points, stride: int = 1) -> Hashes:
    """Return a hash of each ``stride``-th span of texts, code points (..., N)."""
    starts = np.arange(0, points.shape[-1] - SPAN + 1, stride)[:, None]
    spans = points[..., starts + np.arange(SPAN)].astype(np.uint64)
    return _mix((spans + np.uint64(1)) @ _POWERS)


def _hash_pieces(points: Points, bounds: NDArray[np.int64]) -> Hashes:
    """Return a hash of each piece: a polynomial in _BASE modulo 2^64, mixed.

    points   code points of pieces, each after an END
    bounds   where the ENDs are, and the end of the array
    """
    lengths = np.diff(bounds)
    powers = np.full(lengths.max() + 1, _BASE)
    powers[:2] = 0, 1  # an END does not count
    np.multiply.accumulate(powers[1:], out=powers[1:])
    places = np.arange(len(points)) - np.repeat(bounds[:-1], lengths)
    hashes: Hashes = np.add.reduceat((points + np.uint64(1)) * powers[places], bounds[:-1])
    return _mix(hashes + (lengths - 1).astype(np.uint64))


def _mix(hashes: Hashes) -> Hashes:
    """Make all bits depend on all bits: the mixer of splitmix64 (Steele, Lea & Flood 2014)."""
    for shift in (30, 27, 31):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return hashes


def _store(ids: Ids, count: int, hashes: Iterable[Hashes], older: Bits | None) -> Bits:
    """Return filters of one size, (K, size): the older ones, and one of the hashes of a text.

    hashes   in blocks, ``count`` of them together
    """
    size = max(count * BITS_EACH // 8, MIN_BYTES)
    if older is None:
        older = np.empty((0, size), np.uint8)
    # Repeated, a filter has the same hashes: places are modulo its size.
    older = np.tile(older, -(-size // older.shape[1]))
    bits = np.zeros(older.shape[1], np.uint8)
    for block in hashes:
        places = _probe(block, len(bits))
        np.bitwise_or.at(bits, places >> 3, np.uint8(1) << (places & 7).astype(np.uint8))
        release(ids)
    older = older[(older & ~bits).any(axis=1)]
    is_known = not (bits & ~older).any(axis=1).all()
    return older if is_known else np.vstack([older, bits])


def _has(bits: Bits, hashes: Hashes) -> NDArray[np.bool_]:
    """Return which hashes (N,) are in one of the filters, and rarely one that is not."""
    places = _probe(hashes, bits.shape[1])
    found = bits[:, places >> 3] >> (places & 7).astype(np.uint8) & 1  # (K, PROBES, N)
    hits: NDArray[np.bool_] = np.logical_or.reduce(np.logical_and.reduce(found, axis=1))
    return hits


def _probe(hashes: Hashes, size: int) -> NDArray[np.int64]:
    """Return the bits that stand for each of N hashes, (PROBES, N) (Kirsch & Mitzenmacher 2006)."""
    low, high = hashes & np.uint64(0xFFFFFFFF), hashes >> np.uint64(32) | np.uint64(1)
    steps = np.arange(PROBES, dtype=np.uint64)[:, None]
    return ((low + steps * high) % np.uint64(size * 8)).astype(np.int64)
