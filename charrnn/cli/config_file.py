"""The file that sets defaults: charrnn.toml, or [tool.charrnn] in pyproject.toml."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from charrnn.errors import ConfigError

FILE, PROJECT = "charrnn.toml", "pyproject.toml"
TABLE = ("tool", "charrnn")


def find_file() -> tuple[Path, dict[str, Any]] | None:
    """Return the nearest file that sets defaults, and what it says.

    It is looked for in the working directory and above, up to the root of the repository or the
    home directory. Outside of both, only the working directory counts: who knows whose the folders
    above it are.

    Raises ConfigError for a file that cannot be read, and for two in one folder.
    """
    for folder in _folders():
        own, project = folder / FILE, folder / PROJECT
        table = _project_table(project)
        if own.is_file():
            if table is not None:
                raise ConfigError(
                    f"{shown(own)} and {shown(project)} both set defaults",
                    hint=f"keep one: {FILE}, or [{'.'.join(TABLE)}] in {PROJECT}",
                )
            return own, _parsed(own, _bytes(own))
        if table is not None:
            return project, table
    return None


def shown(path: Path) -> str:
    """Return a path as a message names it: without its folder if that is the working directory."""
    return path.name if path.parent == Path.cwd() else str(path)


def _folders() -> list[Path]:
    try:
        here = Path.cwd()
    except OSError:  # the working directory has been removed
        return []
    folders = [here, *here.parents]
    with suppress(RuntimeError):  # there may be no home
        if (home := Path.home()) in folders:
            folders = folders[: folders.index(home) + 1]
            return folders[: _in_repository(folders) or len(folders)]
    return folders[: _in_repository(folders) or 1]


def _in_repository(folders: list[Path]) -> int:
    """Return how many of these folders, from the first, lie in a repository."""
    roots = (number for number, folder in enumerate(folders, 1) if (folder / ".git").exists())
    return next(roots, 0)


def _project_table(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    data = _bytes(path)
    if TABLE[-1].encode() not in data:  # most have nothing to do with us, and may even be broken
        return None
    table: Any = _parsed(path, data)
    for name in TABLE:
        table = table.get(name) if isinstance(table, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{shown(path)}: [{'.'.join(TABLE)}] must be a table")
    return table


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise ConfigError(
            f"{shown(path)}: cannot be read: {reason}",
            hint="'charrnn --no-config COMMAND' leaves it out",
        ) from error


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{shown(path)}: is not valid TOML: {error}",
            hint="'charrnn --no-config COMMAND' leaves it out",
        ) from error
