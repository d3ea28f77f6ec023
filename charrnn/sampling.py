"""Writing text: one character at a time, each drawn from the model's distribution."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.cells import Array
from charrnn.config import SamplingConfig
from charrnn.inference import Writer
from charrnn.loss import log_softmax
from charrnn.model import Model
from charrnn.randomness import Purpose, generator
from charrnn.vocabulary import Ids, Vocabulary

_DRAWS_AHEAD = 256
_SEED_PIECE = 256

# Even after rounding, a draw below 1 times this stays below 1.
_BELOW_ONE = 1 - 2.0**-50
# The steepest that logits are made: they stay finite, and 0 is what exp makes of all but the best.
_STEEPEST = 1e290


class Step(NamedTuple):
    """The next character of each sample, and the model's own log p of it in nats, shape (N,).

    log_p is empty unless it was asked for.
    """

    ids: NDArray[np.int64]
    log_p: Array


def weights(logits: Array, config: SamplingConfig) -> Array:
    """Return what to draw in proportion to, (N, V): temperature, then top-k, then top-p.

    Excluded characters get 0, the likeliest one 1. Temperature must not be 0 here.
    """
    # Shifting first keeps 0 at the top: no temperature, however small, can make a NaN of it.
    shifted: Array = logits - logits.max(axis=1, keepdims=True)
    shifted *= min(1 / config.temperature, _STEEPEST)
    p = np.exp(shifted, out=shifted)
    if config.top_k is None and config.top_p is None:
        return p
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    if config.top_k is not None:
        ranked[:, config.top_k :] = 0
    if config.top_p is not None:
        before = np.cumsum(ranked, axis=1) - ranked
        enough = config.top_p * ranked.sum(axis=1, keepdims=True)
        before[:, 0] = -1  # the likeliest character always stays
        ranked[before >= enough] = 0
    np.put_along_axis(p, order, ranked, axis=1)
    return p


def choose(logits: Array, config: SamplingConfig, draws: Array) -> NDArray[np.int64]:
    """Return an id for each row of logits (N, V), given one uniform draw in [0, 1) for each."""
    ids: NDArray[np.int64]
    if config.temperature == 0:
        ids = logits.argmax(axis=1)
        return ids
    cumulative = np.cumsum(weights(logits, config), axis=1)
    target = draws * _BELOW_ONE * cumulative[:, -1]
    # The first id whose cumulative weight passes the target; argmax finds the first True.
    ids = (cumulative > target[:, None]).argmax(axis=1)
    return ids


def start_ids(vocabulary: Vocabulary) -> Ids:
    """Return what an empty seed stands for: the start of a line, or the likeliest character."""
    first = vocabulary.index.get("\n", int(vocabulary.counts.argmax()))
    return np.array([first], np.uint32)


def generate(  # noqa: PLR0913
    model: Model,
    seed_ids: Ids,
    config: SamplingConfig,
    *,
    random_seed: int,
    count: int = 1,
    first: int = 0,
    log_p: bool = False,
) -> Iterator[Step]:
    """Yield characters that continue the seed, without end; the caller stops when it has enough.

    seed_ids       what the model reads first, at least one id
    count, first   how many samples to write side by side, and the number of the first of them.
                   Sample i depends on the random seed and i alone, not on these
    log_p          say how likely the model found each character; empty in each Step if False
    """
    state, seed = model.zero_state(1), np.asarray(seed_ids)[:, None]
    for start in range(0, len(seed), _SEED_PIECE):
        logits, state, _ = model.forward(seed[start : start + _SEED_PIECE], state)
    writer = Writer(model, count)
    writer.start(state)
    rows = np.repeat(logits[-1], count, axis=0).astype(np.float64)
    samples, none = np.arange(count), np.empty(0)
    sources = [generator(random_seed, Purpose.SAMPLE, first + index) for index in range(count)]
    while True:
        for draws in np.array([rng.random(_DRAWS_AHEAD) for rng in sources]).T.copy():
            ids = choose(rows, config, draws)
            yield Step(ids, log_softmax(rows)[samples, ids] if log_p else none)
            rows[...] = writer.feed(ids)
