"""What all configs share: how they check themselves, and plain dicts in and out."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, get_args

from charrnn.config.choices import Normalization
from charrnn.errors import ConfigError, UnknownSettingError

# Settings that the first checkpoints did not have, and the value that means the same as none: it is
# not stored, so that an earlier charrnn can read the file.
ADDED_LATER: dict[str, Any] = {
    "weight_drop": 0.0,
    "members": 1,
    "lines": False,
    "ngram": 0,
}


def check(condition: bool, message: str) -> None:  # noqa: FBT001
    """Raise ConfigError with this message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


def check_number(name: str, value: float | None, *, above: float) -> None:
    """Require a finite number above a limit, or None."""
    if value is not None:
        check(
            math.isfinite(value) and value > above, f"{name} must be above {above:g}, not {value}"
        )


def check_whole(name: str, value: int | None, low: int, high: int = 2**53) -> None:
    """Require a whole number from low to high, or None."""
    if value is not None:
        whole = type(value) is int and value >= low
        check(whole, f"{name} must be {low} or more, not {value}")
        check(value <= high, f"{name} must be {high:,} or less, not {value:,}")


def check_normalization(form: str) -> None:
    """Require the name of a Unicode normalization."""
    check(form in get_args(Normalization), f"unknown normalization {form!r}")


class Settings:
    """What all config dataclasses share: plain dicts in and out."""

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build from a plain dict, as stored in a checkpoint.

        A setting that did not exist yet when it was stored gets its default. Raises
        UnknownSettingError for an unknown name, ConfigError for any other missing name, a wrong
        type or a value out of range.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if isinstance(values, dict):
            values = {
                name: default for name, default in ADDED_LATER.items() if name in known
            } | values
        if isinstance(values, dict) and (new := sorted(map(str, values.keys() - known))):
            raise UnknownSettingError(f"has settings that this charrnn does not know: {new}")
        if not isinstance(values, dict) or values.keys() != known:
            raise ConfigError(f"{cls.__name__} must have exactly the settings {sorted(known)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} has a setting of the wrong type: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Parts(Settings):
    """A config of several parts."""

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build from nested plain dicts, the inverse of ``dataclasses.asdict``."""
        parts: dict[str, type[Settings]] = {
            field.name: type(field.default)  # type: ignore[misc]
            for field in fields(cls)
        }
        if not isinstance(values, dict) or values.keys() != parts.keys():
            raise ConfigError(f"{cls.__name__} must have exactly the parts {sorted(parts)}")
        settings: dict[str, Any] = {
            name: part.from_dict(values[name]) for name, part in parts.items()
        }
        return cls(**settings)

    def stored(self) -> dict[str, dict[str, Any]]:
        """Return the nested plain dicts that a checkpoint stores; see ADDED_LATER."""
        return {
            part: {
                name: value
                for name, value in settings.items()
                if name not in ADDED_LATER or value != ADDED_LATER[name]
            }
            for part, settings in asdict(self).items()
        }
