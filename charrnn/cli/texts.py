"""Models and texts: how a command finds its model, and reads a text as that model knows it."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from charrnn.cli.console import console, is_terminal
from charrnn.cli.options import CHECKPOINTS
from charrnn.config import ControlConfig, DataConfig
from charrnn.errors import CheckpointError, ConfigError, VocabularyError

if TYPE_CHECKING:
    from charrnn.models import Model
    from charrnn.text.vocabulary import Ids, Vocabulary

UnknownPolicy = Literal["error", "skip", "replace"]

# The model of ``sample`` and ``complete`` if there is no checkpoint.
BASE = "english"


def newest_checkpoint(otherwise: str | None = None) -> Path:
    """Return the checkpoint last written to ./checkpoints.

    otherwise   the base model to use if there is none; None: raise CheckpointError
    """
    from charrnn.checkpoint.checkpoint import is_checkpoint

    files = [path for path in CHECKPOINTS.glob("*.npz") if is_checkpoint(path)]
    if files:
        newest = max(files, key=lambda path: path.stat().st_mtime)
        if is_terminal(sys.stderr):
            console.note(f"checkpoint: {newest}")
        return newest
    if otherwise is None:
        raise CheckpointError(
            "there is no checkpoint in ./checkpoints yet",
            hint="make one with 'charrnn train corpus.txt', or name one with -c",
        )
    console.note(
        f"no checkpoint in ./checkpoints yet: writing with the base model {otherwise!r}; "
        "'charrnn train corpus.txt' makes your own"
    )
    return Path(otherwise)


def load_writer(checkpoint: str | None) -> "Model":
    """Load a checkpoint; None: the newest, or else the base model."""
    from charrnn.models import Model

    return Model.load(checkpoint or newest_checkpoint(otherwise=BASE))


def remember(model: "Model", like: str | None) -> "Model":
    """Return a model with a memory of what it reads: of this file first, unless None."""
    from charrnn.text.reading import read_text

    if like is None:
        return model.with_memory()
    expect_text(like)
    text = read_text(like, normalize=model.config.data.normalize)
    known = fit_text(text, model, "skip")
    if len(known) < len(text):
        console.note(f"skipped {len(text) - len(known)} unknown characters of {like}")
    return model.with_memory(known)


def fit_text(text: str, model: "Model", unknown: UnknownPolicy) -> str:
    """Return a text as the model knows it: normalized, and with unknown characters dealt with.

    The policies ``skip`` and ``replace`` leave no unknown character, ``error`` leaves them all.
    """
    from charrnn.text.reading import normalized

    text, vocabulary = normalized(text, model.config.data.normalize), model.vocabulary
    if unknown == "error" or not (missing := set(vocabulary.unknown(text))):
        return text
    instead = {it: _closest(it, vocabulary) if unknown == "replace" else "" for it in missing}
    return "".join(instead.get(char, char) for char in text)


def _closest(char: str, vocabulary: "Vocabulary") -> str:
    """Return a known character in place of an unknown one.

    Without its accent or in the other case, else a space, else the most frequent character.
    """
    bare = unicodedata.normalize("NFKD", char)[0]
    for candidate in (bare, char.swapcase(), bare.swapcase(), " "):
        if candidate in vocabulary:
            return candidate
    return vocabulary.characters[int(vocabulary.counts.argmax())]


@dataclass
class TextReader:
    """Reads a text as a model knows it.

    encoding   of files
    unknown    what to do with characters that the model does not know
    skipped    number of characters left out so far
    """

    model: "Model"
    encoding: str
    unknown: UnknownPolicy
    skipped: int = 0

    def blocks(self, source: str, text: str | None = None) -> "Iterator[Ids]":
        """Yield the ids of a file, or of a text, in blocks: of a model of pieces, of whole ones."""
        from charrnn.text.cut import read_pieces
        from charrnn.text.reading import Reader

        data, texts = self.model.config.data, iter([text or ""])
        if text is None:
            note_terminal(source, "text")
            texts = Reader(self.encoding, data.normalize).blocks(source)
        if data.end is not None:
            pieces = read_pieces(source, data, encoding=self.encoding)
            whole = pieces if text is None else [[*self.model.cut(text)]]
            texts = ("".join(f"{piece}{data.end}" for piece in block) for block in whole)
        return map(self.encode, texts)

    def encode(self, text: str) -> "Ids":
        """Return the ids of a text."""
        from charrnn.text.reading import normalized

        text = normalized(text, self.model.config.data.normalize)
        fitted = fit_text(text, self.model, self.unknown)
        self.skipped += len(text) - len(fitted)
        return self.model.vocabulary.encode(fitted)

    def note_skipped(self) -> None:
        """Say how many characters were left out."""
        if self.skipped:
            console.note(f"skipped {self.skipped} unknown characters")


def expect_text(source: str, option: str = "-c") -> None:
    """Raise ConfigError for a checkpoint where a text is expected; it may belong to an option."""
    from charrnn.checkpoint.checkpoint import is_checkpoint

    if source != "-" and is_checkpoint(source):
        hint = f"did you mean {option} {source}?"
        raise ConfigError(f"{source} is a checkpoint, not a text", hint=hint)


def read_stdin_once(*sources: str | None) -> None:
    """Raise ConfigError if standard input is named twice: nothing would be left of it."""
    if sources.count("-") > 1:
        raise ConfigError("standard input can be read only once", hint="name a file for one -")


def note_terminal(source: str, what: str) -> None:
    """Say that a terminal is read, if one is."""
    if source == "-" and is_terminal(sys.stdin):
        console.note(f"reading the {what} from the terminal; Ctrl-D ends it")


def read_prompts(
    model: "Model",
    unknown: UnknownPolicy,
    given: Sequence[str] | None,
    source: str = "-",
    *,
    name: str = "seed",
    quiet: bool = False,
) -> Iterator[str]:
    """Yield prompts as a model reads them: those given, or else the lines of a file as they arrive.

    unknown   what to do with characters that the model does not know
    name      what errors call a prompt
    quiet     do not say how a prompt differs from what was given
    """
    from charrnn.text.cut import read_pieces

    named: Iterable[tuple[str, str]] = zip(repeat(name), given or (), strict=False)
    if given is None:
        note_terminal(source, "prompts")
        pieces = read_pieces(source, DataConfig(separator="\n"), replace=unknown != "error")
        lines = enumerate(chain.from_iterable(pieces), 1)
        named = ((f"line {number}", line) for number, line in lines)
    for called, text in named:
        fitted = fit_text(text, model, unknown)
        try:
            model.vocabulary.encode(fitted)
        except VocabularyError as error:
            is_escape = r"\n" in text and "\\" not in model.vocabulary
            hint = r"a line break is $'\n' in bash, or one in a --seed-file" * is_escape
            raise ConfigError(f"{called}: {error}", hint=hint or error.hint) from error
        if unknown != "error" and fitted != text and not quiet:
            unread = "no character of the prompt is known: starting without it"
            console.note(f"the prompt as the model reads it: {fitted}" if fitted else unread)
        yield fitted


def prepare_stops(rules: ControlConfig, model: "Model") -> ControlConfig:
    """Return the controls with stop texts as the model has them, without those it cannot write."""
    from charrnn.text.reading import normalized

    stops = []
    for text in rules.stop:
        stop = normalized(unescape(text, "stop"), model.config.data.normalize)
        if unknown := model.vocabulary.unknown(stop):
            console.note(f"a --stop never occurs: the model does not know {unknown}")
        else:
            stops.append(stop)
    return replace(rules, stop=tuple(stops))


def unescape(text: str, option: str) -> str:
    r"""Return a text in which \n, \t, \x41, \u3002 and \\ mean what they do in Python.

    Raises ConfigError, which names the option, for another letter after a backslash, and for what
    is not a character.
    """

    def convert(found: re.Match[str]) -> str:
        escape = found[0]
        if escape[1:2] in {*"abfnrtv0"} or len(escape) > 2:
            return escape.encode().decode("unicode_escape")
        if not escape[1:] or escape[1].isalnum():
            raise ConfigError(f"--{option}: {escape} is not an escape", hint=r"\\ is a backslash")
        return escape[1]

    converted = re.sub(r"\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|.|\Z)", convert, text)
    if re.search("[\ud800-\udfff]", converted):
        hint = "check the encoding of the terminal"
        raise ConfigError(f"--{option}: {converted} is not text in UTF-8", hint=hint)
    return converted
