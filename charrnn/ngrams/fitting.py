"""The weights of a network beside the n-grams of its text; see ``mixture``.

They are fitted to text that neither was made from, by expectation maximization (Jelinek & Mercer
1980),

    w = mean of w p_network / (w p_network + (1 - w) q)        p_network, q as in ``mixture``

over the spelled characters of a group, and PRIOR further ones that have the weight of all groups
together; other characters do not depend on w. The same text decides which characters are spelled.
Where nothing is held out, each fifth of the text is predicted with the n-grams of the other four.
The network has learned from all of it, so its p are too high: they are raised to the power above 1
that makes it at most ADVANTAGE nats per character better than the n-grams; or, of a network that
knew the text's language before, halfway between what it was then and is now, if that is better.

    fit = fit_weights(network, [(ngrams, held_out_ids)], spelled=[letters, all_characters])
    mixture = Mixture(network, ngrams.with_weights(*fit))
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.contexts import GROUPS, Floats, Indices
from charrnn.ngrams.count import Counts
from charrnn.ngrams.kneser_ney import DEFAULT_WEIGHT, NGrams, build_ngrams
from charrnn.ngrams.mixture import TINY, Mixture
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.scoring.likelihood import held_out_sequences, score_sequences
from charrnn.text.vocabulary import Ids

Mask = NDArray[np.bool_]

# The most characters that weights are fitted to, the size of the prior in characters, and rounds of
# expectation maximization.
MAX_FITTED, PRIOR, ROUNDS = 50_000, 30, 50

# Weights are fitted to every other block of this many characters, and judged on the rest.
BLOCK = 64

# Nats per character by which an earlier choice of the spelled characters may be worse.
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
    loss_before: float | None = None,
) -> Fit:
    """Return the weights that predict texts best, with the characters that do.

    parts        the texts, each (N,) with two characters at least, and the n-grams beside the
                 network that predict each; they were not made from it
    spelled      choices of the spelled characters, each (V,) bool: the first is taken that is not
                 worse than another by more than COST. Empty: all characters
    pieces       whether the texts are flat pieces, each of which is predicted from a zero state
    loss_before  of a network that has learned from the texts: its nats per character before that,
                 infinite if it had random weights. None: it has not learned from them

    The weights are 1 if the network alone is not worse. The nats of a character are those of
    weights that were not fitted to it.
    """
    p_network, groups, targets = _predict(network, parts, None, pieces=pieces)
    fits = []
    for each in spelled or [np.ones(network.vocab_size, bool)]:
        q, *_ = _predict(network, parts, each, pieces=pieces)
        weights, nats = _fit(p_network, q, groups, each[targets], loss_before)
        fits.append(Fit(weights, nats, each))
    best = min(fit.nats for fit in fits)
    alone = -float(np.log(p_network).mean())
    if alone <= best and loss_before is None:
        return Fit(np.ones(GROUPS), alone, fits[0].spelled)
    return next(fit for fit in fits if fit.nats <= best + COST)


def _fit(
    p_network: Floats, q: Floats, groups: Indices, mixed: Mask, loss_before: float | None
) -> tuple[Floats, float]:
    """Return the weights of all groups, and nats per character.

    mixed   which characters are spelled, (N,)
    """
    chars, nats = len(p_network), -float(np.log(p_network[~mixed]).sum())
    p_network, q, groups = p_network[mixed], q[mixed], groups[mixed]
    if loss_before is not None and len(p_network) and (loss := -np.log(p_network).mean()):
        on_new_text = min((loss_before + loss) / 2, -np.log(q).mean() - ADVANTAGE)
        p_network **= max(1, on_new_text / loss)
    half = np.arange(len(p_network)) // BLOCK % 2 == 0
    for fitted, judged in ((half, ~half), (~half, half)):
        w = _maximize(p_network[fitted], q[fitted], groups[fitted])[groups[judged]]
        nats -= float(np.log(w * p_network[judged] + (1 - w) * q[judged]).sum())
    return _maximize(p_network, q, groups), nats / chars


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


def left_out_loss(ids: Ids, vocab_size: int, order: int, end: int | None = None) -> float:
    """Return the nats per character of a text of which n-grams predict each part from the rest.

    The arguments are those of ``build_ngrams``.
    """
    log_p = []
    for ngrams, part in leave_out(ids, vocab_size, order, end):
        tree = ngrams.with_weights(np.zeros(GROUPS)).tree
        contexts = tree.read(np.zeros(1, np.intp), part[:-1, None]).ravel()
        alone = np.zeros(len(contexts)), np.ones(len(contexts))
        log_p.append(np.log(tree.mix_targets(*alone, contexts, part[1:])))
    return -float(np.concatenate(log_p).mean())


def _predict(
    network: AnyLanguageModel,
    parts: Sequence[tuple[NGrams, Ids]],
    spelled: Mask | None,
    *,
    pieces: bool,
) -> tuple[Floats, Indices, Ids]:
    """Return p_network or q of each character, (N,), its context's group, and the characters.

    spelled   see ``fit_weights``, (V,). None: p_network
    """
    found = []
    for ngrams, ids in parts:
        alone = ngrams.with_weights(np.zeros(GROUPS), None, spelled)
        tree = alone.tree  # made before the network takes its memory
        model = network if spelled is None else Mixture(network, alone)
        starts, steps = held_out_sequences(ids if pieces else ids[:MAX_FITTED], pieces=pieces)
        starts = starts[starts < MAX_FITTED]
        steps = np.minimum(steps[: len(starts)], MAX_FITTED - starts)  # the last piece may be cut
        contexts = np.zeros(len(starts), np.intp)
        for it in score_sequences(model, ids, starts, steps):
            after = tree.read(contexts[it.rows], it.inputs)
            contexts[it.rows], groups = after[-1], tree.groups[after].astype(np.intp)
            found.append([column[it.inside] for column in (it.nats, groups, it.targets)])
    nats, groups, targets = map(np.concatenate, zip(*found, strict=True))
    return np.maximum(np.exp(-nats.astype(float)), TINY), groups, targets


def _maximize(p_network: Floats, q: Floats, groups: Indices) -> Floats:
    """Return the weights of all groups by expectation maximization, after one weight for all."""
    weights = np.full(GROUPS, DEFAULT_WEIGHT)
    for grouped in (np.zeros_like(groups), groups):
        start = weights = np.full(GROUPS, weights[0])
        sizes = np.bincount(grouped, minlength=GROUPS) + PRIOR
        for _ in range(ROUNDS):
            w = weights[grouped]
            share = w * p_network / (w * p_network + (1 - w) * q)
            weights = (np.bincount(grouped, share, GROUPS) + PRIOR * start) / sizes
    return weights
