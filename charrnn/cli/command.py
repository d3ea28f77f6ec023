"""A command: where the values of its options come from, and how its help looks.

Help is plain text in sections: to render it in boxes would take longer than all the rest.
"""

import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from charrnn.cli.defaults import Key
    from charrnn.cli.precedence import Settled

MIN_WIDTH, MIN_WIDTH_OF_TYPER = 24, 52

# How Typer shows limits, in brackets of their own or behind the default.
_RANGE = re.compile(r";? *(\d+<=?)?x[<>]=?[^\];]*(?=\])|\[(\d+<=?)?x[<>]=?[^\]]*\]")

# Where a context keeps the defaults that hold, for messages.
_DEFAULTS = "charrnn.defaults"


def help_width() -> int | None:
    """Return how wide help is on a narrow terminal; None: as Typer has it, which is 50 or more."""
    columns = shutil.get_terminal_size().columns
    return max(columns - 2, MIN_WIDTH) if columns < MIN_WIDTH_OF_TYPER else None


def column() -> int:
    """Return how wide the column of names may be: on a narrow terminal, names get a line."""
    return 30 if help_width() is None else 8


@dataclass(frozen=True)
class About:
    """What a docstring says of a command.

    summary    its first paragraph
    examples   command lines
    details    the other paragraphs
    """

    summary: str
    examples: tuple[str, ...]
    details: tuple[str, ...]

    @classmethod
    def of(cls, text: str | None) -> "About":
        """Read a docstring: an example is a line that calls charrnn, in a paragraph of such."""
        paragraphs = [part.splitlines() for part in cleandoc(text or "").split("\n\n")]
        summary, *others = [" ".join(lines) for lines in paragraphs]
        examples = [_is_example(lines) for lines in paragraphs[1:]]
        return cls(
            summary=summary,
            examples=tuple(
                line
                for lines, is_example in zip(paragraphs[1:], examples, strict=True)
                if is_example
                for line in lines
            ),
            details=tuple(
                text for text, is_example in zip(others, examples, strict=True) if not is_example
            ),
        )


def _is_value(following: list[str]) -> bool:
    """Return True unless what follows an option is nothing, another option or a path."""
    return bool(following) and not re.search(r"^-|[/.\\]", following[0])


def _is_example(lines: list[str]) -> bool:
    return all(re.match(r"(charrnn|[a-z]+ .*\| charrnn) ", line) for line in lines)


def write_about(text: str | None, formatter: Any) -> None:  # noqa: ANN401
    """Write what a command is for, and its examples, one a line."""
    about = About.of(text)
    with formatter.indentation():
        formatter.write_paragraph()
        formatter.write_text(about.summary)
        formatter.write_paragraph()
        with formatter.indentation():
            for example in about.examples:
                formatter.write_text(example)
        for details in about.details:
            formatter.write_paragraph()
            formatter.write_text(details)


class Command(TyperCommand):
    """A command with defaults of the user's own, whose help lists the options in sections."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the command line; the environment and a file give what is not on it."""
        args = self._with_values_left_out(args)
        typed, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
        if ctx.resilient_parsing:
            return self._parse_to_complete(ctx, typed, rest)
        if typed.get("help"):
            return super().parse_args(ctx, args)
        from charrnn.cli.defaults import keys_of

        shows = typed.get("show_config")
        own = keys_of(self)
        settable = {key.param.name for key in own.values()}
        typed = {name: value for name, value in typed.items() if name in settable}
        settled = self._settled(ctx, own, typed)
        if shows:
            from charrnn.cli.show_config import show

            show(self, ctx, typed, settled)
            ctx.exit()
        _tell_what_a_checkpoint_keeps(settled)
        ctx.default_map = {name: found.value for name, found in settled.defaults.items()}
        ctx.meta[_DEFAULTS] = settled.defaults
        return super().parse_args(ctx, args)

    def _with_values_left_out(self, args: list[str]) -> list[str]:
        """Add ``all`` behind options whose value may be left out: their metavar is in brackets."""
        optional = {
            name
            for param in self.params
            if (getattr(param, "metavar", None) or "").startswith("[")
            for name in param.opts
            if name.startswith("--")
        }
        words: list[str] = []
        for at, word in enumerate(args):
            words.append(word)
            if word in optional and not _is_value(args[at + 1 : at + 2]):
                words.append("all")
        return words

    def _parse_to_complete(self, ctx: Any, typed: Mapping[str, Any], rest: list[str]) -> list[str]:  # noqa: ANN401
        """Take the words as they are: what can be completed does not depend on their values."""
        for param in self.get_params(ctx):
            ctx.params[param.name], source = param.consume_value(ctx, typed)
            ctx.set_parameter_source(param.name, source)
        ctx.args = rest
        return rest

    def _settled(
        self,
        ctx: Any,  # noqa: ANN401
        own: "dict[str, Key]",
        typed: Mapping[str, Any],
    ) -> "Settled":
        """Return the defaults that hold beside what was typed."""
        from charrnn.cli.defaults import Options, from_environment, from_file
        from charrnn.cli.precedence import settle

        if ctx.parent.params["no_config"]:
            return settle(ctx.info_name, typed)
        options = Options(ctx.info_name, ctx, own, cache(ctx.parent.command.keys))
        environment, warnings = from_environment(options)
        for warning in warnings:
            _tell(f"warning: {warning}")
        return settle(ctx.info_name, typed, environment, from_file(options))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; say of an option at fault where it is set, if nobody typed it."""
        try:
            return super().invoke(ctx)
        except CharRNNError as error:
            from charrnn.cli.defaults import dashed

            words = f"{error} {error.hint or ''}"
            origins = [
                f"{dashed(name)} is set by {default.origin}"
                for name, default in ctx.meta[_DEFAULTS].items()
                if _names(name, words)
            ]
            error.hint = "; ".join([*filter(None, [error.hint]), *origins]) or None
            raise

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write what the command is for, with examples."""
        write_about(self.help, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """Return what stands behind the name of the command, without braces."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the options section by section, in the order in which they are declared."""
        for title, records in self.sections(ctx).items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=column())

    def sections(self, ctx: Any) -> dict[str, list[tuple[str, str]]]:  # noqa: ANN401
        """Return names and descriptions of arguments and options, by the title of the section."""
        found: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is None:
                continue
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            title = getattr(param, "rich_help_panel", None) or kind
            option, about = record
            if kind == "Arguments":
                option, about = option.split()[0], about.replace("[required]", "")
            # "[default: 200; x>=0]" and "<int range>" say what a wrong value would be told
            about = " ".join(_RANGE.sub("", about).split())
            found.setdefault(title, []).append((option.replace(" range>", ">"), about))
        # the unnamed ones last, --help among them
        return {
            title: found[title] for title in sorted(found, key=lambda title: title == "Options")
        }


def _names(name: str, message: str) -> bool:
    """Return True if a message is about an option: it has its name, or begins with its setting."""
    from charrnn.cli.defaults import dashed

    option = dashed(name)
    named = rf"(?<!\S){option}(?![\w-])"
    begins = rf"({option[2:]}|{name})[ :]"
    return bool(re.search(named, message) or re.match(begins, message))


def _tell_what_a_checkpoint_keeps(settled: "Settled") -> None:
    """Name the defaults that are for new runs only."""
    kept = [default.origin for default, rival in settled.aside.values() if rival == "resume"]
    quiet = settled.defaults.get("quiet")
    if kept and not (quiet and quiet.value):
        _tell(f"a resumed run keeps its own settings: {', '.join(kept)} not used")


def _tell(message: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"charrnn: {message}\n")
