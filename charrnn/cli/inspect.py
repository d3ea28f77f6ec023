"""``charrnn inspect``: what a checkpoint is, what it learned from, and how its training went."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from charrnn.cli.console import console, count, duration
from charrnn.cli.options import checkpoint_argument, flag, option, requires
from charrnn.cli.texts import newest_checkpoint
from charrnn.config import Config
from charrnn.errors import CheckpointError

MAX_NAMES = 6
NOT_NOTED = "not noted"
LOSSES = ("step", "seconds", "train_loss", "val_loss")


def inspect(
    context: typer.Context,
    checkpoints: list[str] | None = checkpoint_argument("CHECKPOINT", "The checkpoints."),
    *,
    plot: Path | None = option("Draw the losses to an .svg, .pdf or .png file.", metavar="FILE"),
    overwrite: bool = flag("Replace an existing figure.", None, "--overwrite"),
    json: bool = flag("One JSON object; of several checkpoints, one a line.", None, "--json"),
) -> None:
    """Show what a checkpoint is: its size, its text, its settings, its losses, its loss curve.

    charrnn inspect
    charrnn inspect checkpoints/corpus.npz english
    charrnn inspect checkpoints/corpus.npz --json
    """
    from charrnn.cli.outputs import check_output, write_output
    from charrnn.export.figure import figure_format, loss_figure

    requires(context, "--plot", "--overwrite")
    form = "" if plot is None else figure_format(plot)
    paths = checkpoints or [str(newest_checkpoint())]
    check_output(plot, "--plot", "figure", overwrite=overwrite, others=paths)
    described = describe_each(paths)
    if plot is not None:  # first: whoever reads the table may end before its end
        write_output(plot, loss_figure(described, form))
    if json:
        for each in described:
            console.write_json(each)
    else:
        show(described)
    if len(described) < len(paths):
        raise typer.Exit(1)


def describe_each(paths: Sequence[str]) -> list[dict[str, Any]]:
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


def show(described: Sequence[dict[str, Any]]) -> None:
    """Show a table, and the losses: as a chart, or those of one checkpoint as a table."""
    from charrnn.cli.plot import draw_losses
    from charrnn.training.state import LOSS_UNIT

    columns = [facts(each) for each in described]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    rows = [row for row in [*rows, *settings(described)] if any(row[1:])]
    console.table(rows[0], rows[1:])
    chart, history = "", described[0]["history"]
    if console.shows_text:
        chart = draw_losses({each["checkpoint"]: each["history"] for each in described}, sys.stdout)
        console.write(f"{LOSS_UNIT}\n{chart}" if chart else "", styled=True)
    if not chart and len(described) == 1 and history:
        console.write("\n")
        console.table(
            LOSSES, [[format_number(entry[it], ".6g") for it in LOSSES] for entry in history]
        )


def facts(each: dict[str, Any]) -> dict[str, str]:
    """Return the facts of a checkpoint, by name; "" for what it does not record."""
    from charrnn.text.vocabulary import escape
    from charrnn.training.state import LOSS_UNIT

    config, ngrams = Config.from_dict(each["config"]), each["ngrams"]
    piece, start = config.data.piece, each["start"] or NOT_NOTED
    sources = list(map(escape, each["sources"] or []))
    held_out = NOT_NOTED
    if each["held_out"] is not None and each["steps"]:
        held_out = count(each["held_out"], "character")
    more = f" and {len(sources) - MAX_NAMES} more" if len(sources) > MAX_NAMES else ""
    return {
        "checkpoint": each["checkpoint"],
        "learned": f"{piece} by {piece}" if config.data.end else "",
        "model": config.model.shape,
        "parameters": f"{each['parameters']:,}",
        "file": count(each["bytes"], "byte"),
        "holds": "a run to resume" if each["resumable"] else "weights only",
        "vocabulary": count(each["vocab_size"], "character"),
        "trained on": ", ".join(sources[:MAX_NAMES]) + more or NOT_NOTED,
        "text": NOT_NOTED if each["chars"] is None else count(each["chars"], "character"),
        "held out": held_out,
        "sha256": (each["sha256"] or NOT_NOTED)[:12],
        "started from": "random weights" if start == "none" else start,
        "steps": f"{each['steps']:,}",
        "time": duration(each["seconds"]),
        "passes": format_number(each["passes"], ".1f") or NOT_NOTED,
        "losses in": LOSS_UNIT,
        "lowest held-out loss": format_number(each["val_loss"]),
        "bits per character": format_number(each["bits_per_char"]),
        "reached at step": format_number(each["best_step"], ","),
        "n-grams": "{entries:,} of up to {order} characters".format(**ngrams) if ngrams else "",
        "held-out loss with them": format_number(ngrams["val_loss"] if ngrams else None),
        "last training loss": format_number(each["train_loss"]),
    }


def format_number(value: float | None, form: str = ".3f") -> str:
    """Return a number, or nothing for None."""
    return "" if value is None else format(value, form)


def settings(described: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a row of all options of a checkpoint, or a row for each in which several differ."""
    from charrnn.settings import command_options, flatten, option_name
    from charrnn.text.vocabulary import escape

    configs = [Config.from_dict(each["config"]) for each in described]
    if len(configs) == 1:
        return [["options", shlex.join(command_options(configs[0]))]]
    columns = [flatten(config) for config in configs]
    rows = [
        [option_name(name), *(escape(format_number(it[name], "")) for it in columns)]
        for name in columns[0]
    ]
    return [row for row in rows if len({*row[1:]}) > 1]
