"""What a checkpoint says about its model: what it is, what it learned from, how training went."""

import math
import os
from dataclasses import asdict
from typing import Any

from charrnn.checkpoint.bases import resolve_path
from charrnn.models.model import Model
from charrnn.training.state import History

NATS_PER_BIT = math.log(2)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a checkpoint says about its model, as an object for JSON.

    path   a file, or the name of a base model

    None stands for what it does not say; losses are in nats per character.

    checkpoint, bytes      path of the file, or name of a base model, and its size
    resumable              whether it holds a training state, or weights only
    parameters             number of weights
    vocab_size             number of characters it knows
    chars, sha256          characters of the text it learned from, and its hash
    config                 all settings
    steps, seconds, passes of training; passes over the text, with fractions
    train_loss             the last mean loss on what it learned from
    val_loss, best_step    the lowest loss on held-out text, and the step after which it was that
    ngrams                 the n-grams the network is mixed with: their order and number, the mean
                           weight of the network, and the loss of the mixture on held-out text
    history                losses during training; see ``TrainingState``
    bits_per_char          the lowest loss on held-out text, in bits
    model, layers, hidden_size, networks   the shape of the network
    sources, held_out      names of the files of the text, and characters held out of it
    start                  what it started from; see ``Origin``

    Raises CheckpointError for a file that cannot be read, is not a checkpoint, or is damaged.
    """
    model = Model.load(path)
    shape, origin, history, ngrams = model.config.model, model.origin, model.history, None
    if model.ngram is not None:
        ngrams = {name: getattr(model.ngram, name) for name in ("order", "entries", "val_loss")}
        ngrams["weight"] = float(model.ngram.weights.mean())
    lowest, passes = model.progress.best_val_loss, None
    val_loss = None if math.isinf(lowest) else lowest
    best = [it["step"] for it in history if it["val_loss"] == lowest]
    if origin is not None and origin.steps_per_pass:
        passes = round(model.progress.step / origin.steps_per_pass, 3)
    train_losses = [it["train_loss"] for it in history if it["train_loss"] is not None]
    return {
        "checkpoint": os.fspath(path),
        "bytes": resolve_path(path).stat().st_size,
        "resumable": bool(model.resume),
        "parameters": sum(array.size for array in model.weights.values()),
        "vocab_size": len(model.vocabulary),
        "chars": int(model.vocabulary.counts.sum()) or None,
        "sha256": model.sha256 or None,
        "config": asdict(model.config),
        "steps": model.progress.step,
        "seconds": round(model.progress.seconds, 3),
        "passes": passes,
        "train_loss": train_losses[-1] if train_losses else None,
        "val_loss": val_loss,
        "ngrams": ngrams,
        "best_step": best[-1] if best else None,
        "history": history,
        "model": shape.cell,
        "layers": shape.layers,
        "hidden_size": shape.hidden_size,
        "networks": shape.members,
        "sources": list(origin.sources) if origin else None,
        "held_out": origin.held_out if origin else None,
        "start": origin.start if origin else None,
        "bits_per_char": None if val_loss is None else val_loss / NATS_PER_BIT,
    }


def loss_curve(history: History, name: str) -> list[tuple[float, float]]:
    """Return seconds of training and the loss there, "train_loss" or "val_loss", if finite."""
    points = ((entry["seconds"], entry[name]) for entry in history)
    return [
        (seconds, loss)
        for seconds, loss in points
        if seconds is not None and loss is not None and math.isfinite(loss)
    ]
