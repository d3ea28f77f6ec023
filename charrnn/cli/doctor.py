"""``charrnn doctor``: what may be wrong with a text before it is trained on."""

from typing import Annotated

import typer

from charrnn.cli.options import DATA, OUTPUT, option
from charrnn.errors import ConfigError

_SAFE = "bom, line-ends, mojibake, controls, zero-width, normal-form, trailing-space, gutenberg"
_OTHERS = "quotes, dashes, spaces, ligatures, look-alikes, entities"


def doctor(
    corpus: Annotated[
        list[str], typer.Argument(metavar="CORPUS", help="Text files, or - for stdin.")
    ],
    *,
    encoding: Annotated[str, option("Encoding of the files.", DATA)] = "utf-8",
    fix: Annotated[
        bool,
        option(f"Write the repaired text to stdout, as UTF-8. Repairs: {_SAFE}.", OUTPUT, None,
               "--fix"),
    ] = False,
    also: Annotated[
        list[str] | None,
        option(
            f"With --fix: repair this too, which readers see. One of {_OTHERS}; repeatable.",
            OUTPUT,
            metavar="NAME",
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        option("With --fix: leave out this repair; repeatable.", OUTPUT, metavar="NAME"),
    ] = None,
    as_json: Annotated[bool, option("Print one object.", OUTPUT, None, "--json")] = False,
) -> None:  # fmt: skip
    """Say what may be wrong with a text, how to train on it, and what to expect.

    charrnn doctor corpus.txt

    charrnn doctor corpus.txt --fix --also quotes

    cat corpus.txt | charrnn doctor - --json
    """
    if (also or skip) and not fix:
        raise ConfigError("--also and --skip go with --fix", hint="add --fix")
    if fix and as_json:
        raise ConfigError("--fix and --json both write to stdout", hint="give one of them")
    if corpus.count("-") > 1:
        raise ConfigError("stdin can be read only once", hint="give - once")
    if fix:
        _fix(corpus, encoding, also or [], skip or [])
        return
    from charrnn.cli.doctor_report import report

    if not report(corpus, encoding, as_json=as_json):
        raise typer.Exit(1)


def _fix(corpus: list[str], encoding: str, also: list[str], skip: list[str]) -> None:
    """Write the text without its faults, and say on stderr what was done."""
    from charrnn.cli import terminal
    from charrnn.text.doctor.diagnosis import mending
    from charrnn.text.doctor.repairs import REPAIRS, chosen

    with mending(corpus, encoding, chosen(also, skip)) as (pieces, mender):
        for piece in pieces:
            terminal.write_bytes(piece.encode())
    for name in REPAIRS:
        if count := mender.counts.get(name):
            terminal.note(f"{REPAIRS[name].about}: {count:,} ({name})")
    if not mender.counts:
        terminal.note("nothing to repair")
