"""How samples reach stdout: as they are made, one after the other, or as JSON lines."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from charrnn.cli.console import console, is_dumb, visible
from charrnn.config import SamplingConfig
from charrnn.generate.controls import Controls
from charrnn.generate.novelty import PieceFilter
from charrnn.generate.sample import Sample
from charrnn.generate.seen import longest_copy
from charrnn.models import Model

# Text on a pipe is written in blocks: a write for every character would take a fifth of the time
# that a character takes. 1,000 characters have at most 4,000 bytes in UTF-8, which a pipe takes in
# one piece, so that a reader never gets half a character.
BLOCK_SECONDS, BLOCK_CHARS = 0.1, 1000


@dataclass
class Writer:
    """Writes samples.

    model         the model
    sampling      how characters are drawn
    random_seed   the same number gives the same samples
    controls      where each ends, and which characters it may have
    pieces        which pieces are kept; None: the samples are not pieces
    echo          whether each begins with the prompt
    delimiter     line between samples; None: between pieces as in the text, else an empty line or
                  a rule if they may have several lines
    """

    model: Model
    sampling: SamplingConfig
    random_seed: int
    controls: Controls
    pieces: PieceFilter | None
    echo: bool
    delimiter: str | None

    def write(self, prompts: Iterable[str], size: int, *, jsonl: bool) -> None:
        """Write ``size`` samples for each prompt, and say how many were cut at the limit."""
        endings: Counter[str] = Counter()
        for number, prompt in enumerate(prompts):
            if size == 1 and self.pieces is None and not jsonl:
                self.separate(number)
                endings[self.stream(prompt, number)] += 1
                continue
            samples = self.model.samples(
                prompt, size, controls=self.controls, random_seed=self.random_seed,
                first=number * size, log_p=jsonl, pieces=self.pieces, **vars(self.sampling),
            )  # fmt: skip
            for index, sample in enumerate(samples, number * size):
                endings[sample.ended] += 1
                if jsonl:
                    console.write_json(self.record(index, prompt, sample))
                    continue
                self.separate(index)
                with blocks() as write:
                    write(f"{prompt if self.echo else ''}{sample.text}\n")
        self.note_limit(endings["length"], endings.total())

    def record(self, index: int, prompt: str, sample: Sample) -> dict[str, Any]:
        """Return a sample as an object for JSON."""
        spans = self.model.seen_spans
        return {
            "index": index,
            "seed": prompt,
            "text": sample.text,
            "ended": sample.ended,
            "log_probability": sample.log_p,
            **({} if spans is None else {"copied": longest_copy(spans, sample.text)}),
            "random_seed": self.random_seed,
        }

    def separate(self, index: int) -> None:
        """Write what separates the sample of this number from the one before it."""
        rules, known = self.controls.config, self.model.vocabulary.index
        if index and self.pieces is not None and self.delimiter is None:
            console.write(self.model.config.data.between.removeprefix("\n"))
            return
        one_line = self.pieces is not None or rules.match is not None or "\n" in rules.stop
        rule = "─" * (console.width - 1) if console.shows_text else ""
        delimiter = self.delimiter
        if delimiter is None and not one_line and rules.charset is None and "\n" in known:
            delimiter = rule
        if delimiter is not None and index:
            console.write(f"{delimiter}\n")

    def stream(self, prompt: str, number: int) -> str:
        """Write one sample, each character as soon as it is certain, and return why it ended."""
        characters = self.model.stream(
            prompt, controls=self.controls, random_seed=self.random_seed, first=number,
            **vars(self.sampling),
        )  # fmt: skip
        with blocks() as write:
            write(prompt if self.echo else "")
            try:
                while True:
                    write(next(characters))
            except StopIteration as end:
                write("\n")
                return str(end.value)

    def note_limit(self, cut: int, written: int) -> None:
        """Say on stderr how many samples reached the limit, if something else should end them."""
        rules = self.controls.config
        if cut and (rules.stop or rules.until_sentence or self.pieces is not None):
            ending = "--stop" if rules.stop else "the end of a sentence"
            if self.pieces is not None:
                ending = f"the end of the {self.model.config.data.piece}"
            which = f"{cut} of {written} samples" if written > 1 else "the sample"
            console.note(f"{which} had {self.controls.limit:,} characters before {ending}")


@contextmanager
def blocks() -> Iterator[Callable[[str], None]]:
    """Yield a function that writes text as it is made: at once on a terminal, else in blocks.

    What is pending is written at the end, even after Ctrl-C.
    """
    pending: list[str] = []
    wait, written_at = 0.0 if console.shows_text else BLOCK_SECONDS, time.monotonic()
    wraps = console.shows_text and not is_dumb()
    wrap = wrap_words(console.width) if wraps else str

    def flush() -> None:
        nonlocal written_at
        text = "".join(pending)
        pending.clear()
        for begin in range(0, len(text), BLOCK_CHARS):
            console.write(text[begin : begin + BLOCK_CHARS], styled=wraps)
        written_at = time.monotonic()

    def write(text: str) -> None:
        pending.extend(map(wrap, text))
        if len(pending) >= BLOCK_CHARS or time.monotonic() - written_at >= wait:
            flush()

    try:
        yield write
    finally:
        flush()


def wrap_words(width: int) -> Callable[[str], str]:
    """Return a function from the pieces of a text to what a terminal of this width is sent.

    A word that does not fit into its line moves to the next one. Control characters are escaped.
    """
    from rich.cells import cell_len  # which a pipe does not need

    column, word = 0, ""

    def wrap(piece: str) -> str:
        nonlocal column, word
        sent = ""
        for char in visible(piece):
            size, start = cell_len(char), column - cell_len(word)
            if char == "\n" or (char == " " and column == width):
                sent, column, word = sent + "\n", 0, ""
                continue
            if column + size > width and 0 < start < column:
                sent += f"\x1b[{start + 1}G\x1b[K\n{word}"
                column, word = column - start + size, word + char
            elif column + size > width:  # the terminal breaks it
                column, word = size, char
            else:
                column, word = column + size, "" if char == " " else word + char
            sent += char
        return sent

    return wrap
