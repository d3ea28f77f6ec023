"""One process's share of the work: some samples of the batch, a slice of the parameters.

A training step has three parts, and every process waits for the others behind each:

    1. every process computes the gradient of its samples, into a row of its own
    2. every process sums its slice of these rows, and the squares of that sum
    3. every process knows the norm now, and updates its slice of the parameters

With one process it is the ordinary training step, and nobody waits.
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
from charrnn.validation import evaluate
from charrnn.vocabulary import Ids
from charrnn.windows import Batches, Streams
from charrnn.workers import Group

_TRAIN, _EVALUATE = range(2)


class Share:
    """What a process needs for its share of every step. Made once, before the group starts.

    The arrays of the state move into memory that the group shares; the state then sees there what
    all processes did.
    """

    def __init__(
        self, state: TrainingState, config: Config, batches: Batches, val_ids: Ids, group: Group
    ) -> None:
        self.config, self.batches, self.val_ids, self.group = config, batches, val_ids, group
        self._move(state)
        self.model = state.model
        size, ranks = self.model.size, group.size
        self.grads = group.array((ranks, size), self.model.flat.dtype)
        # What the first process tells the others: what to do, and the step, the optimiser's steps
        # and the learning rate of a training step.
        self.orders = group.array((4,), np.float64)
        self.workspaces = self.model.workspaces()
        self._slots = state.optimizer.slots
        self._carried = state.carried
        self._mine: _Mine | None = None
        group.start(self._work)

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
        nats, chars = self._lead(_EVALUATE)
        return nats / chars

    def _lead(self, *orders: float) -> list[float]:
        self.orders[: len(orders)] = orders
        self.group.begin()
        return self._work()

    def _work(self) -> list[float]:
        """Do this process's share of what was ordered. All of them return the same."""
        what, step, optimizer_steps, rate = self.orders.tolist()
        if what == _EVALUATE:
            group = self.group
            return group.all_reduce(*evaluate(self.model, self.val_ids, group.rank, group.size))
        return self._step(int(step), int(optimizer_steps), rate)

    def _step(self, step: int, optimizer_steps: int, rate: float) -> list[float]:
        """Return loss, norm of the gradient, and a number that is finite if all weights are."""
        group, limits = self.group, self.config.optimizer
        mine = self._mine = self._mine or _Mine.of(self)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for by lead_step
            loss = self._gradients(mine, step)
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

    def _gradients(self, mine: "_Mine", step: int) -> float:
        """Compute the gradient of this process's samples, and carry their state on.

        Returns their part of the loss.
        """
        batch, seed, group = self.batches.at(step), self.config.run.random_seed, self.group
        inputs, targets = batch.inputs[:, mine.samples], batch.targets[:, mine.samples]
        state = self.model.zero_state(inputs.shape[1])
        if self._carried is not None and not batch.fresh:
            state = [tuple(part[mine.samples] for part in layer) for layer in self._carried]
        loss, _, state = self.model.loss_and_gradients(
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
        return loss


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
        group, model = share.group, share.model
        part = group.part(model.size)
        params = model.flat[part]
        optimizer = make_optimizer(params, share.config.optimizer)
        for name, slot in share._slots.items():  # noqa: SLF001  # the other half of this class
            optimizer.slots[name] = slot[part]
        return cls(
            samples=group.part(share.config.data.batch_size),
            grads=views(share.grads[group.rank], model.shapes),
            params=params,
            optimizer=optimizer,
        )


def _require_finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise FloatingPointError(f"{what} is no longer a finite number")
