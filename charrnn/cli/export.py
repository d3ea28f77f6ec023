"""``charrnn export``: a model as others read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn.cli import completions
from charrnn.cli.console import console, count
from charrnn.cli.options import is_given, newest_checkpoint
from charrnn.errors import ConfigError
from charrnn.export import FORMATS, suffix
from charrnn.export import export as export_model

if TYPE_CHECKING:
    from charrnn.cli.output_files import FileKind
    from charrnn.models import Model

    Form = str
else:
    Form = Literal[tuple(FORMATS)]


def export(
    context: typer.Context,
    checkpoint: Annotated[
        Path | None,
        typer.Argument(
            metavar="CHECKPOINT",
            help="The checkpoint. [default: newest in ./checkpoints]",
            autocompletion=completions.models,
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
    title: Annotated[
        str | None,
        typer.Option(
            "--title",
            help="What the text is called, for html. [default: from the checkpoint's name]",
        ),
    ] = None,
    half: Annotated[
        bool,
        typer.Option("--half", help="Weights in half precision, for html: they take half as much."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary object to stdout.")
    ] = False,
) -> None:
    """Export a model for PyTorch, for onnxruntime, for a browser, or to share.

    charrnn export --to html --title "Moby-Dick"
    charrnn export names.npz --to compact -o small.npz
    charrnn export names.npz --to safetensors -o names.safetensors
    """
    from charrnn.checkpoint.files import replacing
    from charrnn.cli.output_files import check_output
    from charrnn.models import Model

    if as_json and str(output) == "-":
        raise ConfigError(
            "the export and the summary cannot both go to stdout", hint="leave --json out, or -o -"
        )
    for option in ("--title", "--half"):
        if to != "html" and is_given(context, option):
            raise ConfigError(f"{option} goes with --to html only, not with {to}")
    path = checkpoint or newest_checkpoint()
    loaded = Model.load(path)
    target = output or path.with_suffix(suffix(to))
    check_output(target, "-o", _file_kind(to), overwrite=overwrite, others=[path])
    if str(target) == "-" and console.shows_text:
        raise ConfigError("an export is not for a terminal", hint="-o FILE, or a pipe")
    page = {"title": title or _title(path), "half": half}
    data = export_model(loaded, to, **(page if to == "html" else {}))
    if to != "html" and loaded.ngram is not None:
        console.note(_without_ngrams(loaded, to))
    if str(target) == "-":
        console.write_bytes(data)
        return
    with replacing(target) as file:
        file.write(data)
    if as_json:
        written = {"checkpoint": str(path), "format": to, "output": str(target), "bytes": len(data)}
        console.write_json(written)
    console.note(f"written: {target}, {count(len(data), 'byte')}, from {path}")


def _file_kind(form: str) -> "FileKind":
    """Return what an export may replace."""
    if form == "compact":
        return "checkpoint"
    return "page" if form == "html" else "weights"


def _without_ngrams(model: "Model", form: str) -> str:
    """Return what an export that has only the network loses."""
    note = f"note: {form} has the network alone, not the n-grams that it is mixed with"
    if model.ngram is None or model.ngram.val_loss is None:
        return note
    lost = model.progress.best_val_loss - model.ngram.val_loss
    return f"{note}: {lost:.3f} nats per character worse on the held-out text"


def _title(path: Path) -> str:
    """Return what a text is called, from the name of its checkpoint: tiny-moby -> Tiny moby."""
    words = path.name.removesuffix(".npz").removesuffix(".compact")
    words = words.replace("-", " ").replace("_", " ").strip() or path.stem
    return words[0].upper() + words[1:]
