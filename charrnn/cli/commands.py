"""The list of commands.

A command's file is imported when the command is called or its help is asked for, so that
``charrnn --help`` and every other command start without it.
"""

import keyword
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from charrnn.cli.command import Command, column, help_width, write_about

if TYPE_CHECKING:
    from charrnn.cli.defaults import Key

# Each is a function of the same name, with underscores, in a file of that name; import is import_.
COMMANDS = {
    "doctor": "Say what may be wrong with a text before it is trained on.",
    "train": "Learn to write like a text, and save the model.",
    "sample": "Write text in the style of a trained model.",
    "complete": "Say how a text most likely goes on.",
    "score": "Say how likely a text is under a model.",
    "inspect": "Show what a checkpoint is, and how its training went.",
    "xray": "Show what surprises a model in a text, and what its units do.",
    "inspect-vocab": "Show the characters of a model or a text.",
    "export": "Turn a model into PyTorch weights, an ONNX graph or a web page.",
    "import": "Turn weights that were trained elsewhere into a model.",
    "models": "List the base models that come with charrnn.",
}


def load(name: str) -> Any:  # noqa: ANN401
    """Import a command."""
    module = name.replace("-", "_") + "_" * keyword.iskeyword(name)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = {"help_option_names": ["-h", "--help"], "terminal_width": help_width()}
    function = getattr(import_module(f"charrnn.cli.{module}"), module)
    single.command(name, cls=Command, context_settings=settings)(function)
    command: Any = typer.main.get_command(single)
    command.params += typer.main.get_command(_shared).params
    return command


_shared = typer.Typer(add_completion=False)


@_shared.command()
def _options_of_every_command(
    *,
    show_config: Annotated[
        bool,
        typer.Option(
            "--show-config",
            expose_value=False,
            help="Show the value of each option and where it is set, and exit.",
        ),
    ] = False,
) -> None:
    """Hold the options of every command; ``Command`` acts on them."""


class Commands(TyperGroup):
    """All commands, each loaded when it is needed."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        # Typer looks here for names similar to a mistyped one.
        self.commands: Any = dict.fromkeys(COMMANDS)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the options before the command."""
        # To see that None is no flag, Typer would load what takes as long as all the rest.
        for param in self.get_params(ctx):
            param.default = param.default or False
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """Import a command."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:  # noqa: ANN401
        """Complete the name of a command, without importing any."""
        commands = [TyperCommand(name, short_help=about) for name, about in COMMANDS.items()]
        ctx.command = TyperGroup(commands=commands, params=self.params)
        return ctx.command.shell_complete(ctx, incomplete)

    def keys(self) -> "dict[str, dict[str, Key]]":
        """Return the options of every command, as the environment and files name them."""
        from charrnn.cli.defaults import keys_of

        return {name: keys_of(load(name)) for name in COMMANDS}

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write what charrnn is for, with examples."""
        write_about(self.help, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write what each is for, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()), col_max=column())
