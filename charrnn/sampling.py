"""Writing text: one character at a time, each drawn from the model's distribution."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.cells import Array
from charrnn.config import SamplingConfig
from charrnn.loss import log_softmax
from charrnn.model import Model, ModelState
from charrnn.randomness import Purpose, generator
from charrnn.vocabulary import Ids, Vocabulary

# Samples are written side by side in blocks of exactly this many, the last one padded. BLAS rounds
# differently for matrices of different widths, and a recurrent network can amplify a last bit into
# another text; at a fixed width a sample has the same bits, and so the same text, in any company.
BLOCK = 16
_DRAWS_AHEAD = 256
_SEED_PIECE = 256


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
    ids: NDArray[np.int64] = logits.argmax(axis=1)
    if config.temperature == 0:
        return ids
    p = np.exp(filter_logits(logits, config))
    cumulative = np.cumsum(p, axis=1)
    target = draws[:, None] * cumulative[:, -1:]
    # The first id whose cumulative probability passes the target; argmax finds the first True.
    # Where rounding leaves none, it is the likeliest character.
    passed = cumulative > target
    found = passed.any(axis=1)
    ids[found] = passed[found].argmax(axis=1)
    return ids


def start_ids(vocabulary: Vocabulary) -> Ids:
    """Return what an empty seed stands for: the start of a line, or the likeliest character."""
    first = vocabulary.index.get("\n", int(vocabulary.counts.argmax()))
    return np.array([first], np.uint32)


class _Block:
    """Samples that are written side by side, each with a source of randomness of its own."""

    def __init__(
        self, model: Model, config: SamplingConfig, random_seed: int, samples: range
    ) -> None:
        self.model, self.config, self.samples = model, config, samples
        self.sources = [generator(random_seed, Purpose.SAMPLE, index) for index in samples]
        self.draws = np.empty((0, len(samples)))
        self.used = 0
        self.workspaces = model.workspaces()
        self.rows: Array
        self.state: ModelState

    def start(self, logits: Array, state: ModelState) -> None:
        """Take over logits (V, 1) and state of the model after the seed."""
        self.rows = np.repeat(logits, BLOCK, axis=1).T.astype(np.float64)
        self.state = [tuple(np.repeat(part, BLOCK, axis=1) for part in layer) for layer in state]

    def step(self) -> Step:
        """Choose the next character of each sample."""
        count = len(self.samples)
        if self.used == len(self.draws):
            self.draws = np.array([rng.random(_DRAWS_AHEAD) for rng in self.sources]).T.copy()
            self.used = 0
        rows = self.rows[:count]
        ids = choose(rows, self.config, self.draws[self.used])
        self.used += 1
        return Step(ids, log_softmax(rows, axis=1)[np.arange(count), ids])

    def feed(self, ids: NDArray[np.int64]) -> None:
        """Let the model read the characters chosen."""
        padded = np.zeros((1, BLOCK), np.intp)
        padded[0, : len(ids)] = ids
        logits, self.state, _ = self.model.forward(padded, self.state, workspaces=self.workspaces)
        self.rows = logits[0].T.astype(np.float64)


def generate(  # noqa: PLR0913
    model: Model,
    seed_ids: Ids,
    config: SamplingConfig,
    *,
    random_seed: int,
    count: int = 1,
    first: int = 0,
) -> Iterator[Step]:
    """Yield characters that continue the seed, without end; the caller stops when it has enough.

    seed_ids       what the model reads first, at least one id
    count, first   how many samples to write side by side, and the number of the first of them, a
                   multiple of BLOCK. Sample i depends on the random seed and i alone, not on count

    Raises ValueError for a first that is not a multiple of BLOCK.
    """
    if first % BLOCK:
        raise ValueError(f"the first sample must be a multiple of {BLOCK}, not {first}")
    state, seed = model.zero_state(1), np.asarray(seed_ids)[:, None]
    for start in range(0, len(seed), _SEED_PIECE):
        logits, state, _ = model.forward(seed[start : start + _SEED_PIECE], state)
    last = first + count
    blocks = [
        _Block(model, config, random_seed, range(start, min(start + BLOCK, last)))
        for start in range(first, last, BLOCK)
    ]
    for block in blocks:
        block.start(logits[-1], state)
    while True:
        steps = [block.step() for block in blocks]
        yield Step(*(np.concatenate(parts) for parts in zip(*steps, strict=True)))
        for block, step in zip(blocks, steps, strict=True):
            block.feed(step.ids)
