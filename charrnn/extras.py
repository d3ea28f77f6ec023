"""What is loaded by name: cells, optimizers, and packages that charrnn can do without."""

from importlib import import_module
from typing import Any

from charrnn.errors import ConfigError


def require_extra(module: str, extra: str) -> Any:  # noqa: ANN401
    """Return a module. Raises ConfigError naming the extra to install if it is not there."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(
            f"this needs the package {module.partition('.')[0]}",
            hint=f"pip install 'charrnn[{extra}]'",
        ) from None


def class_in(module: str, base: type) -> Any:  # noqa: ANN401  # a class derived from base
    """Return the first class of a module that is derived from ``base``."""
    for value in vars(import_module(module)).values():
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module:
            return value
    raise TypeError(f"{module} has no {base.__name__}")
