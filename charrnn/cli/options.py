"""How commands declare their options, and what is asked about those that were given."""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import typer

from charrnn.checkpoint.bases import BASES, CHECKPOINTS
from charrnn.cli.app import describe_source, user_folder
from charrnn.config import Settings, option_of
from charrnn.errors import ConfigError

NEWEST, WRITTEN = "newest in ./checkpoints", "checkpoints/NAME.npz"

# The most columns that choices take in a help; longer ones are put into the option's text.
MAX_CHOICES = 20

Command = TypeVar("Command", bound=Callable[..., None])


def option(
    about: str,
    panel: str | None = None,
    *names: str,
    default: object = None,
    unset: object = None,
    **settings: Any,
) -> Any:
    """Return an option, as the default of a command's parameter.

    about      what it does
    panel      of the help
    names      where they are not that of the parameter
    default    its value if it is not given
    unset      what holds then, as the help shows it; None: ``default`` says it
    settings   of ``typer.Option``
    """
    shown = default if unset is None and default not in (..., False) else unset
    if "min" in settings:
        settings.setdefault("metavar", "N")
    declared: Any = {"help": with_default(about, shown), "rich_help_panel": panel, **settings}
    return typer.Option(default, *names, show_default=False, **declared)


def flag(about: str, panel: str | None, *names: str) -> Any:
    """Return an option without a value."""
    return option(about, panel, *names, default=False)


def argument(name: str, about: str, *, unset: str | None = None, **settings: Any) -> Any:
    """Return an argument; without a default it must be given. See ``option``."""
    return typer.Argument(metavar=name, help=with_default(about, unset), **settings)


def with_default(about: str, shown: object) -> str:
    """Return the help of an option that has a default, unless it is None."""
    return about if shown is None else rf"{about} \[default: {shown}]"


def checkpoint_argument(name: str, about: str) -> Any:
    """Return the argument that names a model."""
    return argument(name, about, unset=NEWEST, default=None, autocompletion=complete_models)


def checkpoint_option(panel: str, about: str = "The checkpoint.") -> Any:
    """Return the option that names a model."""
    named, shown = ("-c", "--checkpoint"), {"unset": NEWEST, "metavar": "PATH"}
    return option(about, panel, *named, **shown, autocompletion=complete_models)


def with_settings(*configs: type[Settings]) -> Callable[[Command], Command]:
    """Give a command, as ``**settings``, an option for each setting of these configs.

    They are called like their options, and are None if they are not given. Those of a config have
    a panel of the help.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [it for it in signature.parameters.values() if it.kind is not it.VAR_KEYWORD]
        added = [
            _parameter(item, config.__name__.removesuffix("Config"))
            for config in configs
            for item in fields(config)  # type: ignore[arg-type]
            if item.metadata
        ]
        cast("Any", command).__signature__ = signature.replace(parameters=[*own, *added])
        return command

    return decorate


def _parameter(item: "Field[Any]", panel: str) -> inspect.Parameter:
    """Return the parameter of a setting. Its bounds are checked by its config."""
    about, kind, name = item.metadata, cast("Any", item.type), option_of(item)
    text, metavar, values = about["about"], about["metavar"], get_args(kind)
    if metavar:
        kind = list[str] if isinstance(item.default, tuple) else str
    elif int in (kind, *values):
        metavar = "N"
    elif float in (kind, *values):
        metavar = "X"
    elif len("|".join(values)) > MAX_CHOICES:
        text, metavar = f"{text.removesuffix('.')}: {', '.join(values)}.", "NAME"
    unset = about["unset"] or (None if item.default in (None, False, ()) else item.default)
    names = about["names"] or [f"--{name.replace('_', '-')}"]
    given = option(text, panel, *names, unset=unset, metavar=metavar)
    keyword: Any = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=given, annotation=kind | None)


def is_given(context: typer.Context, option: str) -> bool:
    """Return True if an option is set, on the command line or by a default of the user's own."""
    name = str(next(param.name for param in context.command.params if option in param.opts))
    source, value = context.get_parameter_source(name), context.params[name]
    is_set = value is not None and value is not False and value not in ([], ())
    return is_set and source is not None and source.name != "DEFAULT"


def exclusive(context: typer.Context, *options: str) -> None:
    """Raise ConfigError if more than one of these options is set."""
    given = [f"{it}{describe_source(context, it)}" for it in options if is_given(context, it)]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} contradict each other", hint="give one of them")


def requires(context: typer.Context, needed: str, *options: str) -> None:
    """Raise ConfigError if one of these options is set without the one that it needs."""
    given = [f"{it}{describe_source(context, it)}" for it in options if is_given(context, it)]
    if given and not is_given(context, needed):
        raise ConfigError(f"{given[0]} goes with {needed}", hint=f"add {needed}")


def complete_models(context: typer.Context, _: list[str], incomplete: str) -> list[Any]:
    """Complete the name of a model, or a checkpoint, newest first.

    Typer leaves out what does not begin as what was typed. An empty answer leaves it to the shell,
    which completes names of files.
    """
    own = [path.stem for path in (user_folder() / "models").glob("*.npz")]
    return [*BASES.items(), *own, *map(str, newest_first(CHECKPOINTS, Path()))]


def newest_first(*folders: Path) -> list[Path]:
    """Return the .npz files in these folders, the one last written first."""
    files = [path for folder in folders for path in folder.glob("*.npz") if path.exists()]
    return sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
