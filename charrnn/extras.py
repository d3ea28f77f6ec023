"""Optional packages."""

from importlib import import_module
from typing import Any

from charrnn.errors import ConfigError


def require_extra(module: str, extra: str) -> Any:
    """Return a module. Raises ConfigError naming the extra to install if it is not there."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(
            f"this needs the package {module.partition('.')[0]}",
            hint=f"pip install 'charrnn[{extra}]'",
        ) from None
