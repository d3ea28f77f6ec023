"""One training step, shared by the processes of a group.

It has three parts, and every process waits for the others after each:

    1. every process computes the gradient of its samples, into a row of its own
    2. every process sums its slice of these rows (reduce_scatter), and the squares of that sum
    3. every process knows the norm now, and updates its slice of the parameters

With one process it is the ordinary training step, and nobody waits.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from charrnn.config import OptimizerConfig
from charrnn.errors import ConfigError
from charrnn.nn.cells import Array, Params
from charrnn.nn.parameters import views
from charrnn.parallel.group import Group, shared
from charrnn.training.next_character import NextCharacter
from charrnn.training.optimizers import Slots, make_optimizer
from charrnn.training.schedule import clip_by_norm_factor, clip_by_value
from charrnn.training.state import TrainingState

# What may stop being a finite number in a step.
WATCHED = ("the loss", "the gradient", "a weight")


class Share(NamedTuple):
    """What one process works on.

    samples         of this process, in the whole batch
    grads           its row of the gradients
    params, slots   its slice of the parameters and of what the optimizer remembers
    """

    samples: slice
    grads: Params
    params: Array
    slots: Slots


class DataParallelStep:
    """Steps and evaluations of an objective, done by all processes of a group together.

    The arrays of the state move into memory that the group shares, where the state sees what all
    processes did. Starts the group. Raises ConfigError for more processes than a batch has samples.
    """

    def __init__(
        self,
        state: TrainingState,
        objective: NextCharacter,
        config: OptimizerConfig,
        group: Group,
    ) -> None:
        if not objective.allows(group.size):
            raise ConfigError(f"{group.size} workers are more than a batch has samples")
        self.objective, self.config, self.group = objective, config, group
        self.optimizer = make_optimizer(config)
        state.network = state.network.on(shared(group, state.network.flat))
        state.slots = {name: shared(group, slot) for name, slot in state.slots.items()}
        self.flat, self.shapes, self.slots = state.network.flat, state.network.shapes, state.slots
        self.grads = group.array((group.size, self.flat.size), self.flat.dtype)
        objective.attach(state, group)
        group.start(self)

    def train(self, step: int, optimizer_steps: int, rate: float) -> tuple[float, float]:
        """Do a training step; return loss and norm of the gradient before clipping. Rank 0 only.

        step              number of the batch, from 0
        optimizer_steps   updates of these parameters, this one included
        rate              learning rate

        Raises FloatingPointError if the loss, the gradient or a weight is not finite, and
        WorkerLostError if a process of the group is gone.
        """
        numbers: list[float] = self.group.call("train_part", step, optimizer_steps, rate)
        for name, number in zip(WATCHED, numbers, strict=True):
            if not math.isfinite(number):
                raise FloatingPointError(f"{name} is no longer a finite number")
        return numbers[0], numbers[1]

    def evaluate(self) -> float:
        """Return the mean loss on what is held out. Rank 0 only. Raises WorkerLostError."""
        total, count = self.group.call("evaluate_part")
        return float(total / count)

    def evaluate_part(self) -> list[float]:
        """Do this process's part of an evaluation; return sum and count of all."""
        return self.group.all_reduce(*self.objective.evaluate())

    def train_part(self, step: int, optimizer_steps: int, rate: float) -> list[float]:
        """Do this process's part of a training step.

        Returns loss, norm of the gradient, and a number that is finite if all weights are.
        """
        own, group, limits = self._share, self.group, self.config
        with np.errstate(over="ignore", invalid="ignore"):  # looked for by ``train``
            loss = self.objective.gradients(own.samples, own.grads, step)
            grad = group.reduce_scatter(self.grads)
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
            group.barrier()
            (weights,) = group.all_reduce(float(np.dot(own.params, own.params)))
        return [loss, math.sqrt(squares), weights]

    @cached_property
    def _share(self) -> Share:
        """What belongs to this process, which knows its rank once the group has started."""
        part = self.group.part(self.flat.size)
        return Share(
            samples=self.objective.samples(self.group),
            grads=views(self.grads[self.group.rank], self.shapes),
            params=self.flat[part],
            slots={name: slot[part] for name, slot in self.slots.items()},
        )
