"""The list of commands, and how help looks.

A command's file is imported when the command is called or its help is asked for, so that
``charrnn --help`` and every other command start without it. Help is plain text in sections: to
render it in boxes would take longer than all the rest.
"""

import keyword
import re
import shutil
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

MIN_WIDTH, MIN_WIDTH_OF_TYPER = 24, 52

# How Typer shows limits, in brackets of their own or behind the default.
_RANGE = re.compile(r";? *(\d+<=?)?x[<>]=?[^\];]*(?=\])|\[(\d+<=?)?x[<>]=?[^\]]*\]")

# Each is a function of the same name, with underscores, in a file of that name; import is import_.
COMMANDS = {
    "train": "Learn to write like a text, and save the model.",
    "sample": "Write text in the style of a trained model.",
    "complete": "Say how a text most likely goes on.",
    "suggest": "Answer each line of a pipe with its likeliest continuations.",
    "doctor": "Say what may be wrong with a text before it is trained on.",
    "inspect-vocab": "Show the characters of a model or a text.",
    "score": "Say how likely a text is under a model.",
    "train-classifier": "Learn to tell labelled texts apart.",
    "classify": "Say to which class each line belongs.",
    "export": "Turn a model into PyTorch weights, an ONNX graph or a web page.",
    "models": "List the base models that come with charrnn.",
    "import": "Turn weights that were trained elsewhere into a model.",
}


def help_width() -> int | None:
    """Return how wide help is on a narrow terminal; None: as Typer has it, which is 50 or more."""
    columns = shutil.get_terminal_size().columns
    return max(columns - 2, MIN_WIDTH) if columns < MIN_WIDTH_OF_TYPER else None


def _column() -> int:
    """Return how wide the column of names may be: on a narrow terminal, names get a line."""
    return 30 if help_width() is None else 8


class Commands(TyperGroup):
    """All commands, each loaded when it is needed."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        # Typer looks here for names similar to a mistyped one.
        self.commands: Any = dict.fromkeys(COMMANDS)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        function = getattr(import_module(f"charrnn.cli.{name}"), name)
        settings = {"help_option_names": ["-h", "--help"], "terminal_width": help_width()}
        single.command(cmd_name, cls=Command, context_settings=settings)(function)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write what each is for, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()), col_max=_column())


class Command(TyperCommand):
    """A command whose help lists the options in sections."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """Return what stands behind the name of the command, without braces."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the options section by section, in the order in which they are declared."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is None:
                continue
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            title = getattr(param, "rich_help_panel", None) or kind
            option, about = record
            if kind == "Arguments":
                option, about = option.split()[0], about.replace("[required]", "")
            # "[default: 200; x>=0]" and "<int range>" say what a wrong value would be told
            about = _RANGE.sub("", about).rstrip()
            sections.setdefault(title, []).append((option.replace(" range>", ">"), about))
        # the unnamed ones last, --help among them
        for title in sorted(sections, key=lambda title: title == "Options"):
            with formatter.section(title):
                formatter.write_dl(sections[title], col_max=_column())
