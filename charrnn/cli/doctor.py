"""``charrnn doctor``: what may be wrong with a text before it is trained on."""

import shlex
import shutil
import textwrap
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.console import console, program, visible
from charrnn.cli.options import DATA, OUTPUT, exclusive, option, requires
from charrnn.errors import DecodingError
from charrnn.text.repair import OPTIONAL, SAFE, repair

if TYPE_CHECKING:
    from charrnn.text.check import Finding, Text

MAX_PIECES = 64  # 32 MiB of each file are judged


def doctor(
    context: typer.Context,
    corpus: Annotated[
        list[str], typer.Argument(metavar="CORPUS", help="Text files, or - for stdin.")
    ],
    *,
    encoding: Annotated[str, option("Encoding of the files.", DATA)] = "utf-8",
    fix: Annotated[
        bool,
        option(f"Write the repaired text to stdout, as UTF-8. Repairs: {', '.join(SAFE)}.",
               OUTPUT, None, "--fix"),
    ] = False,
    also: Annotated[
        list[str] | None,
        option(f"With --fix: repair this too, which readers see. One of {', '.join(OPTIONAL)}; "
               "repeatable.", OUTPUT, metavar="NAME"),
    ] = None,
    as_json: Annotated[bool, option("Print one object.", OUTPUT, None, "--json")] = False,
) -> None:  # fmt: skip
    """Say what may be wrong with a text, and how to train on it.

    charrnn doctor corpus.txt

    charrnn doctor corpus.txt --fix --also quotes

    cat corpus.txt | charrnn doctor - --json
    """
    requires(context, "--fix", "--also")
    exclusive(context, "--fix", "--json")
    if fix:
        from charrnn.text.reading import read_text

        texts = [repair(read_text(source, encoding=encoding), also or ()) for source in corpus]
        console.write_bytes("".join(fixed for fixed, _ in texts).encode())
        names = dict.fromkeys(name for _, repaired in texts for name in repaired)
        console.note(f"repaired: {', '.join(names)}" if names else "nothing to repair")
        return
    text, found, encoding = _examine(corpus, encoding)
    mend, train, source = _commands(corpus, encoding, found, text)
    if as_json:
        figures = text.describe() if text else {}
        report = {"files": corpus, "encoding": encoding, **figures, "fix": mend, "train": train,
                  "findings": [asdict(finding) for finding in found]}  # fmt: skip
        console.write_json(report)
    else:
        _show(corpus, text, found, shlex.join(source))
        for label, command in (("mend", mend), ("train", train)):
            if command:
                _write(f"{label:<7}", command, wrap=False)
    if text is None:
        raise typer.Exit(1)


def _examine(corpus: list[str], encoding: str) -> "tuple[Text | None, list[Finding], str]":
    """Return the text, None if it cannot be decoded; what is wrong with it; and its encoding."""
    from charrnn.text.check import Finding, Text, check

    found: list[Finding] = []
    files: list[tuple[str, str]] = []
    for source in corpus:
        try:
            files.append((source, _read(source, encoding)))
        except DecodingError as error:
            hint = error.hint or ""
            if error.guess and len(corpus) > 1:
                hint = f"iconv -f {error.guess} -t {encoding} {shlex.quote(source)} > converted.txt"
            found.append(Finding("encoding", "fault", str(error), file=source, hint=hint))
            if error.guess and Path(source).is_file():
                files.append((source, _read(source, error.guess)))
                encoding = error.guess if len(corpus) == 1 else encoding
    if len(files) < len(corpus):
        return None, found, encoding
    text = Text(files)
    return text, found + check(text), encoding


def _read(source: str, encoding: str) -> str:
    from charrnn.text.reading import Reader

    return "".join(islice(Reader(encoding).pieces(source), MAX_PIECES))


def _commands(
    corpus: list[str], encoding: str, found: "list[Finding]", text: "Text | None"
) -> tuple[str | None, str | None, list[str]]:
    """Return commands that repair a text and train on it, or None; and the files to train on."""
    if text is None:
        return None, None, corpus
    repairs = {finding.repair for finding in found if finding.repair}
    given = [] if encoding == "utf-8" else ["--encoding", encoding]
    mend, source = None, corpus
    if repairs or given or Path(corpus[0]).suffix in {".gz", ".xz"}:
        also = [word for name in OPTIONAL if name in repairs for word in ("--also", name)]
        source = ["stdin-fixed.txt" if corpus[0] == "-" else f"{Path(corpus[0]).stem}-fixed.txt"]
        words = shlex.join(["doctor", *corpus, "--fix", *also, *given])
        mend = f"{program()} {words} > {shlex.quote(source[0])}"
    from charrnn.text.form import OF_LINES

    lines = ["--lines"] if text.form in OF_LINES else []
    return mend, f"{program()} {shlex.join(['train', *source, *lines])}", source


def _show(corpus: list[str], text: "Text | None", found: "list[Finding]", source: str) -> None:
    """Write the report, but for the commands that repair and train."""
    from charrnn.text.vocabulary import escape

    size = "{chars:,} characters, {distinct:,} distinct, {lines:,} lines, {form}"
    size = size.format(**text.describe()) if text else "cannot be decoded"
    _write("", f"{', '.join(corpus)}: {size}")
    if all(finding.level == "note" for finding in found):
        _write("", "no fault found")
    for it in found:
        file = f"{it.file} " if len(corpus) > 1 else ""
        place = f"{'first in ' * (it.count > 1)}{file}line {it.line:,}" if it.line else ""
        where = ": ".join(filter(None, (place, escape(it.example))))
        _write(f"{it.level:<7}", f"{it.message} ({where})" if where else it.message)
        step = f"{it.hint}: {it.command} {source}" if it.command else it.hint
        if it.repair:
            step = f"--fix{f' --also {it.repair}' * (it.repair in OPTIONAL)} repairs it"
        if step:
            _write(" " * 7, f"→ {step}")


def _write(label: str, text: str, *, wrap: bool = True) -> None:
    """Write a line of the report: wrapped and colored on a terminal, whole in a pipe."""
    if not console.shows_text:
        console.write(f"{label}{text}\n")
        return
    if wrap:
        width = max(shutil.get_terminal_size().columns - 1, 20) - len(label)
        text = f"\n{' ' * len(label)}".join(textwrap.wrap(text, width, break_on_hyphens=False))
    from rich.text import Text

    style = {"fault  ": "red", "note   ": "cyan"}.get(label, "")
    console.print(Text.assemble((label, style), visible(text)), soft_wrap=True)
