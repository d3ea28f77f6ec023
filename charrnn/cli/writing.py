"""How samples reach stdout: as they are made, one after the other, or as JSON lines."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from charrnn.cli.console import console, is_dumb, visible
from charrnn.cli.texts import unescape
from charrnn.config import ControlConfig
from charrnn.generate.controls import FAR
from charrnn.generate.seen import longest_copy
from charrnn.models import Model

# Text on a pipe is written in blocks: a write for every character would take a fifth of the time
# that a character takes. 1,000 characters have at most 4,000 bytes in UTF-8, which a pipe takes in
# one piece, so that a reader never gets half a character.
BLOCK_SECONDS, BLOCK_CHARS = 0.1, 1000


def choose_separator(model: Model, rules: ControlConfig, delimiter: str | None) -> str:
    """Return what is written between two samples.

    delimiter   a line of the user's own; None: what is between pieces of the text, else an empty
                line, or a rule on a terminal, if samples may have several lines
    """
    if delimiter is not None:
        return unescape(delimiter, "delimiter") + "\n"
    if model.config.data.end is not None:
        return model.config.data.between.removeprefix("\n")
    one_line = rules.match is not None or rules.charset is not None or "\n" in rules.stop
    if one_line or "\n" not in model.vocabulary:
        return ""
    return ("─" * (console.width - 1) if console.shows_text else "") + "\n"


def write_samples(
    model: Model,
    prompts: Iterable[str],
    count: int,
    *,
    delimiter: str | None,
    echo: bool,
    jsonl: bool,
    **settings: Any,
) -> None:
    """Write samples for each prompt, and say on stderr how many were cut at the limit.

    count       number of samples for each
    delimiter   between two; see ``choose_separator``
    echo        whether each begins with its prompt
    jsonl       write an object for each
    settings    of ``Model.samples``, with the length and the random seed
    """
    endings: Counter[str] = Counter()
    rules, are_pieces = ControlConfig.of_options(settings), model.config.data.end is not None
    separator = choose_separator(model, rules, delimiter)
    for number, prompt in enumerate(prompts):
        begin = prompt if echo else ""
        if count == 1 and not are_pieces and not jsonl:
            console.write(separator if number else "")
            characters = model.stream(prompt, first=number, **settings)
            endings[write_stream(begin, characters)] += 1
            continue
        samples = model.samples(prompt, count, first=number * count, log_p=jsonl, **settings)
        for index, sample in enumerate(samples, number * count):
            endings[sample.ended] += 1
            if jsonl:
                found = {"index": index, "seed": prompt, "text": sample.text, "ended": sample.ended}
                found["log_probability"] = sample.log_p
                if model.seen_spans is not None:
                    found["copied"] = longest_copy(model.seen_spans, sample.text)
                console.write_json({**found, "random_seed": settings["random_seed"]})
                continue
            console.write(separator if index else "")
            with blocks() as write:
                write(f"{begin}{sample.text}\n")
    cut, written, limit = endings["length"], endings.total(), settings["length"]
    if cut and (rules.stop or rules.until_sentence or are_pieces):
        ending = "--stop" if rules.stop else "the end of a sentence"
        if are_pieces:
            ending = f"the end of the {model.config.data.piece}"
        limit = model.default_length(rules) if limit is None else limit
        limit += FAR * rules.until_sentence
        which = f"{cut} of {written} samples" if written > 1 else "the sample"
        console.note(f"{which} had {limit:,} characters before {ending}")


def write_stream(prompt: str, characters: Generator[str, None, str]) -> str:
    """Write a prompt, each character as soon as it is certain, and return why the text ended."""
    with blocks() as write:
        write(prompt)
        try:
            while True:
                write(next(characters))
        except StopIteration as end:
            write("\n")
            return str(end.value)


@contextmanager
def blocks() -> Iterator[Callable[[str], None]]:
    """Yield a function that writes text as it is made: at once on a terminal, else in blocks.

    What is pending is written at the end, even after Ctrl-C.
    """
    pending: list[str] = []
    wait = 0.0 if console.shows_text else BLOCK_SECONDS
    written_at = time.monotonic()
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
