"""``charrnn import``: a model that was trained elsewhere."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.console import console, program
from charrnn.cli.options import CHECKPOINTS, option
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
        option(
            "The text it was trained on, or a .json list of its characters, or of characters and "
            "ids.", None, "as charrnn stored them in the file", metavar="FILE",
        ),
    ] = None,
    nonlinearity: Annotated[
        Nonlinearity | None,
        option("Activation, if it is an Elman RNN.", None,
               "tanh, or as charrnn stored it in the file"),
    ] = None,
    output: Annotated[
        Path | None,
        option("The checkpoint to write.", None, "checkpoints/NAME.npz", "-o", "--output"),
    ] = None,
    overwrite: Annotated[
        bool, option("Replace an existing checkpoint.", None, None, "--overwrite")
    ] = False,
    as_json: Annotated[
        bool, option("Print a summary object to stdout.", None, None, "--json")
    ] = False,
) -> None:  # fmt: skip
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
    model = import_weights(weights, characters=characters, nonlinearity=nonlinearity or "tanh")
    config, size = model.config.model, len(model.vocabulary)
    if nonlinearity not in (None, config.nonlinearity):
        raise ConfigError(
            f"{weights}: --nonlinearity {nonlinearity} does not fit: its weights are those of "
            f"model {config.cell} with {config.nonlinearity}",
            hint="leave --nonlinearity out",
        )
    with reserved(target):
        model.save(target)
    if as_json:
        summary = {
            "checkpoint": str(target),
            "model": config.cell,
            "layers": config.layers,
            "hidden_size": config.hidden_size,
            "vocab_size": size,
            "parameters": sum(array.size for array in model.weights.values()),
        }
        console.write_json(summary)
    path = shlex.quote(str(target))
    console.note(f"model:  {config.shape}, {size} characters")
    console.note(f"saved:  {path}")
    console.note(f"sample: {program()} sample -c {path}")
