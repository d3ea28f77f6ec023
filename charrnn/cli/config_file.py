"""The file of the user's own that sets defaults.

It is never looked for in the current folder: whoever made that folder could set where a command
writes.
"""

import os
from pathlib import Path
from typing import Any

import typer

from charrnn.errors import ConfigError

FILE = "config.toml"


def find_file() -> tuple[Path, dict[str, Any]] | None:
    """Return the file that sets defaults, and what it says. Raises ConfigError if it is damaged."""
    path = Path(typer.get_app_dir("charrnn")) / FILE
    if not path.exists():
        return None
    import tomllib

    hint = "'charrnn --no-config COMMAND' leaves it out"
    try:
        return path, tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise ConfigError(f"{path}: cannot be read: {reason}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}", hint=hint) from error
