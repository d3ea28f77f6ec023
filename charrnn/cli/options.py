"""What several commands share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.config import Normalization, OptimizerName
from charrnn.errors import CheckpointError

if TYPE_CHECKING:
    from charrnn.checkpoint.format import Kind
    from charrnn.text.vocabulary import Vocabulary

CHECKPOINTS = Path("checkpoints")
UnknownPolicy = Literal["error", "skip", "replace"]

# Options of all commands that train.
Encoding = Annotated[str, typer.Option(help="Encoding of the text.", rich_help_panel="Data")]

Normalize = Annotated[
    Normalization | None,
    typer.Option(help="Unicode normalisation (none).", rich_help_panel="Data"),
]

Epochs = Annotated[
    int | None,
    typer.Option(help="Stop after N passes through the text.", rich_help_panel="Optimisation"),
]

Steps = Annotated[
    int | None, typer.Option(help="Stop after N updates.", rich_help_panel="Optimisation")
]

OptimizerRule = Annotated[
    OptimizerName | None,
    typer.Option(help="Rule of the updates (adam).", rich_help_panel="Optimisation"),
]

Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop after N validations without a better one (never).",
        rich_help_panel="Optimisation",
    ),
]

RandomSeed = Annotated[
    int | None,
    typer.Option(
        help="Same number, same weights, with --steps or --epochs (drawn).",
        rich_help_panel="Optimisation",
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes to train in (one per core, if the model is large enough to gain).",
        rich_help_panel="Optimisation",
    ),
]

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="The checkpoint to write (checkpoints/NAME.npz).",
        rich_help_panel="Output",
    ),
]

Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the run in the checkpoint; --time, --steps and --epochs count from "
        "its beginning.",
        rich_help_panel="Output",
    ),
]

Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an existing checkpoint.", rich_help_panel="Output"),
]

Log = Annotated[
    Path | None,
    typer.Option(help="Write one JSON object per step to this file.", rich_help_panel="Output"),
]

Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", help="No progress, no summary.", rich_help_panel="Output"),
]

Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="All settings and every validation.", rich_help_panel="Output"
    ),
]

AsJson = Annotated[
    bool,
    typer.Option("--json", help="A summary object on stdout.", rich_help_panel="Output"),
]


def given_options(**settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options that a user gave, by part of the config: those that are not None."""
    return {
        part: {name: value for name, value in options.items() if value is not None}
        for part, options in settings.items()
    }


def default_output(source: str) -> Path:
    """Return where the checkpoint of a corpus goes: checkpoints/<stem>.npz."""
    stem = "stdin" if source == "-" else Path(source).stem
    return CHECKPOINTS / f"{stem or 'model'}.npz"


def newest_checkpoint(kind: "Kind" = "generator") -> Path:
    """Return the checkpoint of this kind last written to ./checkpoints.

    Raises CheckpointError if there is none.
    """
    from charrnn.checkpoint.format import kind_of

    files = [path for path in CHECKPOINTS.glob("*.npz") if path.is_file()]
    files = [path for path in files if kind_of(path) == kind]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    if not found:
        raise CheckpointError(
            "there is no checkpoint in ./checkpoints yet",
            hint="make one with 'charrnn train corpus.txt', or name one with -c",
        )
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"checkpoint: {found[-1]}", file=sys.stderr)  # noqa: T201  # before rich is loaded
    return found[-1]


def fit_text(
    text: str, vocabulary: "Vocabulary", *, normalize: Normalization, unknown: UnknownPolicy
) -> str:
    """Return a text as the model knows it.

    It is normalised like the model's corpus; the policies ``skip`` and ``replace`` leave no
    character that the model has never seen.
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
