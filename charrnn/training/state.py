"""Everything that changes while training, and so everything that a run needs to go on."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from charrnn.config import Config
from charrnn.nn.cell import Array
from charrnn.nn.network import LanguageModel, LayerStates
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids
from charrnn.training.optimizers import Slots, make_slots

History = list[dict[str, float | None]]

# What losses are measured in.
LOSS_UNIT = "nats per character"

# Characters of the text in which the frequencies are counted.
COUNTED_CHARS = 1_000_000


@dataclass(frozen=True)
class Progress:
    """How far a run is, in numbers.

    step, seconds           steps done, and seconds of training
    optimizer_steps         updates of these weights
    best_val_loss           the lowest validation loss
    evaluations_since_best  validations since then
    loss_total, loss_count  sum and number of the losses since the last validation
    rate_scale              factor on the learning rate, halved by each rollback
    decay_since             share of the run at which its final decay began; 1: not yet
    """

    step: int = 0
    seconds: float = 0.0
    optimizer_steps: int = 0
    best_val_loss: float = math.inf
    evaluations_since_best: int = 0
    loss_total: float = 0.0
    loss_count: int = 0
    rate_scale: float = 1.0
    decay_since: float = 1.0


@dataclass
class TrainingState:
    """Everything that changes while networks are trained.

    networks       the latest weights of each network of the ensemble
    slots          what the optimizer keeps for each, flat arrays by name
    progress       how far the run is
    best_weights   flat weights of each with the lowest validation loss; None before the first
    history        one entry for the first step, and one for each validation, or each twentieth of
                   the run without one
    carried        hidden state of each network at the end of the last window, (B, H) arrays, for
                   contiguous streams; else None
    """

    networks: list[LanguageModel]
    slots: list[Slots]
    progress: Progress = Progress()
    best_weights: list[Array] | None = None
    history: History = field(default_factory=list)
    carried: list[LayerStates] | None = None

    @classmethod
    def start(cls, networks: list[LanguageModel], optimizer: str) -> Self:
        """Return the state before the first step of a run from these weights."""
        return cls(networks, [make_slots(optimizer, network.flat) for network in networks])

    @property
    def weights(self) -> list[Array]:
        """The flat weights to keep: the best by validation, else the latest."""
        if self.best_weights is not None:
            return self.best_weights
        return [network.flat for network in self.networks]

    def advance(self, **changes: float) -> None:
        """Set some numbers of the progress."""
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]

    def forget_best(self) -> None:
        """Forget which weights were best, because there is another text to judge them by."""
        self.best_weights = None
        self.advance(best_val_loss=math.inf, evaluations_since_best=0)

    def remember(self, *, with_arrays: bool) -> Callable[[], None]:
        """Return a function that goes back to this state, in place: all arrays stay where they are.

        Time is not turned back, nor is a learning rate that was lowered raised again.

        with_arrays   False if another process copies the arrays
        """
        # Best weights and entries of the history never change: shared.
        progress, best_weights, history = self.progress, self.best_weights, list(self.history)
        copies = [array.copy() for array in self.arrays()] if with_arrays else []

        def restore() -> None:
            for array, copy in zip(self.arrays(), copies, strict=False):
                array[...] = copy
            now = self.progress
            self.progress = replace(progress, seconds=now.seconds, rate_scale=now.rate_scale)
            self.best_weights, self.history = best_weights, list(history)

        return restore

    def arrays(self, *members: int) -> Iterator[Array]:
        """Yield what a step changes of these networks, or of all: weights, slots, carried state."""
        for member in members or range(len(self.networks)):
            yield self.networks[member].flat
            yield from self.slots[member].values()
            for layer in self.carried[member] if self.carried else []:
                yield from layer


def initial_state(config: Config, vocab_size: int, train_ids: Ids | None = None) -> TrainingState:
    """Return the state before the first step, with weights drawn from the random seed.

    train_ids   the text, if the output layers are to begin with how often each character occurs
    """
    frequencies = None
    if train_ids is not None:
        # Every character counts one more than it was seen, so that none is impossible (Laplace).
        counts = np.bincount(train_ids[:COUNTED_CHARS], minlength=vocab_size) + 1
        frequencies = counts / counts.sum()
    networks = [
        LanguageModel(config.model, vocab_size).init(
            generator(config.run.random_seed, Purpose.WEIGHTS, member), frequencies
        )
        for member in range(config.model.members)
    ]
    return TrainingState.start(networks, config.optimizer.name)
