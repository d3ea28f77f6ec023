"""Defaults of the user's own, from the environment and from a file.

An option that is not on the command line is looked up in CHARRNN_COMMAND_OPTION, CHARRNN_OPTION,
the table [command] of the file and the keys above its tables, in this order. A name that no command
has is an error in a file. In the environment it is a warning: that belongs to other programs too.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import typer

from charrnn.cli.config_file import find_file
from charrnn.errors import ConfigError

PREFIX = "CHARRNN_"

# Options that say what to do now, which nobody wants to do every time.
_NO_DEFAULT = {"help", "show_config"}
# Options that take the name of a model, and of a file only if there is one.
_MODELS = {"checkpoint", "from_"}
# Options whose files are text for the command line, for they may also be stdin.
_TEXTS = {"seed_file", "seeds", "vocab"}

Source = Literal["environment", "file"]


@dataclass(frozen=True)
class Key:
    """An option as the environment and files name it.

    param     the option
    negated   the name says the contrary, as --one-way does of --bidirectional
    """

    param: Any
    negated: bool = False


@dataclass(frozen=True)
class Default:
    """A value for an option that is not on the command line.

    value    as the command takes it
    source   what kind of place it is from
    origin   the variable, or the file, its table and the key
    rank     of several, the highest holds
    """

    value: Any
    source: Source
    origin: str
    rank: int


Found = dict[str, list[Default]]


@dataclass(frozen=True)
class Options:
    """The options that can have a default.

    command   the name of the command that is called
    context   its context
    own       its options
    load      returns the options of every command: for names that this one does not have
    """

    command: str
    context: typer.Context
    own: Mapping[str, Key]
    load: Callable[[], Mapping[str, Mapping[str, Key]]]


def keys_of(command: Any) -> dict[str, Key]:  # noqa: ANN401
    """Return the options of a command by their names in the environment and in files."""
    return {
        name[2:].replace("-", "_"): Key(param, negated)
        for param in command.params
        if param.param_type_name == "option" and param.name not in _NO_DEFAULT
        for names, negated in ((param.opts, False), (param.secondary_opts, True))
        for name in names
        if name.startswith("--")
    }


def dashed(name: str) -> str:
    """Return the option whose parameter has this name."""
    return "--" + name.removeprefix("as_").rstrip("_").replace("_", "-")


def from_environment(options: Options) -> tuple[Found, list[str]]:
    """Return what the environment sets for the command, and a warning for each unknown name."""
    own = f"{PREFIX}{options.command.replace('-', '_')}_".upper()
    found: Found = {}
    others = []
    for variable, text in sorted(os.environ.items()):
        if not variable.startswith(PREFIX) or not text:
            continue
        for prefix, rank in ((own, 3), (PREFIX, 2)):
            key = variable.removeprefix(prefix).lower()
            if variable.startswith(prefix) and key in options.own:
                _add(found, options, key, Default(text, "environment", variable, rank))
                break
        else:
            others.append(variable)
    known = _variables(options) if others else set()
    return found, [
        f"{variable} sets no option{_did_you_mean(variable, known)}"
        for variable in others
        if variable not in known
    ]


def _variables(options: Options) -> set[str]:
    names = {"debug"}
    for command, keys in options.load().items():
        names |= {*keys, *(f"{command}_{key}" for key in keys)}
    return {f"{PREFIX}{name}".replace("-", "_").upper() for name in names}


def from_file(options: Options) -> Found:
    """Return what the user's file sets for the command.

    Raises ConfigError for a file that cannot be read, and for anything in it that no command takes.
    """
    if (read := find_file()) is None:
        return {}
    path, content = read
    found: Found = {}
    every = options.load()
    for name, values in content.items():
        if isinstance(values, dict) and (table := name.replace("_", "-")) not in every:
            raise ConfigError(
                f"{path}: there is no command {name!r}{_did_you_mean(table, every)}",
                hint=f"a table is a command: {', '.join(every)}",
            )
    common = {name: value for name, value in content.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    for table, values in [("", common), *tables.items()]:
        command = table.replace("_", "-")
        place = f"{path} [{table}] " if table else f"{path} "
        for name, key in _entries(place, values, every, command):
            if command in ("", options.command) and key in options.own:
                default = Default(values[name], "file", f"{place}{name}", int(bool(command)))
                _add(found, options, key, default, path.parent)
    return found


def _entries(
    place: str, values: dict[str, Any], every: Mapping[str, Mapping[str, Key]], command: str
) -> Iterator[tuple[str, str]]:
    """Yield each name of a table as it is written, and as a key."""
    known = set(every[command]) if command else set().union(*every.values())
    seen: dict[str, str] = {}
    for name in values:
        key = name.replace("-", "_")
        if key not in known:
            owners = [f"[{owner}]" for owner, keys in every.items() if key in keys]
            instead = f"; it is one of {', '.join(owners)}" if owners else _did_you_mean(key, known)
            raise ConfigError(
                f"{place}{name}: there is no such option{instead}",
                hint=f"'charrnn {command or 'COMMAND'} --help' lists the options",
            )
        if key in seen:
            raise ConfigError(f"{place}{name}: is set twice, as {seen[key]} too")
        seen[key] = name
        yield name, key


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    matches = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


# Values


def _add(
    found: Found, options: Options, key: str, default: Default, folder: Path | None = None
) -> None:
    """Check a default, and note it under the name of its option.

    folder   where the paths in it start; None: in the working directory
    """
    param, negated = options.own[key].param, options.own[key].negated
    if default.source == "file":
        value = _as_typed(param, default)
    else:
        # one value per line; a line break alone is one too
        lines = [line for line in default.value.split("\n") if line]
        value = (lines or [default.value]) if param.multiple else default.value
    try:
        value = param.process_value(options.context, value)
    except typer.TyperException as error:
        reason = getattr(error, "message", str(error)).replace("Value error, ", "")
        raise ConfigError(f"{default.origin}: {reason}") from error
    if folder is not None and folder != Path.cwd():
        value = _from_folder(param.name, value, folder)
    value = not value if negated else value
    found.setdefault(param.name, []).append(replace(default, value=value))


def _as_typed(param: Any, default: Default) -> Any:  # noqa: ANN401
    """Return a value of a file as one would type it. Raises ConfigError if one could not."""
    value = default.value
    if param.is_flag:
        if not isinstance(value, bool):
            raise ConfigError(f"{default.origin}: must be true or false, not {value!r}")
        return value
    values = value if isinstance(value, list) and param.multiple else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            kind = "a text or a list of texts" if param.multiple else "one number or text"
            raise ConfigError(f"{default.origin}: must be {kind}, not {_in_toml(one)}")
    return list(map(str, values)) if param.multiple else str(value)


def _in_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return str(value)


def _from_folder(name: str, value: Any, folder: Path) -> Any:  # noqa: ANN401
    """Return the value with a path in it that leads there from the working directory."""
    if isinstance(value, list | tuple):
        return [_from_folder(name, one, folder) for one in value]
    is_path = isinstance(value, Path)
    if str(value) == "-" or not (is_path or name in _MODELS | _TEXTS):
        return value
    there = os.path.relpath(folder / Path(value).expanduser())
    if name in _MODELS and not any(map(os.path.exists, (there, there.rpartition(":")[0]))):
        return value
    return Path(there) if is_path else there
