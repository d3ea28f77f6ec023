"""``charrnn inspect``: what a checkpoint is, what it learned from, and how its training went."""

import json
import shlex
import shutil
import string
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import completions
from charrnn.cli.options import newest_checkpoint
from charrnn.errors import CheckpointError

if TYPE_CHECKING:
    from charrnn.cli.chart import Curve
    from charrnn.models.description import Description

CHART_HEIGHT, CHART_WIDTH = 17, 100
COLORS = ("cyan", "magenta", "green", "yellow", "blue", "red")
NOT_NOTED = "not noted"
# What a column of the table takes beside its text.
BORDER = 3
# A wider cell is folded, if that is what it takes to have the next column beside it.
WIDEST = 24
# Files and classes that are named.
MOST_NAMES = 6
# Settings that other rows tell.
SHOWN = {"cell", "hidden_size", "layers", "members", "bidirectional", "lines"}


def inspect(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoints or names of base models. [default: newest in ./checkpoints]",
            autocompletion=completions.models,
        ),
    ] = None,
    *,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the loss curves to an .svg, .pdf or .png file."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing figure.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, or an array for several checkpoints.")
    ] = False,
) -> None:
    """Show what a checkpoint is: its size, its text, its settings, its losses, its loss curve.

    charrnn inspect
    charrnn inspect checkpoints/corpus.npz english
    charrnn inspect checkpoints/corpus.npz --json
    """
    from charrnn.cli import terminal
    from charrnn.cli.output_files import check_output
    from charrnn.export.figure import figure_format

    form = None if plot is None else figure_format(plot)
    paths = checkpoints or [str(newest_checkpoint())]
    check_output(plot, "--plot", "figure", overwrite=overwrite, others=paths)
    described, failed = _described(paths)
    if as_json:
        records = [each.record() for each in described]
        shown = records[0] if len(records) == 1 else records
        terminal.write(json.dumps(shown, ensure_ascii=False, indent=1) + "\n")
    elif terminal.is_terminal(sys.stdout):
        _show(described)
    else:
        _write(described)
    if plot is not None and form is not None:
        _plot(described, plot, form)
    if failed:
        raise typer.Exit(1)


def _described(paths: Sequence[str]) -> "tuple[list[Description], bool]":
    """Return what the checkpoints say, and whether one of several could not be read."""
    from charrnn.cli import terminal
    from charrnn.models.description import describe

    described, error = [], None
    for path in paths:
        try:
            described.append(describe(path))
        except CheckpointError as caught:
            error = caught
            if len(paths) > 1:
                terminal.note(f"left out: {error}")
    if not described and error is not None:
        raise error
    return described, error is not None


def _plot(described: "Sequence[Description]", path: Path, form: str) -> None:
    from charrnn.checkpoint.files import replacing
    from charrnn.cli import terminal
    from charrnn.export.figure import loss_figure

    data = loss_figure(described, form)
    with replacing(path) as file:
        file.write(data)
    terminal.note(f"written: {path}, {len(data):,} bytes")


def _write(described: "Sequence[Description]") -> None:
    """Write tab-separated text: what there is to say, and the losses of a single checkpoint."""
    from charrnn.cli import terminal

    rows = _rows(described)
    terminal.print_table(rows[0], rows[1:])
    if len(described) > 1 or not described[0].history:
        return
    columns = ("step", "seconds", "train_loss", "val_loss")
    lines = [
        ["" if entry[name] is None else f"{entry[name]:.6g}" for name in columns]
        for entry in described[0].history
    ]
    terminal.write("\n")
    terminal.print_table(columns, lines)


def _show(described: "Sequence[Description]") -> None:
    """Show tables that fit the terminal, and the loss curves below."""
    from charrnn.checkpoint.format import LOSS_UNIT
    from charrnn.cli import terminal
    from charrnn.cli.chart import Frame, draw, draws_braille, loss_curves

    width = shutil.get_terminal_size().columns
    plain = not draws_braille()
    letters = string.ascii_letters if len(described) > 1 else ""
    rows = _rows(described, letters)
    for first, last in _fitting(rows, width):
        part = [[row[0], *row[first:last]] for row in rows]
        terminal.print_table(part[0], part[1:])
    if letters:
        curves = _compared(described, letters)
    else:
        trained, held_out = (described[0].curve(name) for name in ("train_loss", "val_loss"))
        curves = loss_curves(trained, held_out, plain=plain)
    frame = Frame(min(width - 1, CHART_WIDTH), CHART_HEIGHT, plain)
    if chart := draw(curves, frame, LOSS_UNIT):
        terminal.print_rows(chart)


def _compared(described: "Sequence[Description]", letters: str) -> "list[Curve]":
    """Return a curve for each checkpoint, marked with its letter."""
    from charrnn.cli.chart import Curve

    curves = []
    for number, (each, letter) in enumerate(zip(described, letters, strict=False)):
        held_out, style = each.curve("val_loss"), COLORS[number % len(COLORS)]
        name = Path(each.checkpoint).stem + ("" if held_out else " (training text)")
        curves.append(Curve(name, held_out or each.curve("train_loss"), letter, style=style))
    return curves


def _fitting(rows: list[list[str]], width: int) -> list[tuple[int, int]]:
    """Return which columns to show together, as ranges, so that each table fits the terminal."""
    sizes = [
        min(max(len(row[column]) for row in rows), WIDEST) + BORDER
        for column in range(len(rows[0]))
    ]
    ranges, first, left = [], 1, width - 1 - sizes[0]
    for column in range(1, len(sizes)):
        if column > first and sizes[column] > left:
            ranges.append((first, column))
            first, left = column, width - 1 - sizes[0]
        left -= sizes[column]
    return [*ranges, (first, len(sizes))]


def _rows(described: "Sequence[Description]", letters: str = "") -> list[list[str]]:
    """Return a table with a column for each checkpoint; rows that say nothing are left out."""
    marks = [f"{letter}  " for letter in letters[: len(described)]]
    marks += [""] * (len(described) - len(marks))
    names = [mark + each.checkpoint for mark, each in zip(marks, described, strict=True)]
    columns = [_facts(each) for each in described]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return [
        ["checkpoint", *names],
        *(row for row in rows if any(row[1:])),
        *_settings(described),
    ]


def _facts(each: "Description") -> dict[str, str]:
    """Return what there is to say of a checkpoint, by name."""
    from charrnn.checkpoint.format import LOSS_UNIT
    from charrnn.cli.chart import clock
    from charrnn.models.runs import NOTHING

    model, origin = each.config.model, each.origin

    best = "" if each.best_step is None else f"{each.best_step:,}"
    start = (origin and origin.start) or NOT_NOTED
    return {
        "learned": "line by line" if each.config.data.lines else "",
        "model": model.shape,
        "parameters": f"{each.parameters:,}",
        "file": f"{each.bytes:,} bytes",
        "holds": "a run to resume" if each.resumable else "weights only",
        "vocabulary": f"{each.vocab_size:,} characters",
        "trained on": (_list(origin.sources) if origin else "") or NOT_NOTED,
        "text": NOT_NOTED if each.chars is None else f"{each.chars:,} characters",
        "held out": _held_out(each),
        "sha256": (each.sha256 or NOT_NOTED)[:12],
        "started from": "random weights" if start == NOTHING else start,
        "steps": f"{each.steps:,}",
        "time": clock(each.seconds, each.seconds),
        "passes": NOT_NOTED if each.passes is None else f"{each.passes:.1f}",
        "losses in": LOSS_UNIT,
        "lowest held-out loss": _figure(each.val_loss),
        "bits per character": _figure(each.bits_per_char),
        "reached at step": best,
        "n-grams": _ngrams(each),
        "held-out loss with them": _figure(each.ngrams["val_loss"] if each.ngrams else None),
        "last training loss": _figure(each.train_loss),
    }


def _ngrams(each: "Description") -> str:
    found = each.ngrams
    return f"{found['entries']:,} of up to {found['order']} characters" if found else ""


def _held_out(each: "Description") -> str:
    if each.origin is None or not each.steps:
        return NOT_NOTED
    return f"{each.origin.held_out:,} characters" if each.origin.held_out else "nothing"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _list(names: Sequence[str]) -> str:
    """Return names in a line, as many as one wants to read."""
    from charrnn.text.vocabulary import escape

    shown = ", ".join(map(escape, names[:MOST_NAMES]))
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


def _settings(described: "Sequence[Description]") -> list[list[str]]:
    """Return a row of all options of a checkpoint, or a row for each in which several differ."""
    from charrnn.settings import command_options, option_name

    if len(described) == 1:
        return [["options", shlex.join(command_options(described[0].config))]]
    columns = [
        {name: value for part in asdict(each.config).values() for name, value in part.items()}
        for each in described
    ]
    names = dict.fromkeys(name for column in columns for name in column if name not in SHOWN)
    rows = [
        [
            option_name(name),
            *("" if (it := column.get(name)) is None else f"{it}" for column in columns),
        ]
        for name in names
    ]
    return [row for row in rows if len({*row[1:]}) > 1]
