"""Writes docs/man/*.1 from the command line itself: run it after changing an option.

They are kept in the repository, not made when the wheel is built: that needs nothing but hatchling.
"""

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.cli.command import About

FOLDER = Path(__file__).parent.parent / "man"

# What roff would take for something else.
_ESCAPES = {
    "\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq",
}  # fmt: skip

EXIT_STATUS = (
    ("0", "Success."),
    ("1", "An error in a file, its contents or the run."),
    ("2", "An error in the command line, in a CHARRNN_ variable or in config.toml."),
    ("128 + N", "Signal N ended the run: 130 for Ctrl-C."),
)


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    import typer

    from charrnn.cli import app
    from charrnn.cli.command import About
    from charrnn.cli.commands import COMMANDS, load

    program: Any = typer.main.get_command(app)
    root = typer.Context(program, info_name="charrnn", **program.context_settings)
    found = {"charrnn.1": _program_page(program, root, COMMANDS)}
    for name, line in COMMANDS.items():
        command = load(name)
        context = typer.Context(command, info_name=name, parent=root, **command.context_settings)
        about = About.of(command.help)
        synopsis = " ".join([f"charrnn {name}", *command.collect_usage_pieces(context)])
        found[f"charrnn-{name}.1"] = "\n".join([
            *_beginning(f"charrnn-{name}", line),
            *_synopsis(synopsis, f"charrnn {name}"),
            *_description(about),
            *_options(command.sections(context)),
            *_defaults(name),
            *_exit_status(),
            *_see_also(other for other in ["", *COMMANDS] if other != name),
        ]) + "\n"  # fmt: skip
    return found


def _program_page(program: Any, context: Any, commands: dict[str, str]) -> str:  # noqa: ANN401
    from charrnn.cli.command import About

    records = [param.get_help_record(context) for param in program.get_params(context)]
    return "\n".join([
        *_beginning("charrnn", "Write like a text, character by character."),
        *_synopsis("charrnn [OPTIONS] COMMAND [ARGS]...", "charrnn"),
        *_description(About.of(program.help)),
        ".SH COMMANDS",
        *(line for name, about in commands.items()
          for line in (".TP", rf".BR charrnn\-{_plain(name)} (1)", paragraph(about))),
        *_options({"Options": records}),
        *_defaults(None),
        *_exit_status(),
        *_see_also(commands),
    ]) + "\n"  # fmt: skip


def _beginning(name: str, line: str) -> list[str]:
    from charrnn._version import __version__

    about = line[0].lower() + line[1:].rstrip(".")
    return [
        ".nr HY 0",  # no word is broken
        f'.TH {_plain(name.upper())} 1 "" "charrnn {__version__}" "charrnn manual"',
        '.\\" Written by docs/tools/man_pages.py.',
        ".ad l",
        ".SH NAME",
        rf"{_plain(name)} \- {_plain(about)}",
    ]


def _synopsis(usage: str, name: str) -> list[str]:
    words = re.sub(r"[A-Z]{2,}", lambda word: rf"\fI{word[0]}\fR", _plain(usage[len(name) :]))
    return [".SH SYNOPSIS", rf"\fB{_plain(name)}\fR{words}"]


def _description(about: "About") -> list[str]:
    lines = [".SH DESCRIPTION", paragraph(about.summary)]
    for details in about.details:
        lines += [".PP", paragraph(details)]
    return [*lines, ".SH EXAMPLES", ".EX", *map(_plain, about.examples), ".EE"]


def _options(sections: dict[str, list[tuple[str, str]]]) -> list[str]:
    lines = []
    if arguments := sections.get("Arguments"):
        lines += [".SH ARGUMENTS", *_list(arguments)]
    others = {title: records for title, records in sections.items() if title != "Arguments"}
    lines.append(".SH OPTIONS")
    for title, records in others.items():
        if len(others) > 1:
            lines.append(f".SS {_plain('Other' if title == 'Options' else title)}")
        lines += _list(records)
    return lines


def _list(records: list[tuple[str, str]]) -> list[str]:
    return [line for name, about in records for line in (".TP", names(name), paragraph(about))]


def names(record: str) -> str:
    r"""Return names in bold and values in italics: \fB\-n\fR, \fB\-\-length\fR \fIint\fR."""
    return " ".join(
        rf"\fB{_plain(word.rstrip(','))}\fR{',' * word.endswith(',')}" if word.startswith("-")
        else word if word == "/" else rf"\fI{_plain(word.strip('<>'))}\fR"
        for word in record.split()
    )  # fmt: skip


def _defaults(command: str | None) -> list[str]:
    of_command = "COMMAND" if command is None else command.replace("-", "_").upper()
    own, common = f"CHARRNN_{of_command}_OPTION", "CHARRNN_OPTION"
    lines = [
        ".SH ENVIRONMENT",
        ".TP",
        rf"\fB{own}\fR, \fB{common}\fR",
        paragraph(
            "The value of an option that is not on the command line, as in "
            "CHARRNN_SAMPLE_TEMPERATURE, or for every command that has the option, as in "
            "CHARRNN_TEMPERATURE. A repeatable option has one value a line."
        ),
        ".TP",
        r"\fBNO_COLOR\fR, \fBTERM\fR",
        paragraph("No color if NO_COLOR is set or TERM is dumb."),
        ".SH FILES",
        ".TP",
        r"\fB~/.config/charrnn/config.toml\fR",
        paragraph(
            "Options that are set nowhere else, in a table for each command, or above the tables "
            "for all. Nothing is read from the working directory."
        ),
    ]
    shown = "charrnn COMMAND" if command is None else f"charrnn {command}"
    return [
        *lines,
        ".PP",
        paragraph(f"'{shown} --show-config' shows what holds, and where it is set."),
    ]


def _exit_status() -> list[str]:
    rows = [
        line for code, about in EXIT_STATUS for line in (".TP", rf"\fB{code}\fR", paragraph(about))
    ]
    return [".SH EXIT STATUS", *rows]


def _see_also(commands: Iterable[str]) -> list[str]:
    pages = ["charrnn" + f"-{command}" * bool(command) for command in commands]
    listed = [f".BR {_plain(name)} (1)" for name in pages]
    return [".SH SEE ALSO", *(f"{line} ," for line in listed[:-1]), listed[-1]]


def _plain(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)


def paragraph(text: str) -> str:
    """Return text in short lines that roff takes for nothing else."""
    lines = map(_plain, textwrap.wrap(text, 72, break_long_words=False, break_on_hyphens=False))
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in lines)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for path in FOLDER.glob("*.1"):
        if path.name not in written:
            path.unlink()
    for name, page in written.items():
        (FOLDER / name).write_text(page, encoding="utf-8")
