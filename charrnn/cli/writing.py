"""How samples reach stdout: as they are made, one after the other, or as JSON lines."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from charrnn.cli.prompts import Prompt
    from charrnn.generate.controls import Controls, Ended
    from charrnn.generate.novelty import LineFilter
    from charrnn.generate.sample import Sample, Sampler
    from charrnn.models import Model


@dataclass(kw_only=True)
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

    model: "Model"
    sampling: SamplingConfig
    random_seed: int
    controls: "Controls"
    lines: "LineFilter | None" = None
    echo: bool = True
    written: int = 0
    cut: int = 0

    def write(self, prompts: "Iterable[Prompt]", count: int, *, jsonl: bool) -> None:
        """Write ``count`` samples for each prompt, and say which were cut at the limit."""
        for number, prompt in enumerate(prompts):
            if jsonl:
                self.write_jsonl(prompt, number * count, count)
            elif count > 1 or self.lines is not None:
                self.write_many(prompt, number * count, count)
            else:
                self.stream(prompt, number)
        self.note_limit()

    def stream(self, prompt: "Prompt", sample: int) -> None:
        """Write one sample, each character as soon as it is certain."""
        from charrnn.cli.console import console

        characters = self.model.vocabulary.characters
        with console.blocks() as write:
            if self.echo:
                write(prompt.text)
            for found in self._sampler(prompt).stream(self.controls, sample):
                if isinstance(found, str):
                    self._count(found)
                else:
                    write(characters[found.id])
            write("\n")

    def write_many(self, prompt: "Prompt", first: int, count: int) -> None:
        """Write samples one after the other, each on lines of its own."""
        from charrnn.cli.console import console

        seed, decode = prompt.text if self.echo else "", self.model.vocabulary.decode
        for sample in self._samples(prompt, first, count):
            console.write(f"{seed}{decode(sample.ids)}\n")

    def write_jsonl(self, prompt: "Prompt", first: int, count: int) -> None:
        """Write one JSON object per sample."""
        from charrnn.cli.console import console

        samples = self._samples(prompt, first, count, log_p=True)
        for index, sample in enumerate(samples, first):
            record = {
                "index": index,
                "seed": prompt.text,
                "text": self.model.vocabulary.decode(sample.ids),
                "ended": sample.ended,
                "log_probability": sample.log_p,
                "random_seed": self.random_seed,
            }
            console.write_json(record)

    def note_limit(self) -> None:
        """Say on stderr how many samples reached the limit, if something else should end them."""
        from charrnn.cli.console import console

        rules = self.controls.config
        ending = "--stop" if rules.stop else "the end of a sentence"
        ending = "the end of the line" if self.controls.lines else ending
        if self.cut and (rules.stop or rules.until_sentence or self.controls.lines):
            which = f"{self.cut} of {self.written} samples" if self.written > 1 else "the sample"
            console.note(f"{which} had {self.controls.limit:,} characters before {ending}")

    def _samples(
        self, prompt: "Prompt", first: int, count: int, *, log_p: bool = False
    ) -> "Iterator[Sample]":
        """Yield the samples from ``first`` on."""
        from charrnn.parallel.launch import sampling_workers

        sampler, workers = self._sampler(prompt, log_p=log_p), sampling_workers(count)

        def draw(first: int) -> "Iterator[Sample]":
            return sampler.write(self.controls, count, first=first, workers=workers)

        samples = draw(first)
        if self.lines is not None:
            self._require_room(self.lines, prompt.text)
            decode = self.model.vocabulary.decode
            drawn = itertools.chain.from_iterable(map(draw, itertools.count(first, count)))
            kept = self.lines.keep(drawn, lambda ids: prompt.text + decode(ids))
            samples = itertools.islice(kept, count)
        for sample in samples:
            self._count(sample.ended)
            yield sample

    def _require_room(self, lines: "LineFilter", prefix: str) -> None:
        """Raise ConfigError if no line that begins so can be kept."""
        longest, limit = lines.max_length, self.controls.limit or 0
        if longest is not None and len(prefix) > longest:
            raise ConfigError(f"the prefix is longer than --max-length {longest}")
        if len(prefix) + limit < lines.min_length:
            raise ConfigError(f"--length {limit} is below --min-length {lines.min_length}")

    def _sampler(self, prompt: "Prompt", *, log_p: bool = False) -> "Sampler":
        from charrnn.generate.sample import Sampler

        return Sampler(self.model.predictor, prompt.start, self.sampling, self.random_seed, log_p)

    def _count(self, ended: "Ended") -> None:
        self.written += 1
        self.cut += ended == "length"
