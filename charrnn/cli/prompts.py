"""Models and prompts: what the commands that continue a text have in common."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from charrnn.cli.console import console, is_terminal
from charrnn.cli.options import UnknownPolicy, fit_text, newest_checkpoint
from charrnn.config import ControlConfig
from charrnn.errors import ConfigError, VocabularyError

if TYPE_CHECKING:
    from charrnn.generate.predictor import Prediction, Predictor
    from charrnn.models import Model

# What writes where nothing has been trained yet.
BASE = "english"


def load_model(checkpoint: str | None) -> "Model":
    """Load the model that writes."""
    from charrnn.models import Model

    return Model.load(checkpoint or newest_checkpoint(otherwise=BASE))


def unescape(text: str, option: str) -> str:
    r"""Return a text in which \n, \t, \x41, \u3002 and \\ mean what they do in Python.

    Raises ConfigError, which names the option, for another letter after a backslash.
    """

    def convert(found: re.Match[str]) -> str:
        escape = found[0]
        if escape[1:2] in {*"abfnrtvxuU0"} - {"x", "u", "U"} or len(escape) > 2:
            return escape.encode().decode("unicode_escape")
        if not escape[1:] or escape[1].isalnum():
            raise ConfigError(f"--{option}: {escape} is not an escape", hint=r"\\ is a backslash")
        return escape[1]

    return re.sub(r"\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|.|\Z)", convert, text)


def prepare_stops(rules: ControlConfig, model: "Model") -> ControlConfig:
    """Return the controls with stop texts as the model has them, and note which cannot occur."""
    from charrnn.text.reading import normalized

    form = model.config.data.normalize
    stops = tuple(normalized(unescape(text, "stop"), form) for text in rules.stop)
    for text in stops:
        if unknown := model.vocabulary.unknown(text):
            console.note(f"a --stop never occurs: the model does not know {unknown}")
    return replace(rules, stop=stops)


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

    model       knows the characters
    predictor   reads them
    unknown     what to do with characters that the model does not know
    quiet       do not say how the prompt differs from what was given
    """

    model: "Model"
    predictor: "Predictor"
    unknown: UnknownPolicy
    quiet: bool = False

    def read(self, text: str, name: str = "seed") -> Prompt:
        """Read a prompt, and say what its errors name it."""
        import numpy as np

        from charrnn.text.vocabulary import start_ids

        data, vocabulary = self.model.config.data, self.model.vocabulary
        try:
            fitted = fit_text(text, vocabulary, normalize=data.normalize, unknown=self.unknown)
            ids = vocabulary.encode(fitted)
        except VocabularyError as error:
            raise ConfigError(f"{name}: {error}", hint=error.hint) from error
        if self.unknown != "error" and fitted != text and not self.quiet:
            unread = "no character of the prompt is known: starting without it"
            console.note(f"the prompt as the model reads it: {fitted}" if fitted else unread)
        if not fitted or data.lines:
            ids = np.concatenate([start_ids(vocabulary), ids])
        return Prompt(fitted, self.predictor.read(ids))

    def read_each(self, source: str) -> Iterator[Prompt]:
        """Read the lines of a file, or of stdin as they arrive, as one prompt each."""
        from charrnn.text.reading import read_lines

        if source == "-" and is_terminal(sys.stdin):
            console.note("reading prompts from the terminal; Ctrl-D ends it")
        lines = chain.from_iterable(read_lines(source))
        return (self.read(line, f"line {number}") for number, line in enumerate(lines, 1))
