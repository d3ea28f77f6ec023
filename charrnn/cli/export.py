"""``charrnn export``: a model as others read it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn.cli.options import newest_checkpoint
from charrnn.errors import CheckpointError, ConfigError
from charrnn.interchange.export import FORMATS, suffix
from charrnn.interchange.export import export as export_model

if TYPE_CHECKING:
    from charrnn.models import Model

    Form = str
else:
    Form = Literal[tuple(FORMATS)]


def export(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(
            metavar="CHECKPOINT", help="The checkpoint. [default: newest in ./checkpoints]"
        ),
    ] = None,
    *,
    to: Annotated[
        Form,
        typer.Option("--to", help="; ".join(f"{name}: {use}" for name, use in FORMATS.items())),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The file to write, or - for stdout. [default: beside the checkpoint]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Export a model for PyTorch, for onnxruntime, for a browser, or to share.

    charrnn export m.npz --to safetensors
    """
    from charrnn.checkpoint.files import replacing
    from charrnn.checkpoint.format import kind_of
    from charrnn.cli import terminal
    from charrnn.models import Model, load

    path = checkpoint or newest_checkpoint()
    loaded = load(path)
    target = output or path.with_suffix(suffix(to))
    if kind_of(target) is not None and (to != "compact" or target.resolve() == path.resolve()):
        raise CheckpointError(f"{target}: is a checkpoint", hint="-o writes elsewhere")
    if str(target) == "-" and terminal.is_terminal(sys.stdout):
        raise ConfigError(
            "an export is not text that a terminal can show", hint="-o FILE, or a pipe"
        )
    if str(target) != "-" and target.exists() and not overwrite:
        raise CheckpointError(
            f"{target}: exists already", hint="--overwrite replaces it, -o writes elsewhere"
        )
    data = export_model(loaded, to)
    if isinstance(loaded, Model) and loaded.ngram is not None:
        terminal.note(_without_ngrams(loaded, to))
    if str(target) == "-":
        terminal.write_bytes(data)
        return
    with replacing(target) as file:
        file.write(data)
    terminal.note(f"written: {target}, {len(data):,} bytes, from {path}")


def _without_ngrams(model: "Model", form: str) -> str:
    """Return what an export that has only the network loses."""
    note = f"note: {form} has the network alone, not the n-grams that it is mixed with"
    if model.ngram is None or model.ngram.val_loss is None:
        return note
    lost = model.progress.best_val_loss - model.ngram.val_loss
    return f"{note}: {lost:.3f} nats per character worse on the held-out text"
