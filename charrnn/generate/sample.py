"""Sampling: text is generated one character at a time, drawn from the model's distribution."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.generate.choice import choose, exclude
from charrnn.generate.controls import Controls, Ended, Text
from charrnn.generate.originality import Drafts, Word
from charrnn.generate.predictor import Prediction, Predictor
from charrnn.ngrams.contexts import Floats
from charrnn.ngrams.mixture import log_normalized
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.parallel.processes import map_in_processes
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids

# The number of samples that a process generates as one batch.
AT_ONCE = 64
# The number of samples of each row of the batch, one after the other.
IN_TURN = 4

_DRAWS_AHEAD = 256


class Step(NamedTuple):
    """The next character of each of N samples.

    ids     id of the character, (N,)
    log_p   its log probability under the model in nats, (N,), at temperature 1 and without
            filters and controls; empty unless requested
    """

    ids: NDArray[np.int64]
    log_p: Floats


class Sample(NamedTuple):
    """A complete sample.

    text    its characters, without the prompt
    log_p   of them all under the model, in nats; 0 unless requested
    ended   why it is complete
    """

    text: str
    log_p: float
    ended: Ended


def sample_steps(
    model: AnyLanguageModel | Predictor,
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
        for step in islice(sample_steps(network, seed, SamplingConfig(), random_seed=1), 60):
            print(vocabulary.decode(step.ids), end="")

    model         a language model; of a ``Model``, its ``distribution()``
    seed_ids      the prompt, ids (N,), at least one
    config        temperature, top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024)
    random_seed   the same number gives the same samples
    count         number of samples to draw as one batch
    first         index of the first of them: sample i depends on random_seed and i alone
    log_p         if True, each step also has the log probability of its characters

    Each step has ``ids`` (count,) and ``log_p`` (count,) in nats, empty unless requested. The
    first step raises ValueError if count is below 1 or the prompt is empty, and VocabularyError for
    ids out of range. A step raises TrainingError if probabilities are not finite.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    sampler = Sampler.of(model, seed_ids, config, random_seed, log_p=log_p)
    yield from sampler.steps(range(first, first + count))


@dataclass(frozen=True)
class Sampler:
    """Samples that continue one prompt; see ``sample_steps`` for the fields.

    start     the prediction after the prompt
    purpose   what the random numbers are used for
    """

    predictor: Predictor
    start: Prediction
    config: SamplingConfig
    random_seed: int
    log_p: bool = False
    purpose: Purpose = Purpose.SAMPLE

    @classmethod
    def of(
        cls,
        model: AnyLanguageModel | Predictor,
        seed_ids: Ids,
        config: SamplingConfig,
        random_seed: int,
        *,
        log_p: bool = False,
    ) -> "Sampler":
        """Read the prompt."""
        predictor = model if isinstance(model, Predictor) else Predictor(model)
        return cls(predictor, predictor.read(seed_ids), config, random_seed, log_p)

    def steps(
        self,
        samples: Sequence[int],
        texts: list[Text] | None = None,
        drafts: Drafts | None = None,
    ) -> Generator[Step, Mapping[int, int] | None]:
        """Yield the steps of these samples without end, under the controls of ``texts``.

        drafts   the words of the samples, which are drawn anew where they are refused

        Where others are to begin after a step, it is sent their rows and numbers.
        """
        decoder, start = self.predictor.decoder(len(samples), self.start.memory), self.start
        decoder.start(start.state)
        p = np.tile(start.p, (len(samples), 1))
        sources = [generator(self.random_seed, self.purpose, it) for it in samples]
        rows, nothing = np.arange(len(samples)), np.empty(0)
        if drafts is not None:
            drafts.begin(decoder)
        while True:
            ahead = 1 - np.array([rng.random(_DRAWS_AHEAD) for rng in sources]).T
            for at, draws in enumerate(ahead, 1):
                allowed = p
                if texts is not None and texts[0].allowed is not None:  # and so it is for all
                    allowed = exclude(p, np.array([text.allowed for text in texts]))
                if drafts is not None:
                    allowed = drafts.mask(allowed)
                ids = choose(allowed, self.config, draws)
                begins = yield Step(ids, log_normalized(p)[rows, ids] if self.log_p else nothing)
                p = decoder.feed(ids)
                if drafts is not None:
                    p = drafts.settle(decoder, p)
                for row, sample in (begins or {}).items():
                    decoder.start(start.state, row)
                    if drafts is not None:
                        drafts.restart(row, start.state)
                    p[row] = start.p
                    sources[row] = generator(self.random_seed, self.purpose, sample)
                    ahead[at:, row] = 1 - sources[row].random(_DRAWS_AHEAD - at)

    def stream(self, controls: Controls, sample: int = 0) -> Generator[str, None, Ended]:
        """Yield the characters of a sample as soon as they are certain; return why it ended."""
        characters = controls.vocabulary.characters
        if controls.is_free:
            for step in islice(self.steps([sample]), controls.limit):
                if (chosen := step.ids.item()) == controls.end_id:
                    return "piece"
                yield characters[chosen]
            return "length"
        ended: Ended | None = None
        for _, released, ended in self._write_texts(controls, [sample]):  # noqa: B007
            yield from (characters[chosen] for chosen, _ in released)
        return ended or "length"

    def write(
        self, controls: Controls, count: int, *, first: int = 0, workers: int = 1
    ) -> Iterator[Sample]:
        """Yield complete samples, one after the other.

        controls   what they obey
        first      index of the first of them
        workers    number of processes; more than one only if ``sampling_workers`` returns it

        Raises WorkerLostError if a process dies.
        """
        fill = self._fill_free if controls.is_free else self._fill
        size = min(AT_ONCE, -(-count // workers))
        workers = min(workers, -(-count // size))
        remaining = range(first, first + count)
        with map_in_processes(partial(fill, controls), workers) as fill_all:
            while remaining:
                parts = [remaining[at * size :][:size] for at in range(workers)]
                for filled in fill_all(filter(None, parts)):
                    yield from filled
                remaining = remaining[workers * size :]
                # The first ones come as soon as they can, the others as fast as they can.
                if not controls.is_free or controls.end is not None:
                    size = min(IN_TURN * AT_ONCE, max(1, -(-len(remaining) // workers)))

    def _fill(self, controls: Controls, samples: range) -> list[Sample]:
        """Return these samples."""
        written: list[Word] = [[] for _ in samples]
        endings: list[Ended] = ["length"] * len(samples)
        for sample, released, ended in self._write_texts(controls, samples):
            at = sample - samples.start
            written[at] += released
            endings[at] = ended or "length"
        characters = controls.vocabulary.characters
        return [
            Sample("".join(characters[it] for it, _ in own), sum(nats for _, nats in own), ended)
            for own, ended in zip(written, endings, strict=True)
        ]

    def _fill_free(self, controls: Controls, samples: range) -> list[Sample]:
        """Do what ``_fill`` does, faster, for texts that only a length or their END ends."""
        limit, end = controls.limit, controls.end_id
        if limit == 0:
            return [Sample("", 0.0, "length") for _ in samples]
        rows, waiting = list(samples[:AT_ONCE]), iter(samples[AT_ONCE:])
        steps, numbers = self.steps(rows), np.arange(len(rows))
        ids, sizes = np.empty((len(rows), limit), np.uint32), np.zeros(len(rows), int)
        log_p = np.zeros(len(rows))
        filled: dict[int, Sample] = {}
        begins: dict[int, int] = {}
        while len(filled) < len(samples):
            step = steps.send(begins) if begins else next(steps)
            ids[numbers, sizes] = step.ids
            is_end, begins = step.ids == end, {}
            sizes += ~is_end
            if self.log_p:
                log_p += np.where(is_end, 0, step.log_p)
            for row in np.flatnonzero(is_end | (sizes == limit)).tolist():
                if rows[row] not in filled:
                    text = controls.vocabulary.decode(ids[row, : sizes[row]])
                    ended: Ended = "piece" if is_end[row] else "length"
                    filled[rows[row]] = Sample(text, float(log_p[row]), ended)
                    for sample in islice(waiting, 1):
                        rows[row] = begins[row] = sample
                sizes[row], log_p[row] = 0, 0
        return [filled[sample] for sample in samples]

    def _write_texts(
        self, controls: Controls, samples: Sequence[int]
    ) -> Iterator[tuple[int, Word, Ended | None]]:
        """Write samples, AT_ONCE at once; yield of each what is certain after a step, and its end.

        Where a sample ends, the next one begins in its row.
        """
        rows, waiting = dict(enumerate(samples[:AT_ONCE])), iter(samples[AT_ONCE:])
        texts, drafts = [controls.begin() for _ in rows], controls.drafts(len(rows))
        steps = self.steps(samples[:AT_ONCE], texts, drafts)
        begins: dict[int, int] = {}
        while rows:
            ids, log_p = steps.send(begins) if begins else next(steps)
            begins = {}
            nats = log_p.tolist() if self.log_p else [0.0] * len(ids)
            if drafts is None:
                words = [[drawn] for drawn in zip(ids.tolist(), nats, strict=True)]
            else:
                words = drafts.add(ids, nats)
            for row, sample in [*rows.items()]:
                texts[row].add(words[row])
                yield sample, texts[row].release(), texts[row].ended
                if texts[row].ended is None:
                    continue
                del rows[row]
                for other in islice(waiting, 1):
                    rows[row] = begins[row] = other
                    texts[row] = controls.begin()
