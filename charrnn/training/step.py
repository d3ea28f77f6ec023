"""One training step, shared by the processes of a group.

It has three parts, and every process waits for the others after each:

    1. every process computes the gradient of its samples, into a row of its own
    2. every process sums its slice of these rows (reduce_scatter), and the squares of that sum
    3. every process knows the norm now, and updates its slice of the parameters (all_gather)

With one process it is the ordinary training step, and nobody waits.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from charrnn.config import OptimizerConfig
from charrnn.errors import ConfigError
from charrnn.nn.cells import Array, Params
from charrnn.nn.parameters import views
from charrnn.parallel.group import Collectives, Group, shared
from charrnn.training.objective import Objective
from charrnn.training.optimizers import Slots, make_optimizer
from charrnn.training.schedule import clip_by_norm_factor, clip_by_value
from charrnn.training.state import TrainingState

# What may stop being a finite number in a step.
WATCHED = ("the loss", "the gradient", "a weight")


class Trained(NamedTuple):
    """What a step did.

    loss, norm   of the batch; of its gradient before clipping
    rate         learning rate
    synced       False if other machines are elsewhere: the state is that of this machine only
    """

    loss: float
    norm: float
    rate: float
    synced: bool = True


class Share(NamedTuple):
    """What one process works on, and with whom.

    group     the processes that do a step together
    samples   of this process, in the whole batch
    scale     samples of the whole batch for each one of this group's
    grads     its row of the gradients
    params, slots   its slice of the parameters and of what the optimizer remembers
    """

    group: Collectives
    samples: slice
    scale: float
    grads: Params
    params: Array
    slots: Slots


class DataParallelStep:
    """Steps and evaluations of an objective, done by all processes of a group together.

    The arrays of the state move into memory that the group shares, where the state sees what all
    processes did. Starts the group. Raises ConfigError for more processes than a batch has samples.

    notes   what a user may want to know; whoever tells it takes it away
    """

    def __init__(
        self,
        state: TrainingState[Any],
        objective: Objective[Any],
        config: OptimizerConfig,
        group: Group,
    ) -> None:
        if not objective.allows(group.size):
            raise ConfigError(f"{group.size} workers are more than a batch has samples")
        self.objective, self.config, self.group = objective, config, group
        self.notes: list[str] = []
        self.optimizer = make_optimizer(config)
        state.network = state.network.on(shared(group, state.network.flat))
        state.slots = {name: shared(group, slot) for name, slot in state.slots.items()}
        self.flat, self.shapes, self.slots = state.network.flat, state.network.shapes, state.slots
        self.grads = group.array((group.rows, self.flat.size), self.flat.dtype)
        objective.attach(state, group)
        self.carried = [part for run in state.carried or [] for part in run]
        group.start(self)

    def train(self, step: int, optimizer_steps: int, rates: Iterator[float]) -> Trained:
        """Do a training step. Rank 0 only.

        step              number of the batch, from 0
        optimizer_steps   updates of these parameters, this one included
        rates             learning rates of this step and of those to come, as far as they are known

        Raises FloatingPointError if the loss, the gradient or a weight is not finite, and
        WorkerLostError if a process of the group is gone.
        """
        rate = next(rates)
        numbers = self.group.call("train_part", step, optimizer_steps, rate)
        require_finite(first_not_finite(numbers))
        return Trained(numbers[0], numbers[1], rate)

    def collect(self) -> None:
        """Bring what the processes of other machines changed into the state. Rank 0 only.

        The weights are there after every step. Raises WorkerLostError.
        """
        if self.group.scattered:
            self.group.call("collect_part")

    def collect_part(self) -> None:
        """Make all parts of the state known to all."""
        for array in self.in_parts():
            self.group.all_gather(array)

    def in_parts(self) -> list[Array]:
        """Return the arrays of which each process knows its part only."""
        return [*self.slots.values(), *self.carried]

    def spread(self) -> None:
        """Have all processes go on from the state as rank 0 has it. Rank 0 only."""
        if self.group.scattered:
            self.group.call("spread_part")

    def spread_part(self) -> None:
        """Take the state of rank 0."""
        for array in (self.flat, *self.slots.values(), *self.carried):
            self.group.broadcast(array)

    def evaluate(self) -> float:
        """Return the mean loss on what is held out. Rank 0 only. Raises WorkerLostError."""
        total, count = self.group.call("evaluate_part")
        return float(total / count)

    def evaluate_part(self) -> list[float]:
        """Do this process's part of an evaluation; return sum and count of all."""
        return self.group.all_reduce(*self.objective.evaluate())

    def train_part(self, step: int, optimizer_steps: int, rate: float) -> list[float]:
        """Do this process's part of a training step; see ``step_of``."""
        return self.step_of(self._share, step, optimizer_steps, rate)

    def step_of(self, own: Share, step: int, optimizer_steps: int, rate: float) -> list[float]:
        """Do a training step of a group's part of the batch.

        Returns loss, norm of the gradient, and a number that is finite if all weights are.
        """
        group, limits = own.group, self.config
        with np.errstate(over="ignore", invalid="ignore"):  # looked for by ``train``
            loss = self.objective.gradients(own.samples, own.grads, step)
            grad = group.reduce_scatter(self.grads)
            if own.scale != 1:
                loss *= own.scale
                grad *= own.scale
            squares = clipped = float(np.dot(grad, grad))
            if limits.clip_value is not None:
                clip_by_value(grad, limits.clip_value)
                clipped = float(np.dot(grad, grad))
            loss, squares, clipped = group.all_reduce(loss, squares, clipped)
            if math.isfinite(loss) and math.isfinite(squares):
                grad *= clip_by_norm_factor(math.sqrt(clipped), limits.clip_norm)
                self.optimizer.step(
                    own.params, grad, own.slots, learning_rate=rate, steps=optimizer_steps
                )
            group.all_gather(self.flat)
            (weights,) = group.all_reduce(float(np.dot(own.params, own.params)))
        return [loss, math.sqrt(squares), weights]

    @cached_property
    def _share(self) -> Share:
        """What belongs to this process, which knows its rank once the group has started."""
        return self.share(self.group)

    def share(self, group: Collectives, scale: float = 1.0) -> Share:
        """Return what belongs to this process in a group that does steps together."""
        part = group.part(self.flat.size)
        return Share(
            group=group,
            samples=self.objective.samples(self.group),
            scale=scale,
            grads=views(self.grads[self.group.row], self.shapes),
            params=self.flat[part],
            slots={name: slot[part] for name, slot in self.slots.items()},
        )


def first_not_finite(numbers: list[float]) -> int:
    """Return which of what is WATCHED is no longer a finite number, from 1; 0: none."""
    return next((place for place, x in enumerate(numbers, 1) if not math.isfinite(x)), 0)


def require_finite(failed: int) -> None:
    """Raise FloatingPointError for something WATCHED that is no longer finite, counted from 1."""
    if failed:
        raise FloatingPointError(f"{WATCHED[failed - 1]} is no longer a finite number")
