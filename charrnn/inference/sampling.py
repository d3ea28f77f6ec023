"""Sampling: text is generated one character at a time, drawn from the model's distribution."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import TrainingError, VocabularyError
from charrnn.nn.cells import Array
from charrnn.nn.decoder import Decoder
from charrnn.nn.language_model import LanguageModel, ModelState
from charrnn.nn.loss import log_softmax
from charrnn.parallel.group import Group
from charrnn.parallel.launch import make_group
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids, Vocabulary

# The number of samples that a process generates as one batch.
AT_ONCE = 64

_DRAWS_AHEAD = 256
_SEED_PIECE = 256

# The largest factor on logits: they stay finite, and exp maps all but the maximum to 0.
_STEEPEST = 1e290


class Step(NamedTuple):
    """The next character of each of N samples.

    ids     id of the character, (N,)
    log_p   its log probability under the model in nats, (N,), at temperature 1 and without top-k
            and top-p; empty unless requested
    """

    ids: NDArray[np.int64]
    log_p: Array


def weights(logits: Array, config: SamplingConfig) -> Array:
    """Return unnormalized probabilities (N, V) after temperature, then top-k, then top-p.

    Excluded characters get 0, the most likely one 1. The temperature must not be 0.
    """
    # After the shift the maximum is 0, so that no temperature, however small, can produce NaN.
    top = np.maximum.reduce(logits, axis=1, keepdims=True)
    p: Array = np.subtract(logits, top, dtype=np.float64)
    p *= min(1 / config.temperature, _STEEPEST)
    np.exp(p, out=p)
    if config.top_k is None and config.top_p is None:
        return p
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    if config.top_k is not None:
        ranked[:, config.top_k :] = 0
    if config.top_p is not None:
        before = np.cumsum(ranked, axis=1) - ranked
        enough = config.top_p * ranked.sum(axis=1, keepdims=True)
        before[:, 0] = -1  # the most likely character always stays
        ranked[before >= enough] = 0
    np.put_along_axis(p, order, ranked, axis=1)
    return p


def choose(logits: Array, config: SamplingConfig, draws: Array) -> NDArray[np.int64]:
    """Return an id for each row of logits (N, V), given one uniform draw in (0, 1] per row."""
    ids: NDArray[np.int64]
    if config.temperature == 0:
        ids = logits.argmax(axis=1)
        return ids
    p = weights(logits, config)
    cumulative = np.add.accumulate(p, axis=1, out=p)
    target = cumulative[:, -1] * draws
    # Inverse transform sampling: argmax finds the first id whose cumulative probability reaches the
    # target. Targets are above 0 and at most the last sum, so no id of probability 0 is drawn.
    ids = (cumulative >= target[:, None]).argmax(axis=1)
    return ids


def start_ids(vocabulary: Vocabulary) -> Ids:
    """Return the default prompt: a line break, or else the most frequent character; shape (1,)."""
    first = vocabulary.index.get("\n", int(vocabulary.counts.argmax()))
    return np.array([first], np.uint32)


def generate(  # noqa: PLR0913
    model: LanguageModel,
    seed_ids: Ids,
    config: SamplingConfig,
    *,
    random_seed: int,
    count: int = 1,
    first: int = 0,
    log_p: bool = False,
) -> Iterator[Step]:
    """Sample continuations of a prompt, and yield one step at a time without end.

        seed = vocabulary.encode("New")
        for step in islice(generate(network, seed, SamplingConfig(), random_seed=1), 60):
            print(vocabulary.decode(step.ids), end="")

    model         a language model; of a ``Model``, its ``network()``
    seed_ids      the prompt, ids (N,), at least one
    config        temperature, top-k and top-p (Holtzman et al. 2020)
    random_seed   the same number gives the same samples
    count         number of samples to generate as one batch
    first         index of the first of them: sample i depends on random_seed and i alone
    log_p         if True, each step also has the log probability of its characters

    Each step has ``ids`` (count,) and ``log_p`` (count,) in nats, empty unless requested. The
    first step raises ValueError if count is below 1 or the prompt is empty, and VocabularyError for
    ids out of range. A step raises TrainingError if the logits are not finite.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    start = _read(model, seed_ids)
    samples = range(first, first + count)
    yield from _written(model, start, config, random_seed, samples, log_p=log_p)


def write_samples(  # noqa: PLR0913
    model: LanguageModel,
    seed_ids: Ids,
    config: SamplingConfig,
    *,
    random_seed: int,
    count: int,
    length: int,
    log_p: bool = False,
    workers: int = 1,
) -> Iterator[tuple[Ids, float]]:
    """Yield complete samples, one after the other: ids (length,) and their total log p in nats.

    workers   number of processes; more than one only if ``sampling_workers`` returns it

    The other arguments, and each sample, are those of ``generate``; log p is 0 unless requested.
    Raises ValueError if the prompt is empty, WorkerLostError if a process dies.
    """
    group = make_group(workers)
    at_once = min(AT_ONCE * workers, count)
    start = _read(model, seed_ids)
    task = _SamplingTask(
        group,
        at_once,
        length,
        lambda samples: _written(model, start, config, random_seed, samples, log_p=log_p),
    )
    group.start(task)
    try:
        for begin in range(0, count, at_once):
            group.call("write", begin, min(begin + at_once, count))
            for row in range(min(at_once, count - begin)):
                yield task.ids[row].copy(), float(task.nats[row])
    finally:
        group.close()


class _SamplingTask:
    """Samples generated by all processes of a group, each its part, into shared arrays.

    ids    (at_once, length)
    nats   log p of each sample in nats, (at_once,); 0 unless the steps have it
    """

    def __init__(
        self, group: Group, at_once: int, length: int, steps: Callable[[range], Iterator[Step]]
    ) -> None:
        self.group, self.steps = group, steps
        self.ids = group.array((at_once, length), np.uint32)
        self.nats = group.array((at_once,), np.float64)

    def write(self, begin: int, end: int) -> None:
        """Generate this process's part of the samples from ``begin`` to ``end``."""
        own = self.group.part(end - begin)
        samples, length = range(begin, end)[own], self.ids.shape[1]
        self.nats[own] = 0
        for at, step in enumerate(islice(self.steps(samples), length if samples else 0)):
            if at % _DRAWS_AHEAD == 0:
                self.group.check()
            self.ids[own, at] = step.ids
            if len(step.log_p):
                self.nats[own] += step.log_p
        self.group.barrier()


class _Start(NamedTuple):
    """The model after the prompt: logits (V,) and state of one sample."""

    logits: Array
    state: ModelState


def _read(model: LanguageModel, seed_ids: Ids) -> _Start:
    if not len(seed_ids):
        raise ValueError("the seed must have at least one id; start_ids gives one")
    state, seed = model.zero_state(1), np.asarray(seed_ids)[:, None]
    if int(seed.min()) < 0 or int(seed.max()) >= model.vocab_size:
        raise VocabularyError(f"ids must be from 0 to {model.vocab_size - 1}")
    for at in range(0, len(seed), _SEED_PIECE):
        logits, state, _ = model.forward(seed[at : at + _SEED_PIECE], state)
    return _Start(logits[-1, 0], state)


def _written(  # noqa: PLR0913
    model: LanguageModel,
    start: _Start,
    config: SamplingConfig,
    random_seed: int,
    samples: range,
    *,
    log_p: bool,
) -> Iterator[Step]:
    decoder = Decoder(model, len(samples))
    decoder.start(start.state)
    logits = np.tile(start.logits, (len(samples), 1))
    sources = [generator(random_seed, Purpose.SAMPLE, index) for index in samples]
    every, nothing = np.arange(len(samples)), np.empty(0)
    while True:
        for draws in 1 - np.array([rng.random(_DRAWS_AHEAD) for rng in sources]).T:
            ids = choose(logits, config, draws)
            if not np.isfinite(logits[every, ids]).all():
                raise TrainingError(
                    "the model's outputs are not finite numbers: its weights have exploded",
                    hint="train again with a lower --learning-rate, or with --nonlinearity tanh",
                )
            likely = log_softmax(logits.astype(np.float64))[every, ids] if log_p else nothing
            yield Step(ids, likely)
            logits = decoder.feed(ids)
