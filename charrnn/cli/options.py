"""How commands declare their options, and what is asked about those that were given."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import typer

from charrnn.checkpoint.bases import BASES
from charrnn.cli.app import origin, user_models
from charrnn.config import Settings, option_of
from charrnn.errors import ConfigError

CHECKPOINTS = Path("checkpoints")
NEWEST, WRITTEN = "newest in ./checkpoints", "checkpoints/NAME.npz"

# The panels of a help in their order, and the settings in each; all others are in REST.
PANELS = {
    "When to stop": "time epochs steps patience",
    "Text": "lines separator field encoding normalize val_fraction",
    "Prompt": "",
    "Length": "stop until_sentence",
    "Choice": "temperature top_k top_p min_p charset match contain max_copied no_repeat",
    "Lines": "",
    "Units": "",
    "Output": "",
    "Network": "from_ plain model hidden_size layers networks dropout weight_drop nonlinearity "
    "ngram no_ngram",
    "Optimization": "",
    "Run": "random_seed workers",
}
REST = "Optimization"
# The most columns that choices take in a help; longer ones are put into the option's text.
MAX_CHOICES = 20

# What fits, with what it is; Typer leaves out what does not begin as what was typed.
Items = list[str | tuple[str, str]]
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
    given = None if default in (..., False) else default
    shown = given if unset is None else unset
    text = about if shown is None else f"{about} [default: {shown}]"
    if "min" in settings:
        settings.setdefault("metavar", "N")
    shown_here: Any = {"help": text, "show_default": False, "rich_help_panel": panel}
    return typer.Option(default, *names, **shown_here, **settings)


def flag(about: str, panel: str | None, *names: str, **settings: Any) -> Any:
    """Return an option without a value."""
    return option(about, panel, *names, default=False, **settings)


def argument(name: str, about: str, **settings: Any) -> Any:
    """Return an argument; without a default it must be given."""
    return typer.Argument(metavar=name, help=about, **settings)


def checkpoint_argument(name: str, about: str) -> Any:
    """Return the argument that names a model."""
    text = f"{about} [default: {NEWEST}]"
    return argument(name, text, default=None, autocompletion=complete_models)


def checkpoint_option(panel: str, about: str = "The checkpoint.") -> Any:
    """Return the option that names a model."""
    named, shown = ("-c", "--checkpoint"), {"unset": NEWEST, "metavar": "PATH"}
    return option(about, panel, *named, **shown, autocompletion=complete_models)


def setting_option(config: type[Settings], name: str) -> Any:
    """Return the option of a setting; its value is None if it is not given."""
    item = next(item for item in fields(config) if item.name == name)  # type: ignore[arg-type]
    return _parameter(item).default


def with_settings(*configs: type[Settings]) -> Callable[[Command], Command]:
    """Give a command, as ``**settings``, an option for each setting of these configs.

    They are called like their options, and are None if they are not given.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [it for it in signature.parameters.values() if it.kind is not it.VAR_KEYWORD]
        items = [item for config in configs for item in fields(config)]  # type: ignore[arg-type]
        added = [_parameter(item) for item in items if item.metadata]
        parameters = sorted([*own, *added], key=_rank)
        cast("Any", command).__signature__ = signature.replace(parameters=parameters)
        return command

    return decorate


def _parameter(item: "Field[Any]") -> inspect.Parameter:
    """Return the parameter of a setting. Its bounds are checked by its config."""
    about, name, kind = item.metadata, option_of(item), cast("Any", item.type)
    panel = next((panel for panel, names in PANELS.items() if name in names.split()), REST)
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
    parameter = inspect.Parameter
    return parameter(name, parameter.KEYWORD_ONLY, default=given, annotation=kind | None)


def _rank(parameter: inspect.Parameter) -> tuple[int, int, int]:
    """Return what parameters are sorted by: kind, panel, place there; those of no setting first."""
    panel = getattr(parameter.default, "rich_help_panel", None)
    listed = PANELS.get(str(panel), "").split()
    place = listed.index(parameter.name) if parameter.name in listed else -1
    return parameter.kind, [None, *PANELS].index(panel), place


# What was given


def is_given(context: typer.Context, option: str) -> bool:
    """Return True if an option is set, on the command line or by a default of the user's own."""
    name = str(next(param.name for param in context.command.params if option in param.opts))
    source, value = context.get_parameter_source(name), context.params[name]
    is_set = value is not None and value is not False and value not in ([], ())
    return is_set and source is not None and source.name != "DEFAULT"


def exclusive(context: typer.Context, *options: str) -> None:
    """Raise ConfigError if more than one of these options is set."""
    if len(given := [option for option in options if is_given(context, option)]) > 1:
        named = [f"{option}{origin(context, option)}" for option in given]
        raise ConfigError(f"{' and '.join(named)} contradict each other", hint="give one of them")


def requires(context: typer.Context, needed: str, *options: str) -> None:
    """Raise ConfigError if one of these options is set without the one that it needs."""
    given = [option for option in options if is_given(context, option)]
    if given and not is_given(context, needed):
        named = f"{given[0]}{origin(context, given[0])}"
        raise ConfigError(f"{named} goes with {needed}", hint=f"add {needed}")


# What a shell completes. An empty answer leaves it to the shell, which completes names of files.


def complete_models(_context: typer.Context, _args: list[str], incomplete: str) -> Items:
    """Complete a checkpoint, newest first, or the name of a model."""
    folder = incomplete[: incomplete.rfind("/") + 1]
    if folder:
        return [*list_files(folder, "*.npz"), *list_files(folder, "*/")]
    own = [path.stem for path in user_models().glob("*.npz")]
    files = [*list_files(f"{CHECKPOINTS}/", "*.npz"), *list_files("", "*.npz")]
    return [*BASES.items(), *own, *files]


def complete_starts(context: typer.Context, args: list[str], incomplete: str) -> Items:
    """Complete where a run starts."""
    return [("none", "Random weights"), *complete_models(context, args, incomplete)]


def list_files(folder: str, pattern: str) -> list[str]:
    """Return what fits in a folder, newest first, as one would type it."""
    end = "/" if pattern.endswith("/") else ""
    with suppress(OSError, RuntimeError):  # no such user
        paths = [path for path in Path(folder).expanduser().glob(pattern) if path.exists()]
        paths.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [f"{folder}{path.name}{end}" for path in paths if path.is_dir() == bool(end)]
    return []
