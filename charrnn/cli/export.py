"""``charrnn export``: a model as others read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn.cli import completions
from charrnn.cli.console import console
from charrnn.cli.options import is_given, newest_checkpoint, option
from charrnn.errors import ConfigError
from charrnn.export import FORMATS, suffix
from charrnn.export import export as export_model

if TYPE_CHECKING:
    from charrnn.cli.output_files import FileKind
    from charrnn.models import Model

    Form = str
else:
    Form = Literal[tuple(FORMATS)]

# What an export may replace: else a file of weights.
KINDS: "dict[str, FileKind]" = {"compact": "checkpoint", "html": "page"}


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
    to: Annotated[Form, option("; ".join(f"{name}: {use}" for name, use in FORMATS.items()))],
    output: Annotated[
        Path | None,
        option("The file to write, or - for stdout.", None, "beside the checkpoint",
               "-o", "--output"),
    ] = None,
    title: Annotated[
        str | None,
        option("What the text is called, for html.", None, "from the checkpoint's name"),
    ] = None,
    half: Annotated[
        bool,
        option("Weights in half precision, for html: they take half as much.", None, None,
               "--half"),
    ] = False,
    overwrite: Annotated[
        bool, option("Replace an existing file.", None, None, "--overwrite")
    ] = False,
    as_json: Annotated[
        bool, option("Print a summary object to stdout.", None, None, "--json")
    ] = False,
) -> None:  # fmt: skip
    """Export a model for PyTorch, for onnxruntime, for a browser, or to share.

    charrnn export --to html --title "Moby-Dick"
    charrnn export names.npz --to compact -o small.npz
    charrnn export names.npz --to safetensors -o names.safetensors
    """
    from charrnn.cli.output_files import check_output, write_output
    from charrnn.models import Model

    if as_json and str(output) == "-":
        raise ConfigError(
            "the export and the summary cannot both go to stdout", hint="leave --json out, or -o -"
        )
    for name in ("--title", "--half"):
        if to != "html" and is_given(context, name):
            raise ConfigError(f"{name} goes with --to html only, not with {to}")
    path = checkpoint or newest_checkpoint()
    model = Model.load(path)
    target = output or path.with_suffix(suffix(to))
    check_output(target, "-o", KINDS.get(to, "weights"), overwrite=overwrite, others=[path])
    page = {"title": title or choose_title(path), "half": half}
    data = export_model(model, to, **(page if to == "html" else {}))
    if to != "html" and model.ngram is not None:
        console.note(describe_loss(model, to))
    write_output(target, data, f", from {path}")
    if as_json:
        written = {"checkpoint": str(path), "format": to, "output": str(target), "bytes": len(data)}
        console.write_json(written)


def describe_loss(model: "Model", form: str) -> str:
    """Return what an export that has only the network loses."""
    note = f"note: {form} has the network alone, not the n-grams that it is mixed with"
    if model.ngram is None or model.ngram.val_loss is None:
        return note
    lost = model.progress.best_val_loss - model.ngram.val_loss
    return f"{note}: {lost:.3f} nats per character worse on the held-out text"


def choose_title(path: Path) -> str:
    """Return what a text is called, from the name of its checkpoint: tiny-moby -> Tiny moby."""
    words = path.name.removesuffix(".npz").removesuffix(".compact")
    words = words.replace("-", " ").replace("_", " ").strip() or path.stem
    return words[0].upper() + words[1:]
