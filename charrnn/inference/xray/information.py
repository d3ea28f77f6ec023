"""How much the activations of units say about labels: mutual information.

    I(a; y) = sum_(a,y) p(a, y) ln [ p(a, y) / (p(a) p(y)) ]     in nats (Shannon 1948)

Activations are cut into bins at quantiles, unit by unit, so that their scale and their distribution
do not matter. The bins are narrow at both ends, for features that are rare.

Counted on a text of finite length, the information is too high: also a unit that has nothing to do
with the labels seems to say something. How much, E, is measured on the labels in another order, in
which they go together only by chance. Of the entropy H of the labels, a unit then tells the share

    (I - E) / (H - E)     0 by chance, 1 for a unit that tells all (Vinh, Epps & Bailey 2010)

Both activations and labels change slowly, so the labels are not shuffled one by one, which would
make chance look smaller than it is: the text is cut in random places and the pieces are shuffled.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array

# The quantiles between the bins of an activation, and the levels from which they are made.
QUANTILES = (0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99)
BINS = len(QUANTILES) + 1
_LEVELS = 1 << 12
# Orders of the labels in which chance is measured, and the mean length of the pieces.
ROUNDS, PIECE = 3, 100
_AT_ONCE = 1 << 13

Labels = NDArray[np.uint8]


class Information(NamedTuple):
    """What U units say about one kind of labels.

    shares    the share of the entropy that each tells, chance taken off, from 0 to 1, (U,)
    entropy   of the labels, in nats
    chance    the share that the best of these units tells of labels in another order, on average
    """

    shares: NDArray[np.float64]
    entropy: float
    chance: float


def binned(activations: Array) -> NDArray[np.uint8]:
    """Return for each activation (N, U) its bin, from 0 to BINS - 1, between the quantiles.

    Equal activations share a bin. The quantiles are those of a histogram with 4,096 columns
    between a unit's extremes, which is faster than sorting.
    """
    N, U = activations.shape
    least = activations.min(0)
    width = activations.max(0) - least
    scale = np.divide(_LEVELS - 1, width, out=np.zeros_like(width), where=width > 0)
    bins = np.empty((N, U), np.uint8)
    for unit in range(0, U, 64):  # small enough for the CPU cache
        part = slice(unit, min(unit + 64, U))
        levels = ((activations[:, part] - least[part]) * scale[part]).astype(np.int32)
        count = part.stop - part.start
        levels += np.arange(count, dtype=np.int32) * _LEVELS
        counts = np.bincount(levels.ravel(), minlength=count * _LEVELS).reshape(count, _LEVELS)
        # The rank in the middle of a level says between which quantiles it is.
        middle = (np.cumsum(counts, axis=1) - counts / 2) / N
        table = np.searchsorted(QUANTILES, middle, side="right").astype(np.uint8)
        table.ravel().take(levels, out=bins[:, part], mode="clip")
    return bins


def information(
    activations: Array, kinds: Sequence[Labels], rng: np.random.Generator
) -> list[Information]:
    """Return what units say about each kind of labels.

    activations   (N, U)
    kinds         labels of N characters, small integers from 0, (N,) each
    rng           source of the other orders
    """
    N = len(activations)
    orders = [np.arange(N), *(_order(N, rng) for _ in range(ROUNDS))]
    sizes = [int(labels.max(initial=0)) + 1 for labels in kinds]
    one_hot = [
        labels[order][:, None] == np.arange(size)
        for order in orders
        for labels, size in zip(kinds, sizes, strict=True)
    ]
    counts = _joint_counts(binned(activations), np.concatenate(one_hot, axis=1))
    edges = np.cumsum([0, *sizes * len(orders)])
    nats = np.array([_mutual(counts[:, a:b]) for a, b in pairwise(edges)])
    nats = nats.reshape(len(orders), len(kinds), -1)
    return [
        _corrected(nats[:, kind], np.bincount(labels).astype(float))
        for kind, labels in enumerate(kinds)
    ]


def _corrected(nats: NDArray[np.float64], counts: NDArray[np.float64]) -> Information:
    """Return the information (1 + ROUNDS, U) without chance, for labels with these counts."""
    entropy, chance = float(_entropy(counts)), nats[1:].mean(axis=0)
    left = np.maximum(entropy - chance, 1e-9)
    # How far the best unit is above chance, by chance: above that of the other rounds.
    above = (nats[1:] - chance) * (ROUNDS / (ROUNDS - 1))
    best = float((above / left).max(axis=1).mean())
    shares = np.clip((nats[0] - chance) / left, 0, 1)
    return Information(shares, entropy, min(max(best, 0.0), 1.0))


def _joint_counts(bins: NDArray[np.uint8], one_hot: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how often a unit is in a bin where a column of one-hot labels is 1, (BINS, C, U)."""
    counts = np.zeros((BINS, one_hot.shape[1], bins.shape[1]))
    for at in range(0, len(bins), _AT_ONCE):
        part, labels = bins[at : at + _AT_ONCE], one_hot[at : at + _AT_ONCE].T.astype(np.float32)
        for number in range(BINS):
            counts[number] += labels @ (part == number).astype(np.float32)
    return counts


def _mutual(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mutual information of the axes of (BINS, K, U), in nats, (U,)."""
    parts = (counts.sum(0), counts.sum(1), counts.reshape(-1, counts.shape[-1]))
    labels, bins, joint = (_entropy(part) for part in parts)
    mutual: NDArray[np.float64] = labels + bins - joint
    return mutual


def _entropy(counts: NDArray[np.float64]) -> Any:  # noqa: ANN401  # a number, or one per column
    """Return the entropy over the first axis, in nats."""
    p = counts / counts.sum(0)
    return -(p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum(0)


def _order(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the places 0 to count - 1 in pieces of random length, in random order."""
    cuts = np.sort(rng.integers(0, count + 1, max(count // PIECE, 3)))
    pieces = np.split(np.arange(count), cuts)
    return np.concatenate([pieces[at] for at in rng.permutation(len(pieces))])
