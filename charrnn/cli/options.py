"""What several commands share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from charrnn.cli.app import origin
from charrnn.config import Normalization
from charrnn.errors import CheckpointError, ConfigError, CorpusError

if TYPE_CHECKING:
    from charrnn.text.vocabulary import Vocabulary

CHECKPOINTS = Path("checkpoints")
UnknownPolicy = Literal["error", "skip", "replace"]


def option(
    text: str, section: str | None = None, default: object = None, *names: str, **settings: Any
) -> Any:
    """Return an option of a command.

    section    of the help
    default    what holds if it is not given, as the help shows it; None: what the code says
    names      where they are not those of the parameter
    settings   of ``typer.Option``
    """
    shown = text if default is None else f"{text} [default: {default}]"
    return typer.Option(*names, help=shown, rich_help_panel=section, **settings)


STOP, DATA, MODEL = "When to stop", "Data", "Model"
OPTIMIZATION, OUTPUT = "Optimization", "Output"


def is_given(context: typer.Context, option: str) -> bool:
    """Return True if an option is set, on the command line or by a default of the user's own."""
    name = next(param.name for param in context.command.params if option in param.opts)
    source = context.get_parameter_source(str(name))
    set_to = context.params[str(name)]
    is_set = set_to is not None and set_to is not False and set_to not in ([], ())
    return is_set and source is not None and source.name != "DEFAULT"


def is_typed(context: typer.Context, name: str) -> bool:
    """Return True if the parameter of this name was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def exclusive(context: typer.Context, *options: str) -> None:
    """Raise ConfigError if more than one of these options is set."""
    if len(given := [option for option in options if is_given(context, option)]) > 1:
        named = [f"{option}{origin(context, option)}" for option in given]
        raise ConfigError(f"{' and '.join(named)} contradict each other", hint="give one of them")


def requires(context: typer.Context, needed: str, *options: str) -> None:
    """Raise ConfigError if one of these options is set without the one that it goes with."""
    for option in options:
        if is_given(context, option) and not is_given(context, needed):
            raise ConfigError(
                f"{option}{origin(context, option)} goes with {needed}", hint=f"add {needed}"
            )


@contextmanager
def naming_sources(sources: list[str]) -> Iterator[None]:
    """Put the names of the files before what is wrong with their text."""
    try:
        yield
    except CorpusError as error:
        names, message = ", ".join(sources), str(error)
        if any(message.startswith(f"{name}: ") for name in [*sources, names]):
            raise
        raise CorpusError(f"{names}: {message}", hint=error.hint) from error


def default_output(source: str) -> Path:
    """Return where the checkpoint of a corpus goes: checkpoints/<stem>.npz."""
    stem = "stdin" if source == "-" else Path(source).stem
    return CHECKPOINTS / f"{stem or 'model'}.npz"


def newest_checkpoint(otherwise: str | None = None) -> Path:
    """Return the checkpoint last written to ./checkpoints.

    otherwise   the base model to use if there is none; None: raise CheckpointError
    """
    from charrnn.checkpoint.checkpoint import is_checkpoint

    files = [path for path in CHECKPOINTS.glob("*.npz") if is_checkpoint(path)]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    if not found and otherwise is not None:
        _note(
            f"no checkpoint in ./checkpoints yet: writing with the base model {otherwise!r}; "
            "'charrnn train corpus.txt' makes your own"
        )
        return Path(otherwise)
    if not found:
        raise CheckpointError(
            "there is no checkpoint in ./checkpoints yet",
            hint="make one with 'charrnn train corpus.txt', or name one with -c",
        )
    if sys.stderr is not None and sys.stderr.isatty():
        _note(f"checkpoint: {found[-1]}")
    return found[-1]


def _note(message: str) -> None:
    from charrnn.cli.console import console

    console.note(message)


def fit_text(
    text: str, vocabulary: "Vocabulary", *, normalize: Normalization, unknown: UnknownPolicy
) -> str:
    """Return a text as the model knows it.

    It is normalized like the model's corpus; the policies ``skip`` and ``replace`` leave no unknown
    character.
    """
    from charrnn.text.reading import normalized

    text = normalized(text, normalize)
    if unknown == "error" or not (missing := set(vocabulary.unknown(text))):
        return text
    if unknown == "skip":
        return "".join(char for char in text if char not in missing)
    return "".join(_closest(char, vocabulary) if char in missing else char for char in text)


def _closest(char: str, vocabulary: "Vocabulary") -> str:
    """Return a known character in place of an unknown one.

    Without its accent or in the other case, else a space, else the most frequent character.
    """
    import unicodedata

    bare = unicodedata.normalize("NFKD", char)[0]
    for candidate in (bare, char.swapcase(), bare.swapcase(), " "):
        if candidate in vocabulary:
            return candidate
    return vocabulary.characters[int(vocabulary.counts.argmax())]
