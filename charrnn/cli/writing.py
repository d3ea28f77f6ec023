"""How samples reach stdout: as they are made, one after the other, or as JSON lines."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from charrnn.config import ControlConfig, SamplingConfig
from charrnn.errors import ConfigError, VocabularyError

if TYPE_CHECKING:
    from charrnn.cli.prompts import Prompt
    from charrnn.inference.controls import Controls
    from charrnn.inference.sampling import Randomness
    from charrnn.inference.whole_lines import LineRules
    from charrnn.models.writer import Writer
    from charrnn.text.vocabulary import Ids, Vocabulary


@dataclass(kw_only=True)
class Sampler:
    """Writes samples.

    writer       the model
    config       how characters are drawn
    randomness   where the draws come from
    length       new characters; None: without end
    controls     what the text obeys; None: nothing
    suffix       what it ends with; None: anything
    lines        which whole lines are kept; None: it is no model of lines
    echo         the prompt comes first
    """

    writer: "Writer"
    config: SamplingConfig
    randomness: "Randomness"
    length: int | None
    controls: "Controls | None" = None
    suffix: "Ids | None" = None
    lines: "LineRules | None" = None
    echo: bool = True

    def write_lines(
        self, wanted: Mapping[str, Any], rules: ControlConfig, length: int | None
    ) -> ControlConfig:
        """Prepare to write whole lines, and return the controls that end each.

        wanted   new, unique, min_length and max_length
        length   where a line is cut that has not ended; None: after LONGEST_LINE characters
        """
        from charrnn.inference.whole_lines import LONGEST_LINE, LineRules

        longest = wanted["max_length"]
        self.length = length or LONGEST_LINE
        if longest is not None:  # one more shows that a line is too long
            self.length = longest + 1
        seen = self.writer.models[0][0].seen_lines if wanted["new"] else None
        # Nothing was learned from empty lines.
        shortest = max(wanted["min_length"], 1)
        self.lines = LineRules(seen, wanted["unique"], shortest, longest)
        return replace(rules, stop=(*rules.stop, "\n"))

    def obey(self, rules: ControlConfig, suffix: str | None) -> None:
        """Prepare the controls. Raises ConfigError if no text can obey them."""
        from charrnn.cli import terminal
        from charrnn.inference.controls import Controls
        from charrnn.text.reading import normalized

        vocabulary, form = self.writer.vocabulary, self.writer.normalize
        if suffix is not None:
            self.suffix = _suffix_ids(normalized(suffix, form), rules, vocabulary)
        rules = replace(rules, stop=tuple(normalized(stop, form) for stop in rules.stop))
        for stop in rules.stop:
            if unknown := vocabulary.unknown(stop):
                terminal.note(f"a --stop never occurs: the model does not know {unknown}")
        if rules != ControlConfig():
            length = self.length if suffix is None else None
            self.controls = Controls(rules, vocabulary, length)

    def stream(self, prompt: "Prompt", sample: int) -> None:
        """Write one sample, each character as soon as it is certain."""
        from charrnn.cli.blocks import blocks

        characters = self.writer.vocabulary.characters
        with blocks() as out:
            if self.echo:
                out.write(prompt.text)
                out.flush()
            for chosen in self._ids(prompt, sample):
                out.write(characters[chosen])
            out.write("\n")

    def _ids(self, prompt: "Prompt", sample: int) -> Iterator[int]:
        """Yield the ids of one sample as soon as they are certain."""
        from charrnn.inference.sampling import generate, write_sample

        common: Any = {"random_seed": self.randomness, "first": sample}
        predictor, start = self.writer.predictor, prompt.start
        if self.suffix is not None:
            yield from next(self._with_suffix(prompt, sample, 1))[0].tolist()
        elif self.lines is not None:
            yield from next(self.samples(prompt, sample, 1, log_p=False))[0].tolist()
        elif self.controls is None:
            for step in islice(generate(predictor, start, self.config, **common), self.length):
                yield int(step.ids[0])
        else:
            released = write_sample(predictor, start, self.config, self.controls, **common)
            yield from (character.id for character in released)

    def samples(
        self, prompt: "Prompt", first: int, count: int, *, log_p: bool
    ) -> "Iterator[tuple[Ids, float]]":
        """Yield the ids and the log probability of each sample from ``first`` on."""
        from charrnn.inference.sampling import write_samples
        from charrnn.parallel.launch import sampling_workers

        assert self.length is not None  # noqa: S101  # only ``stream`` writes without end
        if self.suffix is not None:
            return self._with_suffix(prompt, first, count)
        bound = self.length if self.controls is None else self.controls.bound

        def drawn(first: int, count: int) -> "Iterator[tuple[Ids, float]]":
            return write_samples(
                self.writer.predictor,
                prompt.start,
                self.config,
                random_seed=self.randomness,
                first=first,
                count=count,
                length=bound or 0,
                log_p=log_p,
                workers=sampling_workers(count),
                controls=self.controls,
            )

        if self.lines is None:
            return drawn(first, count)
        from charrnn.inference.whole_lines import kept_lines

        decode = self.writer.vocabulary.decode
        rounds = (drawn(begin, count) for begin in itertools.count(first, count))
        samples = itertools.chain.from_iterable(rounds)
        kept = kept_lines(samples, lambda ids: prompt.text + decode(ids), self.lines)
        return islice(kept, count)

    def _with_suffix(
        self, prompt: "Prompt", first: int, count: int
    ) -> "Iterator[tuple[Ids, float]]":
        from charrnn.inference.sampling import SamplingRun
        from charrnn.inference.suffix import write_with_suffix

        assert self.suffix is not None  # noqa: S101  # checked by the callers
        assert self.length is not None  # noqa: S101  # checked by the command
        run = SamplingRun(
            self.writer.predictor, prompt.start, self.config, self.randomness, log_p=True
        )
        for sample in range(first, first + count):
            yield write_with_suffix(
                run, self.suffix, self.length, sample=sample, controls=self.controls
            )

    def write_many(self, prompt: "Prompt", first: int, count: int) -> None:
        """Write samples one after the other, each on lines of its own."""
        from charrnn.cli import terminal

        seed, decode = prompt.text if self.echo else "", self.writer.vocabulary.decode
        for ids, _ in self.samples(prompt, first, count, log_p=False):
            terminal.write(f"{seed}{decode(ids)}\n")

    def write_jsonl(self, prompt: "Prompt", first: int, count: int) -> None:
        """Write one JSON object per sample."""
        from charrnn.cli import terminal

        samples = self.samples(prompt, first, count, log_p=True)
        for index, (ids, log_probability) in enumerate(samples, first):
            record = {
                "index": index,
                "seed": prompt.text,
                "text": self.writer.vocabulary.decode(ids),
                "log_probability": log_probability,
                "random_seed": self.randomness.seed,
            }
            terminal.write(json.dumps(record, ensure_ascii=False) + "\n")


def _suffix_ids(suffix: str, rules: ControlConfig, vocabulary: "Vocabulary") -> "Ids":
    if not suffix:
        raise ConfigError("--suffix needs at least one character")
    if rules != ControlConfig(charset=rules.charset):
        raise ConfigError(
            "--suffix goes with no other control than --charset: it says where the text ends",
            hint="leave --stop, --until-sentence and --match out",
        )
    try:
        return vocabulary.encode(suffix)
    except VocabularyError as error:
        raise ConfigError(f"suffix: {error}", hint="'charrnn inspect-vocab' lists them") from error
