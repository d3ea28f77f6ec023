"""Writing text: one character at a time, each drawn from the model's distribution.

Sampling computes in float64 whatever the model was trained in. Rounding then is some 1e-16, so the
same random seed gives the same text in a batch of any size, with any number of threads and on any
machine; in float32 the last bits, which depend on all three, now and then tip a choice over.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.cells import Array, Workspace
from charrnn.config import SamplingConfig
from charrnn.loss import log_softmax
from charrnn.model import Model, ModelState
from charrnn.randomness import Purpose, generator
from charrnn.vocabulary import Ids, Vocabulary

# Samples that are written side by side; more are written in groups of this many.
GROUP = 64
_DRAWS_AHEAD = 256


class Step(NamedTuple):
    """The next character of each sample, and the model's own log p of it in nats, shape (N,)."""

    ids: NDArray[np.int64]
    log_p: Array


def filter_logits(logits: Array, config: SamplingConfig) -> Array:
    """Return the log-probabilities to draw from, (N, V): temperature, then top-k, then top-p.

    Excluded characters get -inf; at least one is left. Temperature must not be 0 here.
    """
    # Shifting first keeps 0 at the top: no temperature, however small, can make a NaN of it.
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # -inf is what it should become
        log_p = log_softmax(shifted / config.temperature, axis=1)
    if config.top_k is None and config.top_p is None:
        return log_p
    order = np.argsort(-log_p, axis=1, kind="stable")
    ranked = np.take_along_axis(log_p, order, axis=1)
    if config.top_k is not None:
        ranked[:, config.top_k :] = -np.inf
    if config.top_p is not None:
        p = np.exp(ranked)
        p /= p.sum(axis=1, keepdims=True)
        before = np.cumsum(p, axis=1) - p
        before[:, 0] = 0  # the most likely character always stays
        ranked[before >= config.top_p] = -np.inf
    np.put_along_axis(log_p, order, ranked, axis=1)
    return log_p


def choose(logits: Array, config: SamplingConfig, draws: Array) -> NDArray[np.int64]:
    """Return an id for each row of logits (N, V), given one uniform draw in [0, 1) for each."""
    if config.temperature == 0:
        ids: NDArray[np.int64] = logits.argmax(axis=1)
        return ids
    p = np.exp(filter_logits(logits, config))
    cumulative = np.cumsum(p, axis=1)
    target = draws[:, None] * cumulative[:, -1:]
    # The first id whose cumulative probability passes the target; argmax finds the first True.
    # Where rounding leaves none, it is the likeliest character.
    passed = cumulative > target
    ids = np.where(passed.any(axis=1), passed.argmax(axis=1), p.argmax(axis=1))
    return ids


class _Draws:
    """Uniform draws for each of several samples, each from a source of its own."""

    def __init__(self, random_seed: int, samples: range) -> None:
        self.sources = [generator(random_seed, Purpose.SAMPLE, index) for index in samples]
        self.block = np.empty((0, len(samples)))
        self.used = 0

    def next(self) -> Array:
        """Return the next draw of each sample, shape (N,)."""
        if self.used == len(self.block):
            self.block = np.array([rng.random(_DRAWS_AHEAD) for rng in self.sources]).T.copy()
            self.used = 0
        self.used += 1
        draws: Array = self.block[self.used - 1]
        return draws


def start_ids(vocabulary: Vocabulary) -> Ids:
    """Return what an empty seed stands for: the start of a line, or the likeliest character."""
    first = vocabulary.index.get("\n", int(vocabulary.counts.argmax()))
    return np.array([first], np.uint32)


def generate(
    model: Model,
    seed_ids: Ids,
    config: SamplingConfig,
    *,
    random_seed: int,
    samples: range = range(1),
) -> Iterator[Step]:
    """Yield characters that continue the seed, without end; the caller stops when it has enough.

    seed_ids      what the model reads first, at least one id
    samples       numbers of the samples to write side by side; each has a source of randomness of
                  its own, so sample i is the same in whatever company
    """
    model = model if model.flat.dtype == np.float64 else model.astype(np.float64)
    workspaces = model.workspaces()
    logits, state, _ = model.forward(
        np.asarray(seed_ids)[:, None], model.zero_state(1), workspaces=model.workspaces()
    )
    count = len(samples)
    rows = np.repeat(logits[-1], count, axis=1).T
    state = [tuple(np.repeat(part, count, axis=1) for part in layer) for layer in state]
    draws = _Draws(random_seed, samples)
    while True:
        ids = choose(rows, config, draws.next())
        log_p = log_softmax(rows, axis=1)[np.arange(count), ids]
        yield Step(ids, log_p)
        rows, state = _next_rows(model, ids, state, workspaces)


def _next_rows(
    model: Model, ids: NDArray[np.int64], state: ModelState, workspaces: list[Workspace]
) -> tuple[Array, ModelState]:
    logits, state, _ = model.forward(ids[None], state, workspaces=workspaces)
    return np.ascontiguousarray(logits[0].T, dtype=np.float64), state
