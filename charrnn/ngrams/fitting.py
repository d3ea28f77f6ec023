"""The weights of a network beside the n-grams of its text; see ``mixture``.

They are fitted to text that neither was made from, by expectation maximization (Jelinek & Mercer
1980),

    w = mean of w p_network / (w p_network + (1 - w) p_ngrams)

over the characters of a group that n-grams spell, beside PRIOR further ones with the weight of all
groups together; others do not depend on w. Which characters they spell is chosen by the same text.
Where nothing is held out, each fifth of the text is predicted with the n-grams of the other four.
The network has learned from all of it, so its p are flattered: they are raised to the power above 1
that leaves it no more than ADVANTAGE nats per character better than the n-grams.

    fit = fit_weights(network, [(ngrams, held_out_ids)], spelled=[letters, all_characters])
    mixture = Mixture(network, ngrams.with_weights(*fit))
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.count import Counts
from charrnn.ngrams.kneser_ney import (
    DEFAULT_WEIGHT,
    GROUPS,
    TINY,
    Indices,
    NGrams,
    build_ngrams,
)
from charrnn.ngrams.mixture import Mixture
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.scoring.likelihood import held_out_sequences, score_sequences
from charrnn.text.vocabulary import Ids

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Characters that weights are fitted to, at most, beside so many that have the same weight for all
# groups; rounds of expectation maximization.
MAX_FITTED, PRIOR, ROUNDS = 50_000, 30, 50

# Weights are fitted to every other block of so many characters, and judged on the rest.
BLOCK = 64

# Nats per character that a better form of the text may cost.
COST = 0.001

# Parts that are left out in turn where nothing is held out. On new text, networks are seldom better
# than n-grams by more nats than this.
PARTS, ADVANTAGE = 5, 0.2


class Fit(NamedTuple):
    """Weights of a network, (GROUPS,), nats per character, and the characters that are spelled."""

    weights: Floats
    nats: float
    spelled: Mask


def fit_weights(
    network: AnyLanguageModel,
    parts: Sequence[tuple[NGrams, Ids]],
    *,
    spelled: Sequence[Mask] = (),
    pieces: bool = False,
    seen: bool = False,
) -> Fit:
    """Return the weights that predict texts best, with the characters that do.

    parts     the texts, each (N,) with two characters at least, and the n-grams beside the network
              that predict each; they were not made from it
    spelled   choices of the characters that n-grams spell, each (V,) bool: the first is taken that
              is not worse than another by more than COST. None: all characters
    pieces    whether the texts are flat pieces, each of which is predicted from a zero state
    seen      whether the network has learned from the texts

    The nats of a character are those of weights that were not fitted to it.
    """
    choices = spelled or [np.ones(network.vocab_size, bool)]
    fits = [_fit(network, parts, each, pieces=pieces, seen=seen) for each in choices]
    best = min(fit.nats for fit in fits)
    return next(fit for fit in fits if fit.nats <= best + COST)


def _fit(
    network: AnyLanguageModel,
    parts: Sequence[tuple[NGrams, Ids]],
    spelled: Mask,
    *,
    pieces: bool,
    seen: bool,
) -> Fit:
    """Fit the weights for these characters."""
    zeros, columns = np.zeros(GROUPS), []
    for ngrams, ids in parts:
        alone = ngrams.with_weights(zeros, None, spelled)
        columns.append(_predict_both(network, alone, ids, pieces=pieces))
    own, others, groups, free = map(np.concatenate, zip(*columns, strict=True))
    chars, nats = len(own), -float(np.log(own[~free]).sum())
    own, others, groups = own[free], others[free], groups[free]
    if seen and len(own) and (mean := np.log(own).mean()):
        own **= max(1, (ADVANTAGE + np.log(others).mean()) / mean)
    half = np.arange(len(own)) // BLOCK % 2 == 0
    for fitted, judged in ((half, ~half), (~half, half)):
        share = _maximize(own[fitted], others[fitted], groups[fitted])[groups[judged]]
        nats -= float(np.log(share * own[judged] + (1 - share) * others[judged]).sum())
    return Fit(_maximize(own, others, groups), nats / chars, spelled)


def leave_out(
    ids: Ids, vocab_size: int, order: int, end: int | None = None, older: Counts | None = None
) -> Iterator[tuple[NGrams, Ids]]:
    """Yield the n-grams of a text without a part of it, and this part, for ``fit_weights``.

    The arguments are those of ``build_ngrams``. One part of a long text is enough.
    """
    borders = np.arange(1, PARTS + 1) * (len(ids) - 1) // PARTS
    if end is not None:
        ends = np.flatnonzero(ids == end)
        borders = ends[ends.searchsorted(borders)]
    begin = fitted = 0
    for border in borders.tolist():
        rest = np.concatenate([ids[:begin], ids[border:]])
        if begin < border and fitted < MAX_FITTED:
            ngrams = build_ngrams(rest, vocab_size, order, end=end, older=older)
            yield ngrams, ids[begin : border + 1]
            fitted += border - begin
        begin = border


def _predict_both(
    network: AnyLanguageModel, ngrams: NGrams, ids: Ids, *, pieces: bool
) -> tuple[Floats, Floats, Indices, Mask]:
    """Return p of each character, (N,), under the network and under what is mixed with it.

    ngrams   without a weight for the network

    Also returns the group of its context, and whether n-grams spell it.
    """
    found = []
    starts, steps = held_out_sequences(ids if pieces else ids[:MAX_FITTED], pieces=pieces)
    starts = starts[starts < MAX_FITTED]
    steps = np.minimum(steps[: len(starts)], MAX_FITTED - starts)  # the last piece may be cut
    contexts = ngrams.start(len(starts))
    models = network, Mixture(network, ngrams)  # whose network has the weight 0
    windows = (score_sequences(model, ids, starts, steps) for model in models)
    for it, other in zip(*windows, strict=True):
        _, groups, contexts[it.rows] = ngrams.score(contexts[it.rows], it.inputs, it.targets)
        columns = it.nats, other.nats, groups, ngrams.spelled[it.targets]
        found.append([column[it.inside] for column in columns])
    own, mixed, groups, free = map(np.concatenate, zip(*found, strict=True))
    p = (np.maximum(np.exp(-nats.astype(float)), TINY) for nats in (own, mixed))
    return *p, groups, free


def _maximize(own: Floats, others: Floats, groups: Indices) -> Floats:
    """Return the weights of all groups by expectation maximization."""
    weights = np.full(GROUPS, DEFAULT_WEIGHT)
    for grouped in (np.zeros_like(groups), groups):
        start = np.full(GROUPS, weights[0])
        sizes = np.bincount(grouped, minlength=GROUPS) + PRIOR
        for _ in range(ROUNDS):
            share = weights[grouped]
            work = share * own / (share * own + (1 - share) * others)
            weights = (np.bincount(grouped, work, GROUPS) + PRIOR * start) / sizes
        weights = weights if grouped is groups else np.full(GROUPS, weights[0])
    return weights
