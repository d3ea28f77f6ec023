"""What a checkpoint says about its model: what it is, what it learned from, how training went."""

import math
import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

from charrnn.checkpoint.bases import resolve_path
from charrnn.checkpoint.header import Origin
from charrnn.config import Config
from charrnn.models.model import Model
from charrnn.training.state import History

NATS_PER_BIT = math.log(2)


@dataclass(frozen=True)
class Description:
    """What a checkpoint says about its model. None stands for what it does not say.

    checkpoint       path of the file, or name of a base model
    bytes            size of the file
    resumable        whether it holds a training state, or weights only
    parameters       number of weights
    vocab_size       number of characters it knows
    chars            characters of the text it learned from
    sha256           hash of that text
    origin           names of the files, the start of the run and more
    config           all settings
    steps, seconds   of training
    passes           passes over the text, with fractions
    train_loss       the last mean loss on what it learned from, in nats per character
    val_loss         the lowest loss on held-out text, in the same unit
    ngrams           the n-grams the network is mixed with: their order and number, the mean weight
                     of the network, and the loss of the mixture on held-out text
    best_step        the step after which that was measured
    history          losses during training; see ``TrainingState``
    """

    checkpoint: str
    bytes: int
    resumable: bool
    parameters: int
    vocab_size: int
    chars: int | None
    sha256: str | None
    origin: Origin | None
    config: Config
    steps: int
    seconds: float
    passes: float | None
    train_loss: float | None
    val_loss: float | None
    ngrams: dict[str, Any] | None
    best_step: int | None
    history: History

    @property
    def bits_per_char(self) -> float | None:
        """The lowest held-out loss in bits per character."""
        if self.val_loss is None:
            return None
        return self.val_loss / NATS_PER_BIT

    def curve(self, loss: Literal["train_loss", "val_loss"]) -> list[tuple[float, float]]:
        """Return the points of a loss curve: seconds of training, and the loss measured there."""
        pairs = ((entry["seconds"], entry[loss]) for entry in self.history)
        return sorted((at, value) for at, value in pairs if at is not None and value is not None)

    def record(self) -> dict[str, Any]:
        """Return all of it as an object for JSON."""
        origin, model = self.origin, self.config.model
        own = {name: value for name, value in vars(self).items() if name != "origin"}
        return own | {
            "model": model.cell,
            "layers": model.layers,
            "hidden_size": model.hidden_size,
            "networks": model.members,
            "sources": None if origin is None else list(origin.sources),
            "held_out": None if origin is None else origin.held_out,
            "start": None if origin is None else origin.start,
            "seconds": round(self.seconds, 3),
            "passes": self.passes and round(self.passes, 3),
            "bits_per_char": self.bits_per_char,
            "config": asdict(self.config),
        }


def describe(path: str | os.PathLike[str]) -> Description:
    """Return what a checkpoint says about its model.

    path   a file, or the name of a base model

    Raises CheckpointError for a file that cannot be read, is not a checkpoint, or is damaged.
    """
    loaded = Model.load(path)
    progress, history, ngrams = loaded.progress, loaded.history, None
    if loaded.ngram is not None:
        ngrams = {name: getattr(loaded.ngram, name) for name in ("order", "entries", "val_loss")}
        ngrams["weight"] = float(loaded.ngram.weights.mean())
    val_loss = None if math.isinf(progress.best_val_loss) else progress.best_val_loss
    best = [
        entry["step"] for entry in history if val_loss is not None and entry["val_loss"] == val_loss
    ]
    per_pass = loaded.origin.steps_per_pass if loaded.origin else 0
    train_losses = [entry["train_loss"] for entry in history if entry["train_loss"] is not None]
    return Description(
        checkpoint=os.fspath(path),
        bytes=resolve_path(path).stat().st_size,
        resumable=bool(loaded.resume),
        parameters=sum(array.size for array in loaded.weights.values()),
        vocab_size=len(loaded.vocabulary),
        chars=int(loaded.vocabulary.counts.sum()) or None,
        sha256=loaded.sha256 or None,
        origin=loaded.origin,
        config=loaded.config,
        steps=progress.step,
        seconds=progress.seconds,
        passes=progress.step / per_pass if per_pass else None,
        train_loss=train_losses[-1] if train_losses else None,
        val_loss=val_loss,
        ngrams=ngrams,
        best_step=int(best[-1]) if best and best[-1] is not None else None,
        history=history,
    )
