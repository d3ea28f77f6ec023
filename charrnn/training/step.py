"""One process's share of the work: some samples of the batch, a slice of the parameters.

A training step has three parts, and every process waits for the others behind each:

    1. every process computes the gradient of its samples, into a row of its own
    2. every process sums its slice of these rows, and the squares of that sum
    3. every process knows the norm now, and updates its slice of the parameters

With one process it is the ordinary training step, and nobody waits.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from charrnn.config import Config, OptimizerConfig
from charrnn.nn.cells import Array, Params
from charrnn.nn.stack import views
from charrnn.parallel.group import Group
from charrnn.randomness import Purpose, generator
from charrnn.text.split import MAX_VALIDATED, evaluate
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import Streams, make_batches
from charrnn.training.optimizers import (
    Optimizer,
    clip_by_norm_factor,
    clip_by_value,
    make_optimizer,
)
from charrnn.training.state import RunState, TrainingState

_TRAIN, _EVALUATE = range(2)


class Share(ABC):
    """What a process needs for its share of every step. Made once, before the group starts.

    The arrays of the state move into memory that the group shares; the state then sees there what
    all processes did.

    steps_per_epoch   steps in which all there is to learn from has been seen once
    step_size         how much a step learns from, and
    held_out          how much there is to validate on: both in characters
    """

    steps_per_epoch: int
    step_size: int
    held_out: int

    def __init__(
        self, state: RunState, optimizer: OptimizerConfig, batch_size: int, group: Group
    ) -> None:
        self.optimizer, self.batch_size, self.group = optimizer, batch_size, group
        state.model = state.model.on(self._shared(state.model.flat))
        self.flat, self.shapes = state.model.flat, state.model.shapes
        for name, slot in state.optimizer.slots.items():
            state.optimizer.slots[name] = self._shared(slot)
        self.grads = group.array((group.size, self.flat.size), self.flat.dtype)
        # What the first process tells the others: what to do, and the step, the optimiser's steps
        # and the learning rate of a training step.
        self.orders = group.array((4,), np.float64)
        self._slots = state.optimizer.slots
        self._mine: _Mine | None = None

    @abstractmethod
    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """Compute the gradient of some samples of a step's batch; return their part of the loss.

        grads   where the gradients go
        """

    @abstractmethod
    def evaluate(self) -> tuple[float, int]:
        """Return the loss, summed over a share of what is held out, and how much that is."""

    def _shared(self, array: Array) -> Array:
        shared = self.group.array(array.shape, array.dtype)
        shared[...] = array
        return shared

    def lead_step(self, step: int, optimizer_steps: int, rate: float) -> tuple[float, float]:
        """Do a training step with the whole group; for the first process only.

        Returns loss and gradient norm before clipping. Raises FloatingPointError if one of them, or
        a weight, is not finite, and WorkerLostError if a process of the group is gone.
        """
        loss, norm, weights = self._lead(_TRAIN, step, optimizer_steps, rate)
        _require_finite(loss, "the loss")
        _require_finite(norm, "the gradient")
        _require_finite(weights, "a weight")
        return loss, norm

    def lead_evaluation(self) -> float:
        """Return the loss on the held-out text, measured by the whole group.

        For the first process only. Raises WorkerLostError.
        """
        total, count = self._lead(_EVALUATE)
        return total / count

    def _lead(self, *orders: float) -> list[float]:
        self.orders[: len(orders)] = orders
        self.group.begin()
        return self.work()

    def work(self) -> list[float]:
        """Do this process's share of what was ordered. All of them return the same."""
        what, step, optimizer_steps, rate = self.orders.tolist()
        if what == _EVALUATE:
            return self.group.all_reduce(*self.evaluate())
        return self._step(int(step), int(optimizer_steps), rate)

    def _step(self, step: int, optimizer_steps: int, rate: float) -> list[float]:
        """Return loss, norm of the gradient, and a number that is finite if all weights are."""
        group, limits = self.group, self.optimizer
        mine = self._mine = self._mine or _Mine.of(self)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for by lead_step
            loss = self.gradients(mine.samples, mine.grads, step)
            grad = group.reduce_scatter(self.grads)
            squares = clipped = float(np.dot(grad, grad))
            if limits.clip_value is not None:
                clip_by_value(grad, limits.clip_value)
                clipped = float(np.dot(grad, grad))
            loss, squares, clipped = group.all_reduce(loss, squares, clipped)
            if math.isfinite(loss) and math.isfinite(squares):
                grad *= clip_by_norm_factor(math.sqrt(clipped), limits.clip_norm)
                mine.optimizer.steps = optimizer_steps
                mine.optimizer.step(mine.params, grad, rate)
            (weights,) = group.all_reduce(float(np.dot(mine.params, mine.params)))
        return [loss, math.sqrt(squares), weights]


@dataclass
class _Mine:
    """What belongs to one process: its samples, its gradient, its slice of the parameters."""

    samples: slice
    grads: Params
    params: Array
    optimizer: Optimizer

    @classmethod
    def of(cls, share: Share) -> "_Mine":
        """Return what belongs to this process; called in it, when it knows its rank."""
        part = share.group.part(share.flat.size)
        params = share.flat[part]
        optimizer = make_optimizer(params, share.optimizer)
        for name, slot in share._slots.items():  # noqa: SLF001  # the other half of this class
            optimizer.slots[name] = slot[part]
        return cls(
            samples=share.group.part(share.batch_size),
            grads=views(share.grads[share.group.rank], share.shapes),
            params=params,
            optimizer=optimizer,
        )


class TextShare(Share):
    """A share of learning a text.

    val_ids   what is held out; if it is long, its beginning is validated on
    """

    def __init__(
        self, state: TrainingState, config: Config, train_ids: Ids, val_ids: Ids, group: Group
    ) -> None:
        super().__init__(state, config.optimizer, config.data.batch_size, group)
        self.batches = make_batches(train_ids, config.data, config.run.random_seed)
        self.val_ids, self.random_seed = val_ids[:MAX_VALIDATED], config.run.random_seed
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.step_size = config.data.seq_length * config.data.batch_size
        self.held_out = len(self.val_ids)
        self.model = state.model
        if isinstance(self.batches, Streams):
            before = state.carried or self.model.zero_state(self.batch_size)
            state.carried = [tuple(map(self._shared, layer)) for layer in before]
        else:
            state.carried = None
        self.workspaces, self._carried = self.model.workspaces(), state.carried
        group.start(self.work)

    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """See ``Share.gradients``. Carries the state of these samples on."""
        batch, group = self.batches.at(step), self.group
        inputs, targets = batch.inputs[:, samples], batch.targets[:, samples]
        state = self.model.zero_state(inputs.shape[1])
        if self._carried is not None and not batch.fresh:
            state = [tuple(part[samples] for part in layer) for layer in self._carried]
        loss, _, state = self.model.loss_and_gradients(
            inputs,
            targets,
            state,
            dropout_rng=generator(
                self.random_seed, Purpose.DROPOUT, step * group.size + group.rank
            ),
            workspaces=self.workspaces,
            grads=grads,
            count=batch.targets.size,
        )
        for carried, layer in zip(self._carried or [], state, strict=False):
            for part, value in zip(carried, layer, strict=True):
                part[samples] = value
        return loss

    def evaluate(self) -> tuple[float, int]:
        """See ``Share.evaluate``: nats and characters."""
        return evaluate(self.model, self.val_ids, self.group.rank, self.group.size)


def _require_finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise FloatingPointError(f"{what} is no longer a finite number")
