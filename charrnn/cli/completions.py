"""What a shell completes: the names of models and of files that hold them.

An empty answer leaves it to the shell, which then completes the names of files.
"""

from contextlib import suppress
from pathlib import Path

import typer

from charrnn.checkpoint.bases import BASES
from charrnn.cli.options import CHECKPOINTS

# What fits, with what it is; Typer leaves out what does not begin as what was typed.
Items = list[str | tuple[str, str]]


def keep_help_as_it_is() -> None:
    """Give shells that show help the help as it is.

    Typer would take it for markup of rich, lose what stands in brackets, and load rich, which takes
    longer than all the rest.
    """
    with suppress(ImportError):
        from typer import _completion_classes

        _completion_classes._sanitize_help_text = str  # type: ignore[assignment]  # noqa: SLF001


def checkpoints(_context: typer.Context, _args: list[str], incomplete: str) -> Items:
    """Complete a checkpoint: those in ./checkpoints, newest first, or in the folder typed."""
    folder = incomplete[: incomplete.rfind("/") + 1]
    places = [folder] if folder else [f"{CHECKPOINTS}/", ""]
    found = [name for place in places for name in _checkpoints_in(place)]
    if matches := [name for name in found if name.startswith(incomplete)]:
        folders = _folders_in(folder) if folder else []
        return [*matches, *(name for name in folders if name.startswith(incomplete))]
    return []


def models(context: typer.Context, args: list[str], incomplete: str) -> Items:
    """Complete a checkpoint or the name of a base model."""
    bases = [(name, about) for name, about in BASES.items() if name.startswith(incomplete)]
    return [*bases, *checkpoints(context, args, incomplete)]


def starts(context: typer.Context, args: list[str], incomplete: str) -> Items:
    """Complete where a run starts."""
    nothing = ("none", "Random weights")
    return [nothing, *models(context, args, incomplete)]


def _checkpoints_in(folder: str) -> list[str]:
    """Return the checkpoints in a folder, newest first, as one would type them."""
    with suppress(OSError):
        files = [path for path in _path(folder).glob("*.npz") if path.is_file()]
        files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [f"{folder}{path.name}" for path in files]
    return []


def _folders_in(folder: str) -> list[str]:
    with suppress(OSError):
        return sorted(f"{folder}{path.name}/" for path in _path(folder).iterdir() if path.is_dir())
    return []


def _path(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:  # no such user
        return Path(folder)
