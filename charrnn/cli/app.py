"""The Typer application: the list of commands, and where defaults come from.

A command's file is imported when it is called or its help is shown, so that no command pays for
another. An option that is not on the command line is looked up in CHARRNN_COMMAND_OPTION, then in
the table [command] of the user's own config.toml.
"""

from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from charrnn.cli.console import console
from charrnn.errors import ConfigError

# Commands in the order of the help, each with its panel. The function of a command has its name,
# with underscores, in a file of that name; import is import_.
COMMANDS = {
    "train": "Learn",
    "sample": "Write",
    "complete": "Write",
    "score": "Look",
    "xray": "Look",
    "inspect": "Look",
    "inspect-vocab": "Look",
    "doctor": "Learn",
    "export": "Share",
    "import": "Share",
    "models": "Share",
}
# What the help calls the values that name files, but for texts to read.
PATHS = {"CHECKPOINT", "FILE", "FOLDER", "PATH", "PATH|none", "SOURCE"}
CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class Help:
    """A help on stdout, without types and bounds that say little."""

    def get_params(self, ctx: Any) -> Any:
        """Return the options and arguments; --help itself is in the last panel."""
        params = super().get_params(ctx)  # type: ignore[misc]
        *_, last = dict.fromkeys(param.rich_help_panel for param in params[:-1])
        params[-1].rich_help_panel = last
        for param in params:
            param.show_envvar, param.min, param.max = False, None, None
            if param.param_type_name == "argument":
                param.display_type = lambda _: ""
            elif param.is_flag:
                param.metavar = ""
                param.default = False  # of None, Typer loads pydantic to see that it is not a flag
        return params

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help to stdout."""
        with console.stdout():
            super().format_help(ctx, formatter)  # type: ignore[misc]


class Command(Help, TyperCommand):
    """A command with that help, which ignores no file or model on its command line."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse a command line. Raises ConfigError for an empty name, and for a second model."""
        values, _, given = self.make_parser(ctx).parse_args(args=[*args])
        for param in given if not ctx.resilient_parsing else []:
            name, value = param.opts[0], values[str(param.name)]
            if param.metavar not in PATHS:
                continue
            if param.metavar == "PATH" and not param.multiple and given.count(param) > 1:
                raise ConfigError(f"{name} is given twice", hint="give one of them")
            if "" in (value if isinstance(value, list | tuple) else [value]):
                hint = "name one, or leave it out; is a variable of the shell empty?"
                raise ConfigError(f"{name}: '' names no file", hint=hint)
        return super().parse_args(ctx, args)


class LazyGroup(Help, TyperGroup):
    """Commands that are imported when they are needed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None


@cache
def load_command(name: str) -> Any:  # Typer's classes of commands are private
    """Import a command."""
    module = {"import": "import_"}.get(name, name.replace("-", "_"))
    function = getattr(import_module(f"charrnn.cli.{module}"), module)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    about: Any = {"rich_help_panel": COMMANDS[name], **make_help(function)}
    single.command(name, cls=Command, context_settings=CONTEXT_SETTINGS, **about)(function)
    return typer.main.get_command(single)


def option_names(command: str) -> dict[str, str]:
    """Return the name of the parameter that each option of a command sets."""
    params = load_command(command).params
    return {option: param.name for param in params for option in param.opts}


def make_help(function: Any) -> dict[str, Any]:
    """Return the help of a function: its docstring, whose second paragraph is examples."""
    summary, examples, *more = cleandoc(function.__doc__).split("\n\n")
    about = "\n\n".join(paragraph.replace("\n", " ") for paragraph in (summary, *more))
    return {"help": about, "epilog": indent(examples, " " * 4)}


app = typer.Typer(
    name="charrnn",
    cls=LazyGroup,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={**CONTEXT_SETTINGS, "auto_envvar_prefix": "CHARRNN"},
)


def show_version(value: bool) -> None:
    """Write the version and end."""
    if value:
        from charrnn._version import __version__

        console.write(f"charrnn {__version__}\n")
        raise typer.Exit


def root(
    context: typer.Context,
    *,
    version: Annotated[  # its callback acts
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something goes wrong.")
    ] = False,
) -> None:
    r"""Learn to write like a text, character by character, on a CPU.

    charrnn train corpus.txt --time 60s
    charrnn sample --seed "The " --length 300
    charrnn export --to html -o page.html

    Options can have defaults of your own, in variables like CHARRNN_SAMPLE_TEMPERATURE or in a
    table \[sample] of config.toml, in the folder that 'charrnn models' names.
    """
    from charrnn.checkpoint import bases

    console.debug, console.quiet = debug, False
    bases.FOLDERS[:] = [user_folder() / "models"]
    context.default_map = read_defaults(str(context.invoked_subcommand))


app.callback(**make_help(root))(root)


def user_folder() -> Path:
    """Return the folder of the user's own settings and, in models, models."""
    return Path(typer.get_app_dir("charrnn"))


def read_defaults(command: str) -> dict[str, Any]:
    """Return the defaults of a command from the user's config.toml, by the name of its parameter.

    Raises ConfigError for a file that cannot be read, and for a command or option that is unknown.
    """
    path, hint = user_folder() / "config.toml", "correct the file, or move it away"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint=hint) from error
    import tomllib

    try:
        tables = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}", hint=hint) from error
    for name, table in tables.items():
        if name not in COMMANDS or not isinstance(table, dict):
            hint = f"options stand below the command they are for: {', '.join(COMMANDS)}"
            raise ConfigError(f"{path}: there is no command {name!r}", hint=hint)
    names = option_names(command)
    given = {f"--{name.replace('_', '-')}": it for name, it in tables.get(command, {}).items()}
    if unknown := given.keys() - names.keys():
        hint = f"'charrnn {command} --help' lists the options"
        raise ConfigError(f"{path}: [{command}] has no option {unknown.pop()}", hint=hint)
    return {command: {names[option]: value for option, value in given.items()}}


def describe_source(context: Any, option: str) -> str:
    """Return where an option is set, in brackets; nothing for the command line."""
    param = next(param for param in context.command.params if option in param.opts)
    source = getattr(context.get_parameter_source(param.name), "name", "")
    if source == "ENVIRONMENT":
        variable = param.envvar or f"{context.auto_envvar_prefix}_{param.name}".upper()
        return f" (set by {variable})"
    return f" (set in {user_folder() / 'config.toml'})" if source == "DEFAULT_MAP" else ""
