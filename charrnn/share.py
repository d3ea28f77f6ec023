"""One process's share of a training step: some samples of the batch, a slice of the parameters.

A step has three parts, with a barrier behind each:

    1. every process computes the gradient of its samples, into a row of its own
    2. every process sums its slice of these rows, and the squares of that sum
    3. every process knows the norm now, and updates its slice of the parameters

With one process it is the ordinary training step, and the barriers do nothing.
"""

import math
from dataclasses import dataclass

import numpy as np

from charrnn.cells import Array, Params
from charrnn.config import Config
from charrnn.model import Model, views
from charrnn.optimizers import Optimizer, clip_by_norm_factor, clip_by_value, make_optimizer
from charrnn.randomness import Purpose, generator
from charrnn.state import TrainingState
from charrnn.windows import Batches, Streams
from charrnn.workers import Group


class Share:
    """What a process needs for its share of every step. Made once, before the group starts.

    The arrays of the state move into memory that the group shares; the state then sees there what
    all processes did.
    """

    def __init__(
        self, state: TrainingState, config: Config, batches: Batches, group: Group
    ) -> None:
        self.config, self.batches, self.group = config, batches, group
        self._move(state)
        self.model = state.model
        size, ranks = self.model.size, group.size
        self.grads = group.array((ranks, size), self.model.flat.dtype)
        # Of each process: loss of its samples; square sums of its slice of the gradient, before and
        # after clipping by value, and of the weights.
        self.totals = group.array((ranks, 4), np.float64)
        # What the first process tells the others: step, optimiser steps, learning rate.
        self.orders = group.array((3,), np.float64)
        self.workspaces = self.model.workspaces()
        self._slots = state.optimizer.slots
        self._carried = state.carried
        self._mine: _Mine | None = None
        group.start(self._step)

    def _move(self, state: TrainingState) -> None:
        """Put the arrays of the state into shared memory."""
        group, old = self.group, state.model
        model = Model(old.config, old.vocab_size, group.array(old.flat.shape, old.flat.dtype))
        model.flat[...] = old.flat
        state.model = model
        for name, slot in state.optimizer.slots.items():
            state.optimizer.slots[name] = self._shared(slot)
        if isinstance(self.batches, Streams):
            before = state.carried or model.zero_state(self.config.data.batch_size)
            state.carried = [tuple(map(self._shared, layer)) for layer in before]
        else:
            state.carried = None

    def _shared(self, array: Array) -> Array:
        shared = self.group.array(array.shape, array.dtype)
        shared[...] = array
        return shared

    def lead_step(self, step: int, optimizer_steps: int, rate: float) -> tuple[float, float]:
        """Do a step with the whole group; for the first process only.

        Returns loss and gradient norm before clipping. Raises FloatingPointError if one of them, or
        a weight, is not finite, and WorkerLostError if a process of the group is gone.
        """
        self.orders[:] = step, optimizer_steps, rate
        self.group.begin()
        self._step()
        loss, norm, _ = self._sums()
        _require_finite(loss, "the loss")
        _require_finite(norm, "the gradient")
        _require_finite(float(self.totals[:, 3].sum()), "a weight")
        return loss, norm

    def _step(self) -> None:
        """Do this process's share of a step. Every process makes the same decisions."""
        mine = self._mine = self._mine or _Mine.of(self)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for by lead_step
            self._gradients(mine, int(self.orders[0]))
            self.group.barrier()
            self._reduce(mine)
            self.group.barrier()
            loss, norm, clipped = self._sums()
            if math.isfinite(loss) and math.isfinite(norm):
                mine.grad *= clip_by_norm_factor(clipped, self.config.optimizer.clip_norm)
                mine.optimizer.steps = int(self.orders[1])
                mine.optimizer.step(mine.params, mine.grad, self.orders[2])
            self.totals[self.group.rank, 3] = np.dot(mine.params, mine.params)
            self.group.barrier()

    def _gradients(self, mine: "_Mine", step: int) -> None:
        """Compute the gradient of this process's samples, and carry their state on."""
        batch, seed, group = self.batches.at(step), self.config.run.random_seed, self.group
        inputs, targets = batch.inputs[:, mine.samples], batch.targets[:, mine.samples]
        state = self.model.zero_state(inputs.shape[1])
        if self._carried is not None and not batch.fresh:
            state = [tuple(part[mine.samples] for part in layer) for layer in self._carried]
        self.totals[group.rank, 0], _, state = self.model.loss_and_gradients(
            inputs,
            targets,
            state,
            dropout_rng=generator(seed, Purpose.DROPOUT, step * group.size + group.rank),
            workspaces=self.workspaces,
            grads=mine.grads,
            count=batch.targets.size,
        )
        for carried, layer in zip(self._carried or [], state, strict=False):
            for part, value in zip(carried, layer, strict=True):
                part[mine.samples] = value

    def _reduce(self, mine: "_Mine") -> None:
        """Sum this process's slice of all gradients, clip it by value, and note its squares."""
        for row in range(1, self.group.size):
            mine.grad += self.grads[row, mine.slice]
        totals = self.totals[self.group.rank]
        totals[1] = np.dot(mine.grad, mine.grad)
        clip_by_value(mine.grad, self.config.optimizer.clip_value)
        totals[2] = np.dot(mine.grad, mine.grad)

    def _sums(self) -> tuple[float, float, float]:
        """Return the loss, and the gradient's norm before and after clipping by value."""
        loss, before, after = (float(total) for total in self.totals[:, :3].sum(axis=0))
        return loss, math.sqrt(before), math.sqrt(after)


@dataclass
class _Mine:
    """What belongs to one process: its samples, its gradient, its slice of everything flat."""

    samples: slice
    slice: slice
    grads: Params
    grad: Array
    params: Array
    optimizer: Optimizer

    @classmethod
    def of(cls, share: Share) -> "_Mine":
        """Return what belongs to this process; called in it, when it knows its rank."""
        group, model = share.group, share.model
        part = _part(model.size, group)
        params = model.flat[part]
        optimizer = make_optimizer(params, share.config.optimizer)
        for name, slot in share._slots.items():  # noqa: SLF001  # the other half of this class
            optimizer.slots[name] = slot[part]
        return cls(
            samples=_part(share.config.data.batch_size, group),
            slice=part,
            grads=views(share.grads[group.rank], model.shapes),
            grad=share.grads[0, part],
            params=params,
            optimizer=optimizer,
        )


def _part(length: int, group: Group) -> slice:
    """Return this process's part of a range."""
    return slice(length * group.rank // group.size, length * (group.rank + 1) // group.size)


def _require_finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise FloatingPointError(f"{what} is no longer a finite number")
