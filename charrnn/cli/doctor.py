"""``charrnn doctor``: what may be wrong with a text before it is trained on."""

import os
import shlex
import shutil
import textwrap
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.console import console, count, program, visible
from charrnn.cli.options import argument, exclusive, flag, option, requires
from charrnn.errors import ConfigError, DecodingError
from charrnn.text.faults import OPTIONAL, SAFE, repair

if TYPE_CHECKING:
    from charrnn.text.check import Finding

MAX_PIECES = 64  # 32 MiB of each file are judged
Figures = dict[str, int | str]
_FIX = f"Write the repaired text to stdout, as UTF-8. Repairs: {', '.join(SAFE)}."
_ALSO = f"With --fix: repair this too, which readers see. One of {', '.join(OPTIONAL)}; repeatable."
_FOLDER = "With --fix: a new folder for the repaired files. Needed for more than one."


def doctor(
    context: typer.Context,
    corpus: list[str] = argument("CORPUS", "Text files, folders of them, or - for stdin."),
    *,
    encoding: str = option("Encoding of the files.", "Text", default="utf-8"),
    fix: bool = flag(_FIX, "Output", "--fix"),
    also: list[str] | None = option(_ALSO, "Output", metavar="NAME"),
    output: Path | None = option(_FOLDER, "Output", "-o", "--output", metavar="FOLDER"),
    as_json: bool = flag("Print one object.", "Output", "--json"),
) -> None:
    """Say what may be wrong with a text, and how to train on it.

    charrnn doctor corpus.txt

    charrnn doctor corpus.txt --fix --also quotes

    cat corpus.txt | charrnn doctor - --json
    """
    requires(context, "--fix", "--also", "--output")
    exclusive(context, "--fix", "--json")
    from charrnn.text.reading import list_texts

    files, others = list_texts(corpus)
    if fix:
        _repair(files, encoding, also or [], output)
        return
    figures, found, encoding = _examine(files, encoding)
    fixed, train = _commands(corpus, files, encoding, found, figures)
    if others:
        left_out = count(len(others), "file")
        console.note(f"{left_out} left out, not a text: {others[0]}")
    if as_json:
        report = {"files": files, "encoding": encoding, **figures, "fix": fixed, "train": train,
                  "findings": [asdict(finding) for finding in found]}  # fmt: skip
        console.write_json(report)
    else:
        _show(files, figures, found)
        for label, command in (("repair", fixed), ("train", train)):
            if command:
                _write(f"{label:<7}", command, wrap=False)
    if not figures:
        raise typer.Exit(1)


def _repair(files: list[str], encoding: str, also: list[str], folder: Path | None) -> None:
    """Write repaired files: one to stdout, or all into a folder, as they are in theirs."""
    from charrnn.checkpoint.files import replacing

    if folder is None and len(files) > 1:
        raise ConfigError(
            f"--fix writes one text, and these are {len(files)} files",
            hint="to write each into a new folder: -o FOLDER",
        )
    if folder is not None and (folder.exists() or "-" in files):
        raise ConfigError(f"-o {folder}: files go into a new folder, stdin to stdout")
    from charrnn.text.reading import read_text

    repaired = [repair(read_text(file, encoding=encoding), also) for file in files]
    places = [Path(file).parent.resolve() / Path(file).name for file in files]
    above = os.path.commonpath([place.parent for place in places])
    for place, (text, _) in zip(places, repaired, strict=True):
        if folder is None:
            console.write_bytes(text.encode())
            continue
        path = folder / place.relative_to(above)
        path.parent.mkdir(parents=True, exist_ok=True)
        unpacked = f"{path.name}{'.txt' * (path.suffix in {'.gz', '.xz'})}"
        with replacing(path.with_name(unpacked)) as stream:
            stream.write(text.encode())
    names = ", ".join(dict.fromkeys(name for _, done in repaired for name in done))
    written = "" if folder is None else f"written: {folder}, {count(len(files), 'file')}; "
    console.note(f"{written}repaired: {names}" if names else f"{written}nothing to repair")


def _examine(files: list[str], encoding: str) -> "tuple[Figures, list[Finding], str]":
    """Return the text in figures, {} if it cannot be decoded; what is wrong; and its encoding."""
    from charrnn.text.check import Finding, check

    found: list[Finding] = []
    texts: list[tuple[str, str]] = []
    for file in files:
        try:
            texts.append((file, _read(file, encoding)))
        except DecodingError as error:
            found.append(Finding("encoding", "fault", str(error), file=file, hint=error.hint or ""))
            if error.guess and len(files) == 1 and Path(file).is_file():
                encoding = error.guess
                texts.append((file, _read(file, encoding)))
    if len(texts) < len(files):
        return {}, found, encoding
    figures, others = check(texts)
    return figures, found + others, encoding


def _read(file: str, encoding: str) -> str:
    from charrnn.text.reading import Reader

    return "".join(islice(Reader(encoding).blocks(file), MAX_PIECES))


def _commands(
    corpus: list[str], files: list[str], encoding: str, found: "list[Finding]", figures: Figures
) -> tuple[str | None, str | None]:
    """Return the commands that repair a text and train on it; None if there is nothing to do."""
    from charrnn.text.form import OF_LINES

    if not figures or not figures["chars"]:
        return None, None
    repairs = {it.name for it in found if it.repair and it.level == "fault"}
    given = [] if encoding == "utf-8" else ["--encoding", encoding]
    fixed = None
    if repairs or given:
        also = [word for name in OPTIONAL if name in repairs for word in ("--also", name)]
        words = ["doctor", *corpus, "--fix", *also, *given]
        name = f"{'stdin' if corpus[0] == '-' else Path(corpus[0]).resolve().stem}-fixed"
        if len(files) > 1:
            fixed = f"{program()} {shlex.join([*words, '-o', name])}"
        else:
            name += ".txt"
            fixed = f"{program()} {shlex.join(words)} > {shlex.quote(name)}"
        corpus = [name]
    lines = ["--lines"] if figures["form"] in OF_LINES else []
    return fixed, f"{program()} {shlex.join(['train', *corpus, *lines])}"


def _show(files: list[str], figures: Figures, found: "list[Finding]") -> None:
    """Write the report, but for the commands that repair and train."""
    from charrnn.text.vocabulary import escape

    size = "{chars:,} characters, {distinct:,} distinct, {lines:,} lines, {form}"
    size = size.format(**figures) if figures else "cannot be decoded"
    name = files[0] if len(files) == 1 else f"{len(files)} files"
    _write("", f"{name}: {size}")
    if all(finding.level == "note" for finding in found):
        _write("", "no fault found")
    for it in found:
        file = f"{it.file} " if len(files) > 1 else ""
        place = f"{'first in ' * (it.count > 1)}{file}line {it.line:,}" if it.line else ""
        where = ": ".join(filter(None, (place, escape(it.example))))
        _write(f"{it.level:<7}", f"{it.message} ({where})" if where else it.message)
        if it.repair or it.hint:
            _write(" " * 7, f"→ {it.hint or f'{it.repair} repairs it'}")


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
