"""``charrnn import``: a model that was trained elsewhere."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.console import console, program
from charrnn.cli.options import CHECKPOINTS
from charrnn.config import Nonlinearity
from charrnn.errors import ConfigError


def import_(
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS",
            help="What charrnn has exported, or a .safetensors or .npz file with the names of "
            "torch.nn.",
        ),
    ],
    *,
    vocab: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The text it was trained on, or a .json list of its characters, or of characters "
            "and ids. [default: as charrnn stored them in the file]",
        ),
    ] = None,
    nonlinearity: Annotated[
        Nonlinearity | None,
        typer.Option(
            help="Activation, if it is an Elman RNN. [default: tanh, or as charrnn stored it in "
            "the file]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The checkpoint to write. [default: checkpoints/NAME.npz]"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing checkpoint.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary object to stdout.")
    ] = False,
) -> None:
    """Turn weights that were trained elsewhere into a checkpoint.

    charrnn import weights.safetensors --vocab corpus.txt
    charrnn import weights.npz --vocab characters.json -o mine.npz
    charrnn import names.safetensors -o again.npz
    """
    from charrnn.checkpoint.files import reserved
    from charrnn.cli.output_files import check_output
    from charrnn.export.import_ import import_weights, read_characters

    if str(output) == "-":
        raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")
    target = output or CHECKPOINTS / f"{weights.stem}.npz"
    check_output(target, "-o", "checkpoint", overwrite=overwrite, others=[weights, vocab])
    characters = None if vocab is None else read_characters(vocab)
    checkpoint = import_weights(weights, characters=characters, nonlinearity=nonlinearity or "tanh")
    found = checkpoint.config.model
    if nonlinearity not in (None, found.nonlinearity):
        raise ConfigError(
            f"{weights}: --nonlinearity {nonlinearity} does not fit: its weights are those of "
            f"model {found.cell} with {found.nonlinearity}",
            hint="leave --nonlinearity out",
        )
    with reserved(target):
        checkpoint.save(target)
    model, path = checkpoint.config.model, shlex.quote(str(target))
    shape = model.shape
    if as_json:
        summary = {
            "checkpoint": str(target),
            "model": model.cell,
            "layers": model.layers,
            "hidden_size": model.hidden_size,
            "vocab_size": len(checkpoint.vocabulary),
            "parameters": sum(array.size for array in checkpoint.weights.values()),
        }
        console.write_json(summary)
    console.note(f"model:  {shape}, {len(checkpoint.vocabulary)} characters")
    console.note(f"saved:  {path}")
    console.note(f"sample: {program()} sample -c {path}")
