"""Interpolated modified Kneser-Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1999).

The probability of a character c after a context h, a few characters, is

    p(c | h) = alpha(h, c) + gamma(h) p(c | h')        p(c | nothing) = alpha(c) + gamma / V

where h' is h without its first character, and

    alpha(h, c) = (a(hc) - D(a(hc))) / sum_x a(hx)     gamma(h) = 1 - sum_x alpha(h, x)

a(hc) is how often hc occurs, if it has the full length. If it is shorter, a(hc) is the number of
different characters before it: what occurs after one context only says little about others. An
n-gram that never has a character before it, at the beginning of a text or line, keeps its count.

The discount D of counts 1, 2 and from 3 on is estimated for each length, from the number n_i of
n-grams with count i:

    Y = n_1 / (n_1 + 2 n_2)        D_i = i - (i + 1) Y n_(i+1) / n_i

Pruning takes alpha(h, c) out. Its share then goes to gamma(h), so that the probabilities still add
up to 1, and c is predicted with q(c | h) = (gamma(h) + alpha(h, c)) p(c | h'). What that costs in a
text like this one is

    count(h) p(c | h) log(p(c | h) / q(c | h))

and the cheapest go. (Stolcke 1998 also counts what the other characters win. Where many entries go
at once that promises too much, and it is 0.003 nats worse on tiny Shakespeare.)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.counting import Indices, Level, count_ngrams, digit_bits, last_characters
from charrnn.ngrams.tree import Tree
from charrnn.text.vocabulary import Ids

Floats = NDArray[np.float64]

# 600,000 entries are 2.4 MB in a checkpoint.
MAX_ENTRIES = 600_000

# Discounts of counts 1, 2 and from 3 on where too few n-grams occur once or twice to estimate them.
FALLBACK = (0.5, 1.0, 1.5)


class _Smoothed(NamedTuple):
    """The n-grams of one length, (E,) each.

    alpha   see above
    cost    of taking them out, in nats over the whole text
    """

    alpha: Floats
    cost: Floats


def build_tree(
    ids: Ids,
    vocab_size: int,
    order: int,
    *,
    line_break: int | None = None,
    most: int = MAX_ENTRIES,
) -> Tree:
    """Return the n-grams of a text with their smoothed and pruned probabilities.

    ids          the text, (N,), at least one character
    vocab_size   number of characters V
    order        the largest n
    line_break   id of the line break, if the text is one of flat lines; see ``count_ngrams``
    most         about how many n-grams to keep beside the single characters
    """
    levels = count_ngrams(ids, vocab_size, order, line_break)
    smoothed = _smooth(levels, vocab_size)
    kept = _kept(levels, [part.cost for part in smoothed], most)
    bits = digit_bits(vocab_size)
    characters, children, alphas = [], [], []
    places, count = np.zeros(1, np.int64), 1  # of what is kept one level below, and how many
    for level, part, keep in zip(levels, smoothed, kept, strict=True):
        children.append(np.bincount(places[level.parents[keep]], minlength=count))
        characters.append(last_characters(level, bits)[keep])
        alphas.append(part.alpha[keep])
        places, count = np.cumsum(keep) - 1, int(keep.sum())
    children.append(np.zeros(count, np.int64))
    return Tree(
        np.concatenate(characters),
        np.concatenate(children),
        _rounded_down(np.concatenate(alphas)),
        vocab_size,
    )


def _rounded_down(values: Floats) -> NDArray[np.float16]:
    """Return the values in half precision, none larger than before: so that no sum exceeds 1."""
    half = values.astype(np.float16)
    return np.where(half > values, np.nextafter(half, np.float16(0)), half)


def discounts(counts: Indices) -> Floats:
    """Return the discounts of counts 0, 1, 2 and from 3 on, (4,), of n-grams with these counts."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if not n[:3].all():
        return np.array([0.0, *FALLBACK])
    share = n[0] / (n[0] + 2 * n[1])
    found = [i - (i + 1) * share * n[i] / n[i - 1] for i in (1, 2, 3)]
    # A discount of nothing would leave nothing for the unseen; one of all, nothing for the seen.
    sound = all(0 < discount < i for i, discount in enumerate(found, 1))
    return np.array([0.0, *(found if sound else FALLBACK)])


def _smooth(levels: list[Level], vocab_size: int) -> list[_Smoothed]:
    """Return the probabilities of all levels, the shortest first."""
    smoothed: list[_Smoothed] = []
    p_below, context_counts = np.array([1 / vocab_size]), levels[0].counts.sum(keepdims=True)
    for number, level in enumerate(levels):
        adjusted = level.counts
        if number + 1 < len(levels):
            before = np.bincount(levels[number + 1].suffixes, minlength=len(level.counts))
            adjusted = np.where(before > 0, before, level.counts)
        totals = np.bincount(level.parents, adjusted, len(context_counts))[level.parents]
        alpha = (adjusted - discounts(adjusted)[np.minimum(adjusted, 3)]) / totals
        gamma = 1 - np.bincount(level.parents, alpha, len(context_counts))[level.parents]
        shorter = p_below[level.suffixes]
        p = alpha + gamma * shorter
        cost = context_counts[level.parents] * p * np.log(p / ((gamma + alpha) * shorter))
        smoothed.append(_Smoothed(alpha, cost))
        p_below, context_counts = p, level.counts
    return smoothed


def _kept(levels: list[Level], costs: list[Floats], most: int) -> list[NDArray[np.bool_]]:
    """Return which n-grams of each level are kept: all single characters, and the dearest others.

    An n-gram is as dear as any that begins with it, for which it is the way.
    """
    worth = [cost.copy() for cost in costs]
    for level, above, below in zip(levels[:0:-1], worth[:0:-1], worth[-2::-1], strict=True):
        np.maximum.at(below, level.parents, above)
    longer = np.concatenate([np.empty(0), *worth[1:]])
    least = -np.inf
    if len(longer) > most:
        least = np.partition(longer, len(longer) - most)[len(longer) - most] if most else np.inf
    return [np.ones(len(worth[0]), bool), *(part >= least for part in worth[1:])]
