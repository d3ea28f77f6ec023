"""``charrnn import``: a model that was trained elsewhere."""

from pathlib import Path

from charrnn.checkpoint.bases import CHECKPOINTS
from charrnn.cli.console import command, console, quote
from charrnn.cli.options import WRITTEN, argument, flag, option
from charrnn.config import Nonlinearity
from charrnn.errors import ConfigError

_WEIGHTS = "What charrnn has exported, or a .safetensors or .npz file with the names of torch.nn."
_VOCAB = "The text it was trained on, or a .json list of its characters, or of characters and ids."


def import_(
    weights: Path = argument("WEIGHTS", _WEIGHTS),
    *,
    vocab: str | None = option(_VOCAB, unset="as stored in the file", metavar="FILE"),
    nonlinearity: Nonlinearity | None = option(
        "Activation of an Elman RNN.", unset="as stored, or tanh"
    ),
    output: Path | None = option(
        "The checkpoint.", None, "-o", "--output", unset=WRITTEN, metavar="FILE"
    ),
    overwrite: bool = flag("Replace an existing checkpoint.", None, "--overwrite"),
) -> None:
    """Turn weights that were trained elsewhere into a checkpoint.

    charrnn import weights.safetensors --vocab corpus.txt
    charrnn import weights.npz --vocab characters.json -o mine.npz
    charrnn import names.safetensors -o again.npz
    """
    from charrnn.checkpoint.files import reserved
    from charrnn.cli.outputs import check_output
    from charrnn.export.import_ import import_weights, read_characters

    if str(output) == "-":
        raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")
    target = output or CHECKPOINTS / f"{weights.stem}.npz"
    check_output(target, "-o", "checkpoint", overwrite=overwrite, others=[weights, vocab])
    characters = None if vocab is None else read_characters(vocab)
    model = import_weights(weights, characters=characters, nonlinearity=nonlinearity or "tanh")
    config = model.config.model
    if nonlinearity not in (None, config.nonlinearity):
        raise ConfigError(
            f"{weights}: --nonlinearity {nonlinearity} does not fit: its weights are those of "
            f"model {config.cell} with {config.nonlinearity}",
            hint="leave --nonlinearity out",
        )
    with reserved(target):
        model.save(target)
    console.note(f"model:  {config.shape}, {len(model.vocabulary)} characters")
    console.note(f"saved:  {quote(target)}")
    console.note(f"sample: {command('sample', '-c', target)}")
