"""A Bloom filter (Bloom 1970): a set of hashes in two bytes each.

What is in the set is always found. Something else is found by mistake once in about 1,700 times:
with 16 bits for each and 8 probes, (1 - exp(-8/16))^8 = 0.06 %.
"""

import numpy as np
from numpy.typing import NDArray

BITS_EACH = 16
PROBES = 8

Bits = NDArray[np.uint8]


def empty_filter(count: int) -> Bits:
    """Return a filter for this many hashes."""
    return np.zeros(max(count * BITS_EACH // 8, 8), np.uint8)


def add_hashes(bits: Bits, hashes: NDArray[np.uint64]) -> None:
    """Put hashes into a filter."""
    places = _probe(hashes, len(bits) * 8)
    np.bitwise_or.at(bits, places >> 3, np.uint8(1) << (places & 7).astype(np.uint8))


def has_hashes(bits: Bits, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which hashes (N,) are in a filter, and rarely one that is not."""
    places = _probe(hashes, len(bits) * 8)
    found: NDArray[np.bool_] = ((bits[places >> 3] >> (places & 7).astype(np.uint8)) & 1).all(
        axis=0
    )
    return found


def mix(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes all of whose bits depend on all bits; the array is changed."""
    for shift in (30, 27, 31):  # the mixer of splitmix64 (Steele, Lea & Flood 2014)
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return hashes


def _probe(hashes: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    """Return the bits that stand for each of N hashes, (PROBES, N) (Kirsch & Mitzenmacher 2006)."""
    low, high = hashes & np.uint64(0xFFFFFFFF), hashes >> np.uint64(32) | np.uint64(1)
    steps = np.arange(PROBES, dtype=np.uint64)[:, None]
    return ((low + steps * high) % np.uint64(size)).astype(np.int64)
