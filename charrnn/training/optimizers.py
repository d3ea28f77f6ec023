"""Optimisers, gradient clipping and learning-rate schedules.

An optimiser knows arrays, not models: it changes one flat array of parameters in place, given the
gradient. Formulas and defaults are those of torch.optim.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from charrnn.config import OptimizerConfig, ScheduleName
from charrnn.nn.cells import Array

# An update goes through the arrays a dozen times: in pieces, all of which stay in the cache.
PIECE = 1 << 15


class Optimizer(ABC):
    """Turns gradients into updates. ``slots`` is all that it remembers, by name."""

    slot_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Array, config: OptimizerConfig) -> None:
        self.config = config
        self.slots: dict[str, Array] = {name: np.zeros_like(params) for name in self.slot_names}
        self.steps = 0
        self._scratch = np.empty_like(params[:PIECE])

    def copy(self) -> "Optimizer":
        """Return a copy of what it remembers, to go back to."""
        twin = type(self)(self._scratch, self.config)
        twin.slots = {name: slot.copy() for name, slot in self.slots.items()}
        twin.steps = self.steps
        return twin

    def restore(self, earlier: "Optimizer") -> None:
        """Remember what an earlier copy does, in place."""
        self.steps = earlier.steps
        for name, slot in self.slots.items():
            slot[...] = earlier.slots[name]

    def step(self, params: Array, grad: Array, learning_rate: float) -> None:
        """Update the parameters in place."""
        self.steps += 1
        for start in range(0, params.size, PIECE):
            piece = slice(start, start + PIECE)
            slots = [slot[piece] for slot in self.slots.values()]
            scratch = self._scratch[: params[piece].size]
            self._update(params[piece], grad[piece], slots, learning_rate, scratch)

    @abstractmethod
    def _update(
        self, params: Array, grad: Array, slots: list[Array], rate: float, scratch: Array
    ) -> None:
        """Update some of the parameters in place; ``slots`` in the order of ``slot_names``."""


class SGD(Optimizer):
    """Plain gradient descent: params -= lr * grad."""

    def _update(
        self,
        params: Array,
        grad: Array,
        slots: list[Array],  # noqa: ARG002
        rate: float,
        scratch: Array,
    ) -> None:
        np.multiply(grad, rate, out=scratch)
        params -= scratch


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011): params -= lr * grad / (sqrt(sum of grad^2) + eps)."""

    slot_names = ("square_sum",)
    epsilon = 1e-10

    def _update(
        self, params: Array, grad: Array, slots: list[Array], rate: float, scratch: Array
    ) -> None:
        (total,) = slots
        np.multiply(grad, grad, out=scratch)
        total += scratch
        _scaled_update(params, grad, total, rate, self.epsilon, scratch)


class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012): Adagrad with a running mean instead of a sum."""

    slot_names = ("square_mean",)
    decay = 0.99
    epsilon = 1e-8

    def _update(
        self, params: Array, grad: Array, slots: list[Array], rate: float, scratch: Array
    ) -> None:
        (mean,) = slots
        np.multiply(grad, grad, out=scratch)
        scratch *= 1 - self.decay
        mean *= self.decay
        mean += scratch
        _scaled_update(params, grad, mean, rate, self.epsilon, scratch)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with decoupled weight decay (Loshchilov & Hutter 2019) on request.

    m = b1 m + (1 - b1) grad         v = b2 v + (1 - b2) grad^2
    params -= lr * (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay * params)
    """

    slot_names = ("mean", "square_mean")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8

    def _update(
        self, params: Array, grad: Array, slots: list[Array], rate: float, scratch: Array
    ) -> None:
        mean, square = slots
        if self.config.weight_decay:
            params *= 1 - rate * self.config.weight_decay
        np.multiply(grad, 1 - self.beta1, out=scratch)
        mean *= self.beta1
        mean += scratch
        np.multiply(grad, grad, out=scratch)
        scratch *= 1 - self.beta2
        square *= self.beta2
        square += scratch
        # Both corrections for the start at zero are scalars: fold them into rate and epsilon.
        correction = math.sqrt(1 - self.beta2**self.steps)
        rate *= correction / (1 - self.beta1**self.steps)
        _scaled_update(params, mean, square, rate, self.epsilon * correction, scratch)


def _scaled_update(  # noqa: PLR0913, PLR0917
    params: Array, grad: Array, square: Array, rate: float, epsilon: float, scratch: Array
) -> None:
    """Do params -= rate * grad / (sqrt(square) + epsilon) without a new array."""
    np.sqrt(square, out=scratch)
    scratch += epsilon
    np.divide(grad, scratch, out=scratch)
    scratch *= rate
    params -= scratch


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "sgd": SGD,
}


def make_optimizer(params: Array, config: OptimizerConfig) -> Optimizer:
    """Return the optimiser that the config names, for parameters of this shape."""
    return OPTIMIZERS[config.name](params, config)


def clip_by_value(grad: Array, limit: float | None) -> None:
    """Limit the absolute value of every element, in place."""
    if limit is not None:
        np.clip(grad, -limit, limit, out=grad)


def clip_by_norm_factor(norm: float, limit: float | None) -> float:
    """Return what a gradient of this global norm must be multiplied with to stay within the limit.

    Pascanu, Mikolov & Bengio 2013.
    """
    return 1.0 if limit is None or norm <= limit else limit / norm


def learning_rate(config: OptimizerConfig, step: int, progress: float) -> float:
    """Return the learning rate for a step.

    step       counted from 0
    progress   share of the run that is behind, 0 to 1

    The rate rises linearly over ``warmup`` steps, or over the first tenth of a run that has fewer
    than ten times as many, times the course of the schedule.
    """
    warm = 1.0
    if config.warmup:
        warm = min(1.0, max((step + 1) / config.warmup, progress * 10))
    return config.peak_learning_rate * warm * schedule(config.schedule, progress)


def schedule(name: ScheduleName, progress: float) -> float:
    """Return the factor of a schedule: from 1 at progress 0 to 0 at progress 1, or constantly 1."""
    progress = min(max(progress, 0.0), 1.0)
    if name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    return 1 - progress if name == "linear" else 1.0
