"""What the page says of its model, in words."""

import math

from charrnn._version import __version__
from charrnn.models import Model

CELL_NAMES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}

_READS = (
    "A recurrent network reads a text one character at a time and keeps what it needs of it in a "
    "few hundred numbers. "
)
# How it works, for each kind of page.
ABOUT = {
    "text": _READS + "From these it gives every character of its alphabet a probability of coming "
    "next; one is drawn, and read in turn. It knows no words and no rules but those it found in "
    "the text.",
    "lines": _READS + "From these it gives every character of its alphabet a probability of coming "
    "next, the end of the line among them; one is drawn, and read in turn. It knows no rules but "
    "those it found in the list.",
}


# The rest, for a model that has n-grams.
_TABLE = (
    " Beside the network stands a table of the n-grams of the text: what followed the last few "
    "characters, and how often. What the two expect is mixed."
)


def about(model: Model, kind: str) -> str:
    """Return how a model works; kind as of ``page.model``."""
    return ABOUT[kind] + (_TABLE if model.ngram else "")


def lede(model: Model, title: str) -> str:
    """Return what the page is, in a sentence or two."""
    counts = int(model.vocabulary.counts.sum())
    read = f"read {_rounded(counts)} characters" if counts else "learned"
    if model.config.data.lines:
        does = f"{read} of the list “{title}” and makes up new entries for it."
    else:
        does = f"{read} of “{title}” and writes like it, one character at a time."
    if not counts:
        does = does.replace("learned of ", "learned from ")
    return f"A small neural network {does} It runs in this page; nothing is sent anywhere."


def facts(model: Model, *, half: bool) -> list[tuple[str, str]]:
    """Return what there is to know of a model, as terms and facts.

    half   the weights are in half precision
    """
    shape, counts = model.config.model, int(model.vocabulary.counts.sum())
    found = [("Network", _network(model))]
    weights = sum(array.size for array in model.weights.values())
    found.append(("Weights", f"{weights:,}" + (" in half precision" if half else "")))
    if shape.members > 1:
        found.append(("Ensemble", f"{shape.members} networks side by side, and their mean"))
    alphabet = f"{len(model.vocabulary):,} different characters"
    found.append(("Alphabet", alphabet + (f", {counts:,} read in all" if counts else "")))
    loss = model.progress.best_val_loss
    if ngram := model.ngram:
        length = f", up to {ngram.order} characters long" if ngram.order > 1 else ""
        found.append(("N-grams", f"{ngram.entries:,}{length}"))
        loss = math.inf if ngram.val_loss is None else ngram.val_loss
    if math.isfinite(loss):
        found.append(("Loss on held-out text", _loss(loss)))
    if (seconds := model.progress.seconds) >= 1:
        found.append(("Trained for", _duration(seconds)))
    return [*found, ("Made with", f"charrnn {__version__}")]


def _network(model: Model) -> str:
    shape = model.config.model
    layers = f"{shape.layers} layer{'s' if shape.layers > 1 else ''} of {shape.hidden_size} units"
    return f"{CELL_NAMES[shape.cell]}, {layers}"


def _loss(loss: float) -> str:
    return (
        f"{loss:.3f} nats ({loss / math.log(2):.2f} bits) per character: as unsure as between "
        f"{math.exp(loss):.1f} equally likely characters"
    )


def _duration(seconds: float) -> str:
    if seconds < 100:  # noqa: PLR2004
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"  # noqa: PLR2004


def _rounded(number: int) -> str:
    """Return a number with two significant digits: 180,000."""
    digits = max(len(str(number)) - 2, 0)
    return f"{round(number, -digits):,}"
