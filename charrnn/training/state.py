"""Everything that changes while training, and so everything that a run needs to go on."""

import math
from dataclasses import dataclass, field, replace
from typing import Self

from charrnn.config import OptimizerConfig
from charrnn.nn.cells import Array, State
from charrnn.nn.language_model import LanguageModel
from charrnn.training.optimizers import Slots, make_optimizer

History = list[dict[str, float | None]]


@dataclass(frozen=True)
class Progress:
    """How far a run is, in numbers.

    step, seconds           steps done, and seconds of training
    optimizer_steps         updates of these weights
    best_val_loss           the lowest validation loss
    evaluations_since_best  validations since then
    loss_total, loss_count  sum and number of the losses since the last entry of the history
    rate_scale              factor on the learning rate, halved by each rollback
    """

    step: int = 0
    seconds: float = 0.0
    optimizer_steps: int = 0
    best_val_loss: float = math.inf
    evaluations_since_best: int = 0
    loss_total: float = 0.0
    loss_count: int = 0
    rate_scale: float = 1.0


@dataclass
class TrainingState:
    """Everything that changes while a network is trained.

    network        the latest weights
    slots          the optimizer's memory, flat arrays by name
    progress       how far the run is
    best_weights   the flat weights with the lowest validation loss; None before the first
    history        one entry for each validation, or each twentieth of the run without one
    carried        hidden state (B, H) of each layer at the end of the last window, for contiguous
                   streams; else None
    """

    network: LanguageModel
    slots: Slots
    progress: Progress = Progress()
    best_weights: Array | None = None
    history: History = field(default_factory=list)
    carried: list[State] | None = None

    @classmethod
    def start(cls, network: LanguageModel, optimizer: OptimizerConfig) -> Self:
        """Return the state before the first step of a run from these weights."""
        return cls(network, make_optimizer(optimizer).slots(network.flat))

    def advance(self, **changes: float) -> None:
        """Set some numbers of the progress."""
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]

    def copy(self) -> Self:
        """Return a copy to go back to. Best weights and history entries never change: shared."""
        carried = self.carried and [tuple(part.copy() for part in run) for run in self.carried]
        return replace(
            self,
            network=self.network.on(self.network.flat.copy()),
            slots={name: slot.copy() for name, slot in self.slots.items()},
            history=list(self.history),
            carried=carried,
        )

    def restore(self, earlier: Self) -> None:
        """Go back to an earlier copy, in place: all arrays stay where they are.

        Time is not turned back, nor is a learning rate that was lowered raised again.
        """
        self.network.flat[...] = earlier.network.flat
        for name, slot in self.slots.items():
            slot[...] = earlier.slots[name]
        for run, before in zip(self.carried or [], earlier.carried or [], strict=True):
            for part, value in zip(run, before, strict=True):
                part[...] = value
        now = self.progress
        self.progress = replace(earlier.progress, seconds=now.seconds, rate_scale=now.rate_scale)
        self.best_weights, self.history = earlier.best_weights, list(earlier.history)

    def forget_best(self) -> None:
        """Forget which weights were best, because there is another text to judge them by."""
        self.best_weights = None
        self.advance(best_val_loss=math.inf, evaluations_since_best=0)

    @property
    def weights(self) -> Array:
        """The flat weights to keep: the best by validation, else the latest."""
        return self.network.flat if self.best_weights is None else self.best_weights
