"""Models and prompts: what the commands that continue a text have in common."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.options import UnknownPolicy, fit_text, newest_checkpoint
from charrnn.errors import ConfigError, VocabularyError

if TYPE_CHECKING:
    from charrnn.inference.predictor import Prediction
    from charrnn.models.writer import Writer
    from charrnn.text.vocabulary import Ids

# What writes where nothing has been trained yet.
BASE = "english"


def load_writer(checkpoints: list[str] | None) -> "Writer":
    """Load the model, or blend those that were named, each as PATH or PATH:WEIGHT."""
    from charrnn.models import Model
    from charrnn.models.writer import Writer

    if not checkpoints:
        return Writer.of([(Model.load(newest_checkpoint(otherwise=BASE)), 1.0)])
    named = [_weighted(checkpoint) for checkpoint in checkpoints]
    return Writer.of([(Model.load(path), weight) for path, weight in named])


def _weighted(checkpoint: str) -> tuple[str, float]:
    """Return path and weight of PATH:WEIGHT; a path with a colon that exists is a path."""
    path, colon, weight = checkpoint.rpartition(":")
    if colon and not Path(checkpoint).exists():
        try:
            return path, float(weight)
        except ValueError:
            pass
    return checkpoint, 1.0


@dataclass(frozen=True)
class Prompt:
    """A prompt that the model has read.

    text    the prompt
    start   the prediction after it
    """

    text: str
    start: "Prediction"


@dataclass(frozen=True)
class PromptReader:
    """Reads prompts.

    writer    the model
    unknown   what to do with characters that it does not know
    quiet     do not say how the prompt differs from what was given
    """

    writer: "Writer"
    unknown: UnknownPolicy
    quiet: bool = False

    def read(self, text: str, name: str = "seed") -> Prompt:
        """Read a prompt, and say what its errors name it."""
        fitted, ids = self._encoded(text, name)
        return Prompt(fitted, self.writer.predictor.read(ids))

    def _encoded(self, text: str, name: str) -> "tuple[str, Ids]":
        import numpy as np

        from charrnn.cli import terminal
        from charrnn.inference.sampling import start_ids

        vocabulary = self.writer.vocabulary
        try:
            fitted = fit_text(
                text, vocabulary, normalize=self.writer.normalize, unknown=self.unknown
            )
            ids = vocabulary.encode(fitted)
        except VocabularyError as error:
            raise ConfigError(f"{name}: {error}", hint=error.hint) from error
        if self.unknown != "error" and fitted != text and not self.quiet:
            known = f"the prompt as the model reads it: {fitted}"
            terminal.note(
                known if fitted else "no character of the prompt is known: starting without it"
            )
        if not fitted or self.writer.lines:
            ids = np.concatenate([start_ids(vocabulary), ids])
        return fitted, ids

    def read_each(self, source: str) -> Iterator[Prompt]:
        """Read the lines of a file, or of stdin as they arrive, as one prompt each."""
        from charrnn.text.reading import read_lines

        if source == "-":
            _say_what_is_read("prompts")
        number = 0
        for lines in read_lines(source):
            for line in lines:
                number += 1
                yield self.read(line, f"line {number}")


def read_stdin() -> str:
    """Return all of stdin."""
    from charrnn.text.reading import read_text

    _say_what_is_read("the text")
    return read_text("-")


def _say_what_is_read(what: str) -> None:
    from charrnn.cli import terminal

    if terminal.is_terminal(sys.stdin):
        terminal.note(f"reading {what} from the terminal; Ctrl-D ends it")
