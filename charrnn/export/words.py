"""What a page says of its model, in words."""

import math

from charrnn._version import __version__
from charrnn.models import Model

ABOUT = (
    "A recurrent network reads a text one character at a time and keeps what it needs of it in a "
    "few hundred numbers. From these it gives every character of its alphabet a probability of "
    "coming next; one is drawn, and read in turn. It knows no words and no rules but those it "
    "found in what it read."
)
# A loss above this is that of exploded weights.
MAX_LOSS = 100
CELL_NAMES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def lede(model: Model, title: str) -> str:
    """Return what the page is, in two sentences."""
    count = int(model.vocabulary.counts.sum())
    # Two significant digits: 180,000.
    rounded = round(count, -max(len(str(count)) - 2, 0))
    read = f"read {rounded:,} characters of" if count else "learned from"
    if model.config.data.separator == "\n":
        does = f"{read} the list “{title}” and makes up new entries for it."
    elif model.config.data.end is not None:
        does = f"{read} “{title}” and makes up new pieces for it."
    else:
        does = f"{read} “{title}” and writes like it, one character at a time."
    return f"A small neural network {does} It runs in this page; nothing is sent anywhere."


def facts(model: Model, *, half: bool) -> dict[str, str]:
    """Return the facts of a model, by term.

    half   the weights are in half precision
    """
    shape, count = model.config.model, int(model.vocabulary.counts.sum())
    layers = f"{shape.layers} layer{'s' if shape.layers > 1 else ''} of {shape.hidden_size} units"
    size, precision = sum(a.size for a in model.weights.values()), " in half precision" * half
    found = {
        "Network": f"{CELL_NAMES[shape.cell]}, {layers}, {size:,} weights{precision}",
        "Ensemble": f"{shape.members} networks, and their mean" if shape.members > 1 else "",
        "Alphabet": f"{len(model.vocabulary):,} different characters, {count:,} read in all",
    }
    loss, seconds = model.progress.best_val_loss, model.progress.seconds
    if ngram := model.ngram:
        found["N-grams"] = f"{ngram.entries:,}, up to {ngram.order} characters long"
        loss = math.inf if ngram.val_loss is None else ngram.val_loss
    if loss < MAX_LOSS:
        found["Loss on held-out text"] = (
            f"{loss:.3f} nats ({loss / math.log(2):.2f} bits) per character: as unsure as between "
            f"{math.exp(loss):.1f} equally likely characters"
        )
    found["Trained for"] = f"{seconds / 60:.1f} minutes" if seconds else ""
    found["Made with"] = f"charrnn {__version__}"
    return {term: fact for term, fact in found.items() if fact}
