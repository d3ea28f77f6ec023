"""Interpolated Kneser-Ney smoothing (Kneser & Ney 1995).

The probability of a character c after a context h, the last few characters, is

    p(c | h) = alpha(h, c) + gamma(h) p(c | h')        p(c | nothing) = alpha(c) + gamma / V

where h' is h without its first character, and

    alpha(h, c) = (a(hc) - D) / sum_x a(hx)        gamma(h) = 1 - sum_x alpha(h, x)

a(hc) is the number of different characters before hc or, if there are none as for the longest
n-grams and the first of a line, how often it occurs. Beside a network, one discount D is no worse
than the three of modified Kneser-Ney for each length (``benchmarks/QUALITY.md``).

The alphas of n-grams that are not in the table are left to the shorter contexts.

    tree = build_ngrams(ids, vocab_size, order=7).tree
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import MAX_NGRAM
from charrnn.ngrams.contexts import (
    GROUPS,
    ContextTree,
    Floats,
    Table,
)
from charrnn.ngrams.count import (
    KEY_BITS,
    Counts,
    Keys,
    begins_of,
    count_ngrams,
    digit_bits,
    levels_of,
    low_digits,
    merge_counts,
    parents_of,
)
from charrnn.text.vocabulary import Ids, id_dtype

Arrays = dict[str, NDArray[Any]]

DISCOUNT = 0.8

# The weight of a network before it is fitted.
DEFAULT_WEIGHT = 0.7

# The arrays of a file, and their types.
UNSIGNED = ("uint8", "uint16", "uint32")
TYPES: dict[str, tuple[str, ...]] = {
    "characters": UNSIGNED,
    "children": UNSIGNED,
    "adjusted": UNSIGNED,
    "dropped": UNSIGNED,
    "weights": ("float64",),
    "spelled": ("uint8",),
    "loss": ("float64",),
}


class NGrams:
    """The n-grams of a text with their smoothed probabilities.

    counts       of E n-grams and the empty one
    vocab_size   number of characters V
    weights      of a network beside it, for each group of contexts, (GROUPS,); see ``mixture``
    val_loss     of the mixture on held-out text in nats per character; None: nothing is held out
    spelled      the characters S whose probabilities it changes beside a network, (V,) bool; None:
                 all; see ``mixture``

    Attributes: ``entries``, the number of n-grams E; ``order``, the largest n.
    """

    def __init__(
        self,
        counts: Counts,
        vocab_size: int,
        weights: Floats | None = None,
        val_loss: float | None = None,
        spelled: NDArray[np.bool_] | None = None,
    ) -> None:
        self.counts, self.vocab_size, self.entries = counts, vocab_size, len(counts.keys) - 1
        self.weights = np.full(GROUPS, DEFAULT_WEIGHT) if weights is None else weights
        self.val_loss = val_loss
        self.spelled = np.ones(vocab_size, bool) if spelled is None else spelled
        self.order = len(levels_of(counts.keys, vocab_size)) - 1

    @cached_property
    def tree(self) -> ContextTree:
        """The smoothed n-grams, when the first probability is asked for."""
        table = smooth(self.counts, self.vocab_size, self.spelled)
        return ContextTree(table, self.weights, self.spelled)

    def with_weights(
        self,
        weights: Floats,
        val_loss: float | None = None,
        spelled: NDArray[np.bool_] | None = None,
    ) -> "NGrams":
        """Return the same n-grams with other weights and, unless None, other spelled characters."""
        spelled = self.spelled if spelled is None else spelled
        return NGrams(self.counts, self.vocab_size, weights, val_loss, spelled)

    def to_arrays(self) -> Arrays:
        """Return the arrays of a file.

        characters   the last character of each n-gram, (E,)
        children     number of n-grams of which the empty one, and each, is the context, (E + 1,)
        adjusted     (E,); see ``count``
        dropped      (C,), of those that have children
        weights      (GROUPS,)
        spelled      1 for each spelled character, else 0, (V,)
        loss         (1,), if there is one
        """
        keys, adjusted, dropped = self.counts
        children = np.bincount(parents_of(keys, self.vocab_size), minlength=len(keys))
        numbers = {
            "characters": last_characters(keys[1:], self.vocab_size),
            "children": children,
            "adjusted": adjusted[1:],
            "dropped": dropped[children > 0],
        }
        arrays: Arrays = {
            name: values.astype(np.min_scalar_type(values.max()))
            for name, values in numbers.items()
        }
        arrays |= {"weights": self.weights, "spelled": self.spelled.astype(np.uint8)}
        return arrays if self.val_loss is None else arrays | {"loss": np.array([self.val_loss])}

    @classmethod
    def from_arrays(cls, arrays: Arrays, vocab_size: int) -> "NGrams":
        """Make n-grams from the arrays of a file.

        Raises ValueError for arrays that ``to_arrays`` does not return.
        """
        given: Arrays = {"loss": np.zeros(1), **arrays}
        types = {name: array.dtype.name for name, array in given.items() if array.ndim == 1}
        if types.keys() != TYPES.keys() or any(types[name] not in TYPES[name] for name in types):
            raise ValueError("arrays of the n-grams are missing, unexpected or of the wrong type")
        characters, children, adjusted, left_out, weights, spelled, loss = (
            given[name] for name in TYPES
        )
        E, bits = len(characters), np.uint64(digit_bits(vocab_size))
        sizes = (len(children) - 1, len(adjusted), len(left_out), len(weights), len(loss))
        right = sizes == (E, E, int(np.count_nonzero(children)), GROUPS, 1)
        if not E or not right or len(spelled) != vocab_size or not spelled.any():
            raise ValueError("the n-grams do not have the right shapes")
        ends = np.cumsum(children, dtype=np.int64)
        if int(characters.max()) >= vocab_size or ends[-1] != E:
            raise ValueError("the n-grams have characters or contexts that do not exist")
        digits = characters.astype(np.uint64) + np.uint64(1)
        parents = np.arange(E + 1).repeat(children)
        keys, begin, end, order = np.zeros(E + 1, np.uint64), 0, int(ends[0]), 0
        while begin < end and order < min(MAX_NGRAM, KEY_BITS // int(bits)):
            keys[begin + 1 : end + 1] = keys[parents[begin:end]] << bits | digits[begin:end]
            begin, end, order = end, int(ends[end]), order + 1
        if begin < end or (keys[1:] <= keys[:-1]).any():
            raise ValueError("the n-grams are too long or not in order")
        if not adjusted.all() or not ((weights >= 0) & (weights <= 1)).all():
            raise ValueError("the n-grams have counts of 0 or weights that are not shares")
        dropped = np.zeros(E + 1, np.int64)
        dropped[children > 0] = left_out
        counts = Counts(keys, np.append(0, adjusted), dropped)
        val_loss = float(loss[0]) if "loss" in arrays else None
        return cls(counts, vocab_size, weights, val_loss, spelled > 0)


def build_ngrams(
    ids: Ids,
    vocab_size: int,
    order: int,
    *,
    end: int | None = None,
    older: Counts | None = None,
) -> NGrams:
    """Count and smooth the n-grams of a text; see ``count_ngrams``.

    older   counts of another text, to add
    """
    counts = count_ngrams(ids, vocab_size, order, end=end)
    return NGrams(counts if older is None else merge_counts(counts, older, vocab_size), vocab_size)


def smooth(counts: Counts, vocab_size: int, spelled: NDArray[np.bool_]) -> Table:
    """Return the n-grams with their alphas and the gammas of their contexts."""
    keys, adjusted, dropped = counts
    bits, characters = np.uint64(digit_bits(vocab_size)), last_characters(keys, vocab_size)
    first = begins_of(keys[1:] >> bits)
    begins = 1 + np.append(first, len(keys) - 1).astype(np.int32)
    contexts = keys[begins[:-1]] >> bits
    totals = np.add.reduceat(adjusted[1:], first) + dropped[keys.searchsorted(contexts)]
    alphas = adjusted - DISCOUNT
    np.maximum(alphas, 0, out=alphas)
    alphas[1:] /= totals.repeat(np.diff(begins))
    gammas = 1 - np.add.reduceat(alphas[1:], first)
    alphas *= spelled[characters]
    sums = np.add.reduceat(alphas[1:], first)
    contexts = np.append(contexts, ~np.uint64(0))
    singles = alphas.astype(np.float32), contexts, begins, gammas.astype(np.float32), sums
    return Table(keys, characters, *singles)


def last_characters(keys: Keys, vocab_size: int) -> Ids:
    """Return the id of the last character of each n-gram, (E,); 0 for the empty one."""
    digits = (keys & low_digits(1, vocab_size)).astype(np.uint32)
    return (np.maximum(digits, 1) - 1).astype(id_dtype(vocab_size))
