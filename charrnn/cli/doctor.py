"""``charrnn doctor``: what may be wrong with a text before it is trained on."""

import os
import sys
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.console import command, console, count, quote, visible
from charrnn.cli.options import argument, exclusive, flag, option, requires
from charrnn.cli.texts import read_stdin_once
from charrnn.errors import ConfigError
from charrnn.text.faults import OPTIONAL, SAFE

if TYPE_CHECKING:
    from charrnn.text.check import Finding

MAX_BLOCKS = 64  # 32 MiB of each file are judged
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
    from charrnn.text.check import check
    from charrnn.text.reading import Reader, list_texts

    files, left_out = list_texts(corpus)
    read_stdin_once(*files)
    if fix:
        _repair(files, encoding, also or [], output)
        return
    texts = [(it, "".join(islice(Reader(encoding).blocks(it), MAX_BLOCKS))) for it in files]
    figures, found = check(texts)
    commands = _commands(corpus, files, encoding, found) if figures["chars"] else {}
    if left_out:
        console.note(left_out)
    if json:
        report = {"files": files, "encoding": encoding, **figures, "repair": None, "train": None}
        findings = [asdict(finding) for finding in found]
        console.write_json({**report, **commands, "findings": findings})
        return
    size = "{chars:,} characters, {distinct:,} distinct, {lines:,} lines, {form}".format(**figures)
    _write("text", f"{files[0] if len(files) == 1 else count(len(files), 'file')}: {size}")
    if all(it.level == "note" for it in found):
        _write("", "no fault found")
    for it in found:
        file = f"{it.file} " if len(files) > 1 else ""
        place = f" ({file}line {it.line:,}: {it.example})" if it.line else ""
        _write(it.level, f"{it.message}{place}")
        options = f"train {it.train}" if it.train else f"doctor {it.repair}"
        _write("", f"→ {it.hint or options}")
    for name, words in commands.items():
        console.write(f"{name:<7}{words}\n")  # one line, to be copied


def _write(label: str, text: str) -> None:
    """Write a line of the report; on a terminal wrapped, with its label in color."""
    from rich.text import Text

    style = {"fault": "red", "note": "cyan"}.get(label, "")
    line = console.wrap(f"{label:<7}{visible(text)}", sys.stdout)
    console.print(Text.assemble((line[:7], style), line[7:]), soft_wrap=True)


def _repair(files: list[str], encoding: str, also: list[str], folder: Path | None) -> None:
    """Write repaired files: one to stdout, or all into a folder, as they are in theirs."""
    from charrnn.checkpoint.files import replacing, write_errors
    from charrnn.text.check import repair
    from charrnn.text.reading import read_text

    if folder is None and len(files) > 1:
        hint = "to write each into a new folder: -o FOLDER"
        raise ConfigError(f"--fix writes one text, and these are {len(files)} files", hint=hint)
    if folder is not None and (folder.exists() or "-" in files):
        raise ConfigError(f"-o {folder}: files go into a new folder, stdin to stdout")
    repaired = [repair(read_text(file, encoding=encoding), also) for file in files]
    if folder is None:
        console.write_bytes(repaired[0][0].encode())
    else:
        paths = [Path(file).parent.resolve() / Path(file).name for file in files]
        above = os.path.commonpath([path.parent for path in paths])
        for path, (text, _) in zip(paths, repaired, strict=True):
            written = folder / path.relative_to(above)
            with write_errors(folder):
                written.parent.mkdir(parents=True, exist_ok=True)
            name = f"{written.name}{'.txt' * (written.suffix in {'.gz', '.xz'})}"
            with replacing(written.with_name(name)) as stream:
                stream.write(text.encode())
        console.note(f"written: {folder}, {count(len(files), 'file')}")
    names = dict.fromkeys(name for _, done in repaired for name in done)
    console.note(f"repaired: {', '.join(names)}" if names else "nothing to repair")


def _commands(
    corpus: list[str], files: list[str], encoding: str, found: "list[Finding]"
) -> dict[str, str]:
    """Return the commands that repair a text, if anything is to be repaired, and train on it."""
    commands = {}
    repairs = [it.name for it in found if it.repair and it.level == "fault"]
    given = [] if encoding == "utf-8" else ["--encoding", encoding]
    if repairs or given:
        also = [word for name in repairs if name in OPTIONAL for word in ("--also", name)]
        words = ["doctor", *corpus, "--fix", *also, *given]
        path = Path("stdin" if corpus[0] == "-" else corpus[0]).resolve()
        suffix = path.suffix if path.suffix in {".csv", ".tsv"} else ".txt"  # which tell --field
        corpus = [f"{path.stem}-fixed{'' if len(files) > 1 else suffix}"]
        into = "-o" if len(files) > 1 else ">"
        commands["repair"] = f"{command(*words)} {into} {quote(corpus[0])}"
    options = [it.train for it in found if it.train]
    return commands | {"train": " ".join([command("train", *corpus), *options])}
