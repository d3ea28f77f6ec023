"""``charrnn export``: a model as others read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from charrnn.cli.console import console
from charrnn.cli.options import checkpoint_argument, flag, is_given, option
from charrnn.cli.texts import model_name, newest_checkpoint
from charrnn.errors import ConfigError
from charrnn.export import FORMATS, suffix
from charrnn.export import export as export_model

if TYPE_CHECKING:
    from charrnn.cli.outputs import FileKind

    Form = str
else:
    Form = Literal[tuple(FORMATS)]

# What an export may replace: else a file of weights.
REPLACED: "dict[str, FileKind]" = {"compact": "checkpoint", "html": "page"}
_TO = f"{'; '.join(f'{name}: {use}' for name, use in FORMATS.items())}."
_OUTPUT = "The file to write, or - for stdout."


def export(
    context: typer.Context,
    checkpoint: Path | None = checkpoint_argument("CHECKPOINT", "The checkpoint."),
    *,
    to: Form = option(_TO, default=..., metavar="FORMAT"),
    output: Path | None = option(
        _OUTPUT, None, "-o", "--output", unset="beside the checkpoint", metavar="FILE"
    ),
    title: str | None = option(
        "What the text is called, for html.", unset="the checkpoint's name", metavar="TEXT"
    ),
    half: bool = flag("Weights in half precision, for html: half the size.", None, "--half"),
    overwrite: bool = flag("Replace an existing file.", None, "--overwrite"),
) -> None:
    """Export a model for PyTorch, for onnxruntime, for a browser, or to share.

    charrnn export --to html --title "Moby-Dick"
    charrnn export names.npz --to compact -o small.npz
    charrnn export names.npz --to safetensors -o names.safetensors
    """
    from charrnn.cli.outputs import check_output, write_output
    from charrnn.models import Model

    for name in ("--title", "--half"):
        if to != "html" and is_given(context, name):
            raise ConfigError(f"{name} goes with --to html only, not with {to}")
    path = checkpoint or newest_checkpoint()
    model = Model.load(path)
    target = output or path.with_name(model_name(path) + suffix(to))
    check_output(target, "-o", REPLACED.get(to, "weights"), overwrite=overwrite, others=[path])
    name = model_name(path).removesuffix(".compact").replace("-", " ").replace("_", " ")
    page = {"title": title or name[:1].upper() + name[1:], "half": half}
    data = export_model(model, to, **(page if to == "html" else {}))
    if to != "html" and model.ngram is not None:
        note = f"note: {to} has the network alone, not the n-grams that it is mixed with"
        if model.ngram.val_loss is not None:
            lost = model.progress.best_val_loss - model.ngram.val_loss
            note += f": {lost:.3f} nats per character worse on the held-out text"
        console.note(note)
    write_output(target, data, f", from {path}")
