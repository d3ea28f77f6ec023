"""``charrnn inspect``: what a checkpoint is, what it learned from, and how its training went."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import completions
from charrnn.cli.console import console, count, duration
from charrnn.cli.options import newest_checkpoint, option, requires
from charrnn.errors import CheckpointError

if TYPE_CHECKING:
    from charrnn.models.description import Description

COLUMN_WIDTH, NAMES_WIDTH = 26, 26
MAX_NAMES = 6
NOT_NOTED = "not noted"
# Settings that other rows tell.
SHOWN = {"cell", "hidden_size", "layers", "members", "bidirectional", "lines"}


def inspect(
    context: typer.Context,
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoints or names of models. [default: newest in ./checkpoints]",
            autocompletion=completions.models,
        ),
    ] = None,
    *,
    plot: Annotated[
        Path | None,
        option("Draw the loss curves to an .svg, .pdf or .png file.", metavar="FILE"),
    ] = None,
    overwrite: Annotated[
        bool, option("Replace an existing figure.", None, None, "--overwrite")
    ] = False,
    as_json: Annotated[
        bool, option("One JSON object; of several checkpoints, one a line.", None, None, "--json")
    ] = False,
) -> None:
    """Show what a checkpoint is: its size, its text, its settings, its losses, its loss curve.

    charrnn inspect
    charrnn inspect checkpoints/corpus.npz english
    charrnn inspect checkpoints/corpus.npz --json
    """
    from charrnn.cli.output_files import check_output, write_output
    from charrnn.export.figure import figure_format, loss_figure

    requires(context, "--plot", "--overwrite")
    form = "" if plot is None else figure_format(plot)
    paths = checkpoints or [str(newest_checkpoint())]
    check_output(plot, "--plot", "figure", overwrite=overwrite, others=paths)
    described = describe_each(paths)
    if as_json:
        for each in described:
            console.write_json(each.record())
    else:
        show(described)
    if plot is not None:
        write_output(plot, loss_figure(described, form))
    if len(described) < len(paths):
        raise typer.Exit(1)


def describe_each(paths: Sequence[str]) -> "list[Description]":
    """Return what the checkpoints say, without those of several that cannot be read."""
    from charrnn.models.description import describe

    described = []
    for path in paths:
        try:
            described.append(describe(path))
        except CheckpointError as error:
            if path == paths[-1] and not described:
                raise
            console.note(f"left out: {error}")
    return described


def show(described: "Sequence[Description]") -> None:
    """Show tables, as wide as the terminal at most, and the loss curves."""
    columns = [facts(each) for each in described]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    rows = [row for row in [*rows, *settings(described)] if any(row[1:])]
    size = max((console.width - NAMES_WIDTH) // COLUMN_WIDTH, 1)
    size = size if console.shows_text else len(columns)
    for begin in range(1, len(columns) + 1, size):
        part = [[row[0], *row[begin : begin + size]] for row in rows]
        console.table(part[0], part[1:])
    if console.shows_text:
        show_curves(described)
    elif len(described) == 1 and described[0].history:
        names = ("step", "seconds", "train_loss", "val_loss")
        console.write("\n")
        console.table(names, [[figure(entry[name], ".6g") for name in names]
                              for entry in described[0].history])  # fmt: skip


def show_curves(described: "Sequence[Description]") -> None:
    """Draw the losses: of several checkpoints, those on held-out text if they have any."""
    from charrnn.cli import plot
    from charrnn.training.state import LOSS_UNIT

    if len(described) == 1:
        (each,) = described
        curves = plot.loss_curves(each.curve("train_loss"), each.curve("val_loss"))
    else:
        curves = [
            plot.Curve(Path(it.checkpoint).stem, it.curve("val_loss") or it.curve("train_loss"))
            for it in described
        ]
    if drawn := plot.chart(curves, console.width - 1, color=console.colors is not None):
        console.write(f"{LOSS_UNIT}\n{drawn}", styled=True)


def facts(each: "Description") -> dict[str, str]:
    """Return what there is to say of a checkpoint, by name."""
    from charrnn.training.state import LOSS_UNIT

    origin, ngrams = each.origin, each.ngrams
    start = (origin and origin.start) or NOT_NOTED
    return {
        "checkpoint": each.checkpoint,
        "learned": "line by line" if each.config.data.lines else "",
        "model": each.config.model.shape,
        "parameters": count(each.parameters),
        "file": count(each.bytes, "byte"),
        "holds": "a run to resume" if each.resumable else "weights only",
        "vocabulary": count(each.vocab_size, "character"),
        "trained on": (list_names(origin.sources) if origin else "") or NOT_NOTED,
        "text": NOT_NOTED if each.chars is None else count(each.chars, "character"),
        "held out": count(origin.held_out, "character") if origin and each.steps else NOT_NOTED,
        "sha256": (each.sha256 or NOT_NOTED)[:12],
        "started from": "random weights" if start == "none" else start,
        "steps": count(each.steps),
        "time": duration(each.seconds),
        "passes": figure(each.passes, ".1f") or NOT_NOTED,
        "losses in": LOSS_UNIT,
        "lowest held-out loss": figure(each.val_loss),
        "bits per character": figure(each.bits_per_char),
        "reached at step": figure(each.best_step, ","),
        "n-grams": f"{count(ngrams['entries'])} of up to {ngrams['order']} characters"
        if ngrams
        else "",
        "held-out loss with them": figure(ngrams["val_loss"] if ngrams else None),
        "last training loss": figure(each.train_loss),
    }


def figure(value: float | None, form: str = ".3f") -> str:
    """Return a number, or nothing for None."""
    return "" if value is None else format(value, form)


def list_names(names: Sequence[str]) -> str:
    """Return names in a line, as many as one wants to read."""
    from charrnn.text.vocabulary import escape

    shown = ", ".join(map(escape, names[:MAX_NAMES]))
    return shown if len(names) <= MAX_NAMES else f"{shown} and {len(names) - MAX_NAMES} more"


def settings(described: "Sequence[Description]") -> list[list[str]]:
    """Return a row of all options of a checkpoint, or a row for each in which several differ."""
    from charrnn.settings import command_options, flatten, option_name

    if len(described) == 1:
        return [["options", shlex.join(command_options(described[0].config))]]
    columns = [flatten(each.config) for each in described]
    names = dict.fromkeys(name for column in columns for name in column if name not in SHOWN)
    rows = [
        [option_name(name), *(figure(column.get(name), "") for column in columns)] for name in names
    ]
    return [row for row in rows if len({*row[1:]}) > 1]
