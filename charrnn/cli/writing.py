"""How samples reach stdout: as they are made, one after the other, or as JSON lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice

from charrnn.cli.console import console
from charrnn.cli.prompts import Prompt
from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.generate.controls import Controls, Ended
from charrnn.generate.novelty import LineFilter
from charrnn.generate.sample import Sample, Sampler
from charrnn.generate.spans import longest_copy
from charrnn.models import Model
from charrnn.parallel.launch import sampling_workers


@dataclass
class Writer:
    """Writes samples.

    model         the model
    sampling      how characters are drawn
    random_seed   the same number gives the same samples
    controls      what each obeys
    lines         which lines are kept; None: the samples are not lines
    echo          the prompt comes first
    written       number of samples so far
    cut           of which so many reached the limit before something else ended them
    """

    model: Model
    sampling: SamplingConfig
    random_seed: int
    controls: Controls
    lines: LineFilter | None = None
    echo: bool = True
    written: int = 0
    cut: int = 0

    def write(self, prompts: Iterable[Prompt], size: int, *, jsonl: bool) -> None:
        """Write ``size`` samples for each prompt, and say how many were cut at the limit."""
        for number, prompt in enumerate(prompts):
            sampler = Sampler(
                self.model.predictor, prompt.start, self.sampling, self.random_seed, log_p=jsonl
            )
            if size == 1 and self.lines is None and not jsonl:
                self.stream(sampler, prompt, number)
                continue
            samples = self.draw(sampler, prompt, number * size, size)
            for index, sample in enumerate(samples, number * size):
                if jsonl:
                    console.write_json(self.record(index, prompt.text, sample))
                else:
                    console.write(f"{prompt.text if self.echo else ''}{sample.text}\n")
        self.note_limit()

    def stream(self, sampler: Sampler, prompt: Prompt, sample: int) -> None:
        """Write one sample, each character as soon as it is certain."""

        def characters() -> Iterator[str]:
            self.count((yield from sampler.stream(self.controls, sample)))

        with console.blocks() as write:
            if self.echo:
                write(prompt.text)
            for character in characters():
                write(character)
            write("\n")

    def draw(self, sampler: Sampler, prompt: Prompt, first: int, size: int) -> Iterator[Sample]:
        """Yield the samples from ``first`` on, of lines those that are kept."""
        workers = sampling_workers(size)

        def write(first: int) -> Iterator[Sample]:
            return sampler.write(self.controls, size, first=first, workers=workers)

        samples = write(first)
        if self.lines is not None:
            self.require_room(self.lines, prompt.text)
            drawn = chain.from_iterable(map(write, count(first, size)))
            samples = islice(self.lines.keep(drawn, prompt.text), size)
        for sample in samples:
            self.count(sample.ended)
            yield sample

    def record(self, index: int, seed: str, sample: Sample) -> dict[str, object]:
        """Return a sample as an object for JSON."""
        spans = self.model.seen_spans
        copied = {} if spans is None else {"copied": longest_copy(spans, sample.text)}
        return {
            "index": index,
            "seed": seed,
            "text": sample.text,
            "ended": sample.ended,
            "log_probability": sample.log_p,
            **copied,
            "random_seed": self.random_seed,
        }

    def require_room(self, lines: LineFilter, prefix: str) -> None:
        """Raise ConfigError if no line that begins so can be kept."""
        longest, limit = lines.max_length, self.controls.limit or 0
        if longest is not None and len(prefix) > longest:
            raise ConfigError(f"the prefix is longer than --max-length {longest}")
        if len(prefix) + limit < lines.min_length:
            raise ConfigError(f"--length {limit} is below --min-length {lines.min_length}")

    def count(self, ended: Ended) -> None:
        """Count a sample."""
        self.written += 1
        self.cut += ended == "length"

    def note_limit(self) -> None:
        """Say on stderr how many samples reached the limit, if something else should end them."""
        rules = self.controls.config
        ending = "--stop" if rules.stop else "the end of a sentence"
        ending = "the end of the line" if self.controls.lines else ending
        if self.cut and (rules.stop or rules.until_sentence or self.controls.lines):
            which = f"{self.cut} of {self.written} samples" if self.written > 1 else "the sample"
            console.note(f"{which} had {self.controls.limit:,} characters before {ending}")
