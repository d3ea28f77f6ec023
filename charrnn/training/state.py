"""Everything that changes while training, and so everything that a run needs to go on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from charrnn.config import Config
from charrnn.nn.kernels import Array
from charrnn.nn.network import LanguageModel
from charrnn.nn.stack import LayerStates
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids
from charrnn.training.optimizers import Slots, make_slots

History = list[dict[str, float | None]]

# What losses are measured in.
LOSS_UNIT = "nats per character"

# Characters that tell how often each occurs.
COUNTED_CHARS = 1_000_000


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
    """Everything that changes while networks are trained.

    networks       the latest weights of each network of the ensemble
    slots          what the optimizer keeps for each, flat arrays by name
    progress       how far the run is
    best_weights   flat weights of each with the lowest validation loss; None before the first
    history        one entry for each validation, or each twentieth of the run without one
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

    def arrays(self, member: int) -> Iterator[Array]:
        """Yield all arrays of one network that a step changes: weights, slots, carried state."""
        yield self.networks[member].flat
        yield from self.slots[member].values()
        for layer in self.carried[member] if self.carried else []:
            yield from layer


class Snapshot:
    """A copy of a state to go back to.

    with_arrays   False: numbers only, because another process copies the arrays
    """

    def __init__(self, state: TrainingState, *, with_arrays: bool) -> None:
        # Best weights and entries of the history never change: shared.
        self._progress, self._best = state.progress, state.best_weights
        self._history, members = list(state.history), range(len(state.networks))
        self._arrays = [
            array.copy() for member in members if with_arrays for array in state.arrays(member)
        ]

    def restore(self, state: TrainingState) -> None:
        """Go back, in place: all arrays stay where they are.

        Time is not turned back, nor is a learning rate that was lowered raised again.
        """
        members = range(len(state.networks))
        current = [array for member in members for array in state.arrays(member)]
        for array, copy in zip(current, self._arrays, strict=False):
            array[...] = copy
        now = state.progress
        state.progress = replace(self._progress, seconds=now.seconds, rate_scale=now.rate_scale)
        state.best_weights, state.history = self._best, list(self._history)


def initial_state(config: Config, vocab_size: int, train_ids: Ids | None = None) -> TrainingState:
    """Return the state before the first step, with weights drawn from the random seed.

    train_ids   the text, if the output layers are to begin with how often each character occurs
    """
    frequencies = None if train_ids is None else character_frequencies(train_ids, vocab_size)
    networks = [
        LanguageModel(config.model, vocab_size).init(
            generator(config.run.random_seed, Purpose.WEIGHTS, member), frequencies
        )
        for member in range(config.model.members)
    ]
    return TrainingState.start(networks, config.optimizer.name)


def character_frequencies(ids: Ids, vocab_size: int) -> Array:
    """Return the share of each character in a text, (V,), by its beginning if it is long.

    Every character counts one more than it was seen, so that none is impossible (Laplace).
    """
    counts = np.bincount(ids[:COUNTED_CHARS], minlength=vocab_size) + 1
    shares: Array = counts / counts.sum()
    return shares
