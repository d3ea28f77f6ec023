"""Everything that changes while training, and so everything that a run needs to go on."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, Self

import numpy as np

from charrnn.config import Config
from charrnn.nn.cells import Array
from charrnn.nn.language_model import Model, ModelState
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids
from charrnn.training.optimizers import Optimizer, make_optimizer

# Characters that tell how often each occurs.
COUNTED = 1_000_000


class Trainable(Protocol):
    """A model as far as its training goes: all its parameters in one flat array.

    shapes   name and shape of each, in the order in which they lie there
    """

    flat: Array
    shapes: dict[str, tuple[int, ...]]

    def on(self, flat: Array) -> Self:
        """Return the same model with its parameters in another array."""
        ...


@dataclass
class RunState:
    """Everything that changes while anything is trained.

    model, optimizer   the latest weights and the optimiser's memory
    step, seconds      how far the run is
    best_weights       the flat weights with the lowest validation loss; None before the first
    best_val_loss      that loss
    stale              validations since then
    history            one entry for each validation, or each twentieth of the run without one
    loss_total, loss_count   of the steps since the last entry
    rate_scale         factor on the learning rate, halved by each rollback
    """

    model: Trainable
    optimizer: Optimizer
    step: int = 0
    seconds: float = 0.0
    best_weights: Array | None = None
    best_val_loss: float = math.inf
    stale: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)
    loss_total: float = 0.0
    loss_count: int = 0
    rate_scale: float = 1.0

    def copy(self) -> Self:
        """Return a copy to go back to. Best weights and history entries never change: shared."""
        return replace(
            self,
            model=self.model.on(self.model.flat.copy()),
            optimizer=self.optimizer.copy(),
            history=list(self.history),
        )

    def restore(self, earlier: Self) -> None:
        """Go back to an earlier copy, in place: all arrays stay where they are."""
        self.model.flat[...] = earlier.model.flat
        self.optimizer.restore(earlier.optimizer)
        for entry in fields(self):
            if entry.name not in ("model", "optimizer", "carried", "seconds", "rate_scale"):
                setattr(self, entry.name, getattr(earlier, entry.name))
        self.history = list(earlier.history)

    def forget_best(self) -> None:
        """Forget which weights were best, because there is another text to judge them by."""
        self.best_weights, self.best_val_loss, self.stale = None, math.inf, 0

    @property
    def weights(self) -> Array:
        """The weights to keep: the best by validation, else the latest."""
        return self.model.flat if self.best_weights is None else self.best_weights


@dataclass
class TrainingState(RunState):
    """Everything that changes while a text is learnt.

    carried   hidden state at the end of the last window, for contiguous streams
    """

    model: Model
    carried: ModelState | None = None

    @classmethod
    def start(cls, config: Config, vocab_size: int, train_ids: Ids | None = None) -> Self:
        """Return the state before the first step, with weights drawn from the random seed.

        train_ids   the text, if the model is to begin with how often each character occurs in it
        """
        model = Model(config.model, vocab_size)
        frequencies = None if train_ids is None else character_frequencies(train_ids, vocab_size)
        model.init(generator(config.run.random_seed, Purpose.WEIGHTS), frequencies)
        return cls(model, make_optimizer(model.flat, config.optimizer))

    def copy(self) -> Self:
        """Return a copy to go back to."""
        return replace(super().copy(), carried=_copied(self.carried))

    def restore(self, earlier: Self) -> None:
        """Go back to an earlier copy, in place."""
        super().restore(earlier)
        for mine, before in zip(self.carried or [], earlier.carried or [], strict=True):
            for part, value in zip(mine, before, strict=True):
                part[...] = value


def character_frequencies(ids: Ids, vocab_size: int) -> Array:
    """Return the share of each character in a text, by its beginning if it is long.

    Every character counts one more than it was seen, so that none is impossible (Laplace).
    """
    counts = np.bincount(ids[:COUNTED], minlength=vocab_size) + 1
    shares: Array = counts / counts.sum()
    return shares


def _copied(state: ModelState | None) -> ModelState | None:
    return None if state is None else [tuple(part.copy() for part in layer) for layer in state]
