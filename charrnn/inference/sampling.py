"""Sampling: text is generated one character at a time, drawn from the model's distribution."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import TrainingError
from charrnn.inference.choice import choose
from charrnn.inference.controls import Controls, Drafts, Released
from charrnn.inference.predictor import Prediction, Predictor, as_predictor
from charrnn.ngrams.mixture import AnyLanguageModel
from charrnn.nn.cells import Array
from charrnn.nn.loss import log_softmax
from charrnn.parallel.group import Group
from charrnn.parallel.launch import make_group
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids, Vocabulary

# The number of samples that a process generates as one batch.
AT_ONCE = 64

_DRAWS_AHEAD = 256


class Step(NamedTuple):
    """The next character of each of N samples.

    ids     id of the character, (N,)
    log_p   its log probability under the model in nats, (N,), at temperature 1 and without
            filters and controls; empty unless requested
    """

    ids: NDArray[np.int64]
    log_p: Array


def start_ids(vocabulary: Vocabulary) -> Ids:
    """Return the default prompt: a line break, or else the most frequent character; shape (1,)."""
    first = vocabulary.index.get("\n", int(vocabulary.counts.argmax()))
    return np.array([first], np.uint32)


@dataclass(frozen=True)
class Randomness:
    """Where the random numbers of samples come from.

    seed      the same number gives the same samples
    skipped   characters that an earlier run has drawn with the same seed
    """

    seed: int
    skipped: int = 0

    def of(self, sample: int) -> np.random.Generator:
        """Return the source of a sample, which depends on nothing but this and its index."""
        source = generator(self.seed, Purpose.SAMPLE, sample)
        if self.skipped:
            # Each draw takes one number of the default bit generator, which can jump ahead.
            cast("Any", source.bit_generator).advance(self.skipped)
        return source


def generate(  # noqa: PLR0913
    model: AnyLanguageModel | Predictor,
    seed_ids: Ids | Prediction,
    config: SamplingConfig,
    *,
    random_seed: int | Randomness,
    count: int = 1,
    first: int = 0,
    log_p: bool = False,
) -> Iterator[Step]:
    """Sample continuations of a prompt, and yield one step at a time without end.

        seed = vocabulary.encode("New")
        for step in islice(generate(network, seed, SamplingConfig(), random_seed=1), 60):
            print(vocabulary.decode(step.ids), end="")

    model         a language model; of a ``Model``, its ``distribution()``
    seed_ids      the prompt, ids (N,), at least one
    config        temperature, top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024)
    random_seed   the same number gives the same samples; with Randomness, from a later draw on
    count         number of samples to generate as one batch
    first         index of the first of them: sample i depends on random_seed and i alone
    log_p         if True, each step also has the log probability of its characters

    Each step has ``ids`` (count,) and ``log_p`` (count,) in nats, empty unless requested. The
    first step raises ValueError if count is below 1 or the prompt is empty, and VocabularyError for
    ids out of range. A step raises TrainingError if the logits are not finite.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    run = SamplingRun.of(model, seed_ids, config, random_seed, log_p=log_p)
    yield from run.steps(range(first, first + count))


def write_sample(  # noqa: PLR0913
    model: AnyLanguageModel | Predictor,
    seed_ids: Ids | Prediction,
    config: SamplingConfig,
    controls: Controls,
    *,
    random_seed: int | Randomness,
    first: int = 0,
) -> Iterator[Released]:
    """Yield the characters of one sample that obeys controls, as soon as they are certain.

    first   its index

    The other arguments, and the errors, are those of ``generate``.
    """
    run = SamplingRun.of(model, seed_ids, config, random_seed, log_p=False)
    for _, character in run.controlled(controls, range(first, first + 1)):
        yield character


def write_samples(  # noqa: PLR0913
    model: AnyLanguageModel | Predictor,
    seed_ids: Ids | Prediction,
    config: SamplingConfig,
    *,
    random_seed: int | Randomness,
    count: int,
    length: int,
    first: int = 0,
    log_p: bool = False,
    workers: int = 1,
    controls: Controls | None = None,
) -> Iterator[tuple[Ids, float]]:
    """Yield complete samples, one after the other: their ids (N,) and their total log p in nats.

    length     number of characters N of each; with controls, the largest number
    workers    number of processes; more than one only if ``sampling_workers`` returns it
    controls   what the text obeys

    The other arguments, and each sample, are those of ``generate``; log p is 0 unless requested.
    Raises ValueError if the prompt is empty, WorkerLostError if a process dies.
    """
    run = SamplingRun.of(model, seed_ids, config, random_seed, log_p=log_p)
    group = make_group(workers)
    at_once = min(AT_ONCE * workers, count)
    task = _SamplingTask(group, at_once, length, run, controls)
    group.start(task)
    try:
        for begin in range(0, count, at_once):
            end = min(begin + at_once, count)
            group.call("write", first + begin, first + end)
            for row in range(end - begin):
                yield task.ids[row, : task.sizes[row]].copy(), float(task.nats[row])
    finally:
        group.close()


@dataclass(frozen=True)
class SamplingRun:
    """A prompt that was read, and how it goes on; see ``generate`` for the fields."""

    predictor: Predictor
    start: Prediction
    config: SamplingConfig
    randomness: Randomness
    log_p: bool

    @classmethod
    def of(
        cls,
        model: AnyLanguageModel | Predictor,
        seed_ids: Ids | Prediction,
        config: SamplingConfig,
        random_seed: int | Randomness,
        *,
        log_p: bool,
    ) -> "SamplingRun":
        """Read the prompt."""
        predictor = as_predictor(model)
        start = seed_ids if isinstance(seed_ids, Prediction) else predictor.read(seed_ids)
        if not isinstance(random_seed, Randomness):
            random_seed = Randomness(random_seed)
        return cls(predictor, start, config, random_seed, log_p)

    def steps(self, samples: range, drafts: Drafts | None = None) -> Iterator[Step]:
        """Yield the steps of these samples without end, in which drafts mask the choices."""
        decoder = self.predictor.decoder(len(samples))
        decoder.start(self.start.state)
        logits = np.tile(self.start.logits, (len(samples), 1))
        sources = [self.randomness.of(index) for index in samples]
        every, nothing = np.arange(len(samples)), np.empty(0)
        while True:
            for draws in 1 - np.array([rng.random(_DRAWS_AHEAD) for rng in sources]).T:
                choices = logits if drafts is None else drafts.mask(logits)
                ids = choose(choices, self.config, draws)
                if not np.isfinite(choices[every, ids]).all():
                    raise TrainingError(
                        "the model's outputs are not finite numbers: its weights have exploded",
                        hint="train again with a lower --learning-rate, or with --nonlinearity "
                        "tanh",
                    )
                wide = logits.astype(np.float64) if self.log_p else None
                likely = nothing if wide is None else log_softmax(wide)[every, ids]
                yield Step(ids, likely)
                logits = decoder.feed(ids)

    def controlled(self, controls: Controls, samples: range) -> Iterator[tuple[int, Released]]:
        """Yield the characters of texts that obey controls, each with the number of its sample."""
        drafts = Drafts(controls, len(samples), self.predictor.vocab_size)
        steps = self.steps(samples, drafts)
        while not drafts.ended:
            ids, log_p = next(steps)
            nats = log_p.tolist() if len(log_p) else [0.0] * len(ids)
            for row, (draft, chosen) in enumerate(zip(drafts.rows, ids.tolist(), strict=True)):
                if not draft.ended:
                    for character in draft.add(chosen, nats[row]):
                        yield row, character


class _SamplingTask:
    """Samples generated by all processes of a group, each its part, into shared arrays.

    ids     (at_once, length)
    sizes   number of characters of each sample, (at_once,)
    nats    log p of each sample in nats, (at_once,); 0 unless the run has it
    """

    def __init__(
        self, group: Group, at_once: int, length: int, run: SamplingRun, controls: Controls | None
    ) -> None:
        self.group, self._run, self._controls = group, run, controls
        self.ids = group.array((at_once, length), np.uint32)
        self.sizes = group.array((at_once,), np.int64)
        self.nats = group.array((at_once,), np.float64)

    def write(self, begin: int, end: int) -> None:
        """Generate this process's part of the samples from ``begin`` to ``end``."""
        count = end - begin
        own = self.group.part(count)
        samples = range(begin, end)[own]
        self.nats[own] = 0
        if samples:
            fill = self._fill if self._controls is None else self._fill_controlled
            fill(samples, own)
        self.group.barrier()

    def _fill(self, samples: range, own: slice) -> None:
        self.sizes[own] = length = self.ids.shape[1]
        for at, step in enumerate(islice(self._run.steps(samples), length)):
            if at % _DRAWS_AHEAD == 0:
                self.group.check()
            self.ids[own, at] = step.ids
            if len(step.log_p):
                self.nats[own] += step.log_p

    def _fill_controlled(self, samples: range, own: slice) -> None:
        assert self._controls is not None  # noqa: S101  # checked by ``write``
        ids, sizes, nats = self.ids[own], self.sizes[own], self.nats[own]
        sizes[...] = 0
        written = self._run.controlled(self._controls, samples)
        for number, (row, character) in enumerate(written):
            if number % _DRAWS_AHEAD == 0:
                self.group.check()
            ids[row, sizes[row]] = character.id
            sizes[row] += 1
            nats[row] += character.log_p
