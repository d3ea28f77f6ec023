"""What a shell completes: the names of models and of files that hold them.

An empty answer leaves it to the shell, which then completes the names of files.
"""

from contextlib import suppress
from pathlib import Path

import typer

from charrnn.checkpoint.bases import BASES
from charrnn.cli.app import user_models
from charrnn.cli.options import CHECKPOINTS

# What fits, with what it is; Typer leaves out what does not begin as what was typed.
Items = list[str | tuple[str, str]]


def models(_context: typer.Context, _args: list[str], incomplete: str) -> Items:
    """Complete a checkpoint, newest first, or the name of a model."""
    folder = incomplete[: incomplete.rfind("/") + 1]
    if folder:
        return [*list_files(folder, "*.npz"), *list_files(folder, "*/")]
    own = [path.stem for path in user_models().glob("*.npz")]
    files = [*list_files(f"{CHECKPOINTS}/", "*.npz"), *list_files("", "*.npz")]
    return [*BASES.items(), *own, *files]


def starts(context: typer.Context, args: list[str], incomplete: str) -> Items:
    """Complete where a run starts."""
    return [("none", "Random weights"), *models(context, args, incomplete)]


def list_files(folder: str, pattern: str) -> list[str]:
    """Return what fits in a folder, newest first, as one would type it."""
    end = "/" if pattern.endswith("/") else ""
    with suppress(OSError, RuntimeError):  # no such user
        paths = [path for path in Path(folder).expanduser().glob(pattern) if path.exists()]
        paths.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [f"{folder}{path.name}{end}" for path in paths if path.is_dir() == bool(end)]
    return []
