"""``charrnn doctor``: what may be wrong with a text before it is trained on."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.console import command, console, count, quote, visible
from charrnn.cli.options import argument, exclusive, flag, option, requires
from charrnn.errors import ConfigError, DecodingError
from charrnn.text.faults import OPTIONAL, SAFE, TRAIN

if TYPE_CHECKING:
    from charrnn.text.check import Finding

MAX_BLOCKS = 64  # 32 MiB of each file are judged
COMMANDS = ("repair", "train")
Figures = dict[str, int | str]
Rows = Iterator[tuple[str, str]]
_FIX = f"Write the repaired text to stdout, as UTF-8. Repairs: {', '.join(SAFE)}."
_ALSO = f"With --fix: repair this too, which readers see. One of {', '.join(OPTIONAL)}; repeatable."
_FOLDER = "With --fix: a new folder for the repaired files. Needed for more than one."


def doctor(
    context: typer.Context,
    corpus: list[str] = argument("CORPUS", "Text files, folders of them, or - for stdin."),
    *,
    encoding: str = option("Encoding of the files.", default="utf-8", metavar="NAME"),
    fix: bool = flag(_FIX, None, "--fix"),
    also: list[str] | None = option(_ALSO, metavar="NAME"),
    output: Path | None = option(_FOLDER, None, "-o", "--output", metavar="FOLDER"),
    json: bool = flag("Print one object.", None, "--json"),
) -> None:
    """Say what may be wrong with a text, and how to train on it.

    charrnn doctor corpus.txt
    charrnn doctor corpus.txt --fix --also quotes
    cat corpus.txt | charrnn doctor - --json
    """
    requires(context, "--fix", "--also", "--output")
    exclusive(context, "--fix", "--json")
    from charrnn.text.reading import list_texts

    files, left_out = list_texts(corpus)
    if fix:
        _repair(files, encoding, also or [], output)
        return
    figures, found, encoding = _examine(files, encoding)
    commands = _commands(corpus, files, encoding, found) if figures.get("chars") else {}
    if left_out:
        console.note(left_out)
    if json:
        report = {"files": files, "encoding": encoding, **figures, **dict.fromkeys(COMMANDS),
                  **commands, "findings": [asdict(finding) for finding in found]}  # fmt: skip
        console.write_json(report)
    else:
        for label, text in (*_report(files, figures, found), *commands.items()):
            _write(label, text)
    if not figures:
        raise typer.Exit(1)


def _repair(files: list[str], encoding: str, also: list[str], folder: Path | None) -> None:
    """Write repaired files: one to stdout, or all into a folder, as they are in theirs."""
    from charrnn.checkpoint.files import replacing

    if folder is None and len(files) > 1:
        hint = "to write each into a new folder: -o FOLDER"
        raise ConfigError(f"--fix writes one text, and these are {len(files)} files", hint=hint)
    if folder is not None and (folder.exists() or "-" in files):
        raise ConfigError(f"-o {folder}: files go into a new folder, stdin to stdout")
    from charrnn.text.check import repair
    from charrnn.text.reading import read_text

    repaired = [repair(read_text(file, encoding=encoding), also) for file in files]
    paths = [Path(file).parent.resolve() / Path(file).name for file in files]
    above = os.path.commonpath([path.parent for path in paths])
    for path, (text, _) in zip(paths, repaired, strict=True):
        if folder is None:
            console.write_bytes(text.encode())
            continue
        written = folder / path.relative_to(above)
        written.parent.mkdir(parents=True, exist_ok=True)
        is_packed = written.suffix in {".gz", ".xz"}
        with replacing(written.with_name(f"{written.name}{'.txt' * is_packed}")) as stream:
            stream.write(text.encode())
    if folder is not None:
        console.note(f"written: {folder}, {count(len(files), 'file')}")
    names = dict.fromkeys(name for _, done in repaired for name in done)
    console.note(f"repaired: {', '.join(names)}" if names else "nothing to repair")


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

    return "".join(islice(Reader(encoding).blocks(file), MAX_BLOCKS))


def _commands(
    corpus: list[str], files: list[str], encoding: str, found: "list[Finding]"
) -> dict[str, str]:
    """Return the commands that repair a text, if anything is to be repaired, and train on it."""
    commands = {}
    train = [it.hint.removeprefix(TRAIN) for it in found if it.hint.startswith(TRAIN)]
    repairs = [it.name for it in found if it.repair and it.level == "fault"]
    given = [] if encoding == "utf-8" else ["--encoding", encoding]
    if repairs or given:
        also = [word for name in repairs if name in OPTIONAL for word in ("--also", name)]
        words = ["doctor", *corpus, "--fix", *also, *given]
        name = f"{'stdin' if corpus[0] == '-' else Path(corpus[0]).resolve().stem}-fixed"
        corpus = [name if len(files) > 1 else f"{name}.txt"]
        into = "-o" if len(files) > 1 else ">"
        commands["repair"] = f"{command(*words)} {into} {quote(corpus[0])}"
    return commands | {"train": " ".join([command("train", *corpus), *train])}


def _report(files: list[str], figures: Figures, found: "list[Finding]") -> Rows:
    """Yield the lines of the report, but for the commands: label and text."""
    from charrnn.text.vocabulary import escape

    size = "{chars:,} characters, {distinct:,} distinct, {lines:,} lines, {form}"
    size = size.format(**figures) if figures else "cannot be decoded"
    yield "", f"{files[0] if len(files) == 1 else f'{len(files)} files'}: {size}"
    if all(finding.level == "note" for finding in found):
        yield "", "no fault found"
    for it in found:
        file = f"{it.file} " if len(files) > 1 else ""
        place = f"{'first in ' * (it.count > 1)}{file}line {it.line:,}" if it.line else ""
        where = ": ".join(filter(None, (place, escape(it.example))))
        yield it.level, f"{it.message} ({where})" if where else it.message
        if it.repair or it.hint:
            yield " ", f"→ {it.hint or f'{it.repair} repairs it'}"


def _write(label: str, text: str) -> None:
    """Write a line of the report: colored on a terminal, and wrapped but for commands."""
    label = f"{label:<7}" if label else ""
    if not console.shows_text:
        console.write(f"{label}{text}\n")
        return
    from rich.text import Text

    if label.strip() not in COMMANDS:
        width = max(shutil.get_terminal_size().columns - 1, 20) - len(label)
        text = f"\n{' ' * len(label)}".join(textwrap.wrap(text, width, break_on_hyphens=False))
    style = {"fault": "red", "note": "cyan"}.get(label.strip(), "")
    console.print(Text.assemble((label, style), visible(text)), soft_wrap=True)
