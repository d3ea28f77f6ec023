"""Models and texts: how a command finds its model, and reads a text as that model knows it."""

import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from charrnn.checkpoint.bases import CHECKPOINTS
from charrnn.cli.console import console, is_terminal
from charrnn.cli.options import newest_first
from charrnn.config import DataConfig
from charrnn.errors import CheckpointError, ConfigError, VocabularyError

if TYPE_CHECKING:
    from charrnn.models import Model
    from charrnn.text.vocabulary import Ids

UnknownPolicy = Literal["error", "skip", "replace"]

# The model of ``sample`` and ``complete`` if there is no checkpoint.
BASE = "english"


def newest_checkpoint(otherwise: str | None = None) -> Path:
    """Return the checkpoint last written to ./checkpoints.

    otherwise   the base model to use if there is none; None: raise CheckpointError
    """
    from charrnn.checkpoint.checkpoint import is_checkpoint

    if CHECKPOINTS.is_dir() and not os.access(CHECKPOINTS, os.R_OK | os.X_OK):
        hint = f"allow it: chmod u+rx {CHECKPOINTS}"
        raise CheckpointError(f"{CHECKPOINTS}: cannot be read: Permission denied", hint=hint)
    for path in newest_first(CHECKPOINTS):
        if is_checkpoint(path) or not os.access(path, os.R_OK):  # to read it will say why
            if is_terminal(sys.stderr):
                console.note(f"checkpoint: {path}")
            return path
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


def model_name(path: Path) -> str:
    """Return the name of a checkpoint: that of its file, without the .npz."""
    return path.name.removesuffix(".npz")


def read_known(source: str, model: "Model") -> str:
    """Return a file for the model to remember, without the characters that it does not know."""
    from charrnn.text.reading import read_text

    expect_text(source)
    text = read_text(source, normalize=model.config.data.normalize)
    known = fit_text(text, model, "skip")
    if len(known) < len(text):
        console.note(f"skipped {len(text) - len(known)} unknown characters of {source}")
    return known


def fit_text(text: str, model: "Model", unknown: UnknownPolicy) -> str:
    """Return a text as the model knows it: normalized, and with unknown characters dealt with.

    "skip" leaves them out. "replace" takes the same letter without its accent or in the other case,
    else a space, whichever the model knows, and else leaves them out. "error" leaves them there.
    """
    text, known = model.normalized(text), model.vocabulary
    if unknown == "error":
        return text
    instead = dict[int, str]()
    for char in known.unknown(text):
        bare = unicodedata.normalize("NFKD", char)[0]
        similar = (bare, char.swapcase(), bare.swapcase(), " ") if unknown == "replace" else ()
        instead[ord(char)] = next((it for it in similar if it in known), "")
    return text.translate(instead)


def fit_prompt(
    text: str, model: "Model", unknown: UnknownPolicy, name: str, *, quiet: bool = False
) -> str:
    """Return a prompt as the model reads it, and say so if it is another one.

    name    what errors call the prompt
    quiet   do not say that it is another one

    Raises ConfigError for unknown characters that the policy leaves there.
    """
    fitted = fit_text(text, model, unknown)
    try:
        model.vocabulary.encode(fitted)
    except VocabularyError as error:
        hint = error.hint
        if r"\n" in text and "\\" not in model.vocabulary:
            hint = r"a line break is $'\n' in bash, or one in a --seed-file"
        raise ConfigError(f"{name}: {error}", hint=hint) from error
    if unknown != "error" and fitted != text and not quiet:
        unread = "no character of the prompt is known: starting without it"
        console.note(f"the prompt as the model reads it: {fitted}" if fitted else unread)
    return fitted


def read_lines(source: str, *, replace: bool) -> Iterator[tuple[str, str]]:
    """Yield the name of each line of a file, "line 1", and the line, as they arrive.

    replace   bytes that are not valid are read as U+FFFD
    """
    from charrnn.text.cut import read_pieces

    lines = chain.from_iterable(read_pieces(source, DataConfig(separator="\n"), replace=replace))
    for number, line in enumerate(lines, 1):
        yield f"line {number}", line


def read_ids(model: "Model", source: str, encoding: str, unknown: UnknownPolicy) -> "Iterator[Ids]":
    """Yield a file as ids, in blocks as it arrives: of a model of pieces, each with its END.

    Says at the end how many characters were left out. Raises VocabularyError for unknown characters
    that the policy leaves there.
    """
    from charrnn.text.cut import mark_ends, read_pieces
    from charrnn.text.reading import Reader

    data, skipped = model.config.data, 0
    texts = Reader(encoding, data.normalize).blocks(source)
    if data.end is not None:
        texts = mark_ends(read_pieces(source, data, encoding=encoding), data.end)
    for text in texts:
        fitted = fit_text(text, model, unknown)
        skipped += len(text) - len(fitted)
        yield model.vocabulary.encode(fitted)
    if skipped:
        console.note(f"skipped {skipped} unknown characters")


def expect_text(source: str, option: str = "-c") -> None:
    """Raise ConfigError for a checkpoint where a text is expected; it may belong to an option."""
    from charrnn.checkpoint.checkpoint import is_checkpoint

    if source != "-" and is_checkpoint(source):
        hint = f"did you mean {option} {source}?"
        raise ConfigError(f"{source} is a checkpoint, not a text", hint=hint)


def read_stdin_once(*sources: str | None) -> None:
    """Say if a terminal is read. Raises ConfigError if standard input is named twice."""
    if sources.count("-") > 1:
        raise ConfigError("standard input can be read only once", hint="name a file for one -")
    if "-" in sources and is_terminal(sys.stdin):
        console.note("reading from the terminal; Ctrl-D ends it")


def prepare_stops(given: list[str] | None, model: "Model") -> list[str]:
    """Return stop texts as the model has them, without those that it cannot write."""
    stops = []
    for text in given or []:
        stop = model.normalized(unescape(text, "stop"))
        if unknown := model.vocabulary.unknown(stop):
            console.note(f"a --stop never occurs: the model does not know {unknown}")
        else:
            stops.append(stop)
    return stops


def unescape(text: str, option: str) -> str:
    r"""Return a text in which \n, \t, \x41, \u3002 and \\ mean what they do in Python.

    Raises ConfigError, which names the option, for anything else after a backslash, and for what is
    not a character.
    """
    known = r"[abfnrtv0]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}"
    if wrong := re.search(rf"\\(?!{known}).?", text.replace(r"\\", "")):
        raise ConfigError(f"--{option}: {wrong[0]} is not an escape", hint=r"\\ is a backslash")
    try:
        converted = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
        converted.encode()
    except UnicodeError:
        hint = "check the encoding of the terminal"
        raise ConfigError(f"--{option}: {text} is not text in UTF-8", hint=hint) from None
    return converted
