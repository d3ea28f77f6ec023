"""Optimizers: update rules, with the formulas and defaults of torch.optim, and their learning rate.

An optimizer keeps nothing itself: what it remembers of each parameter is in slots, arrays as long
as the parameters, which belong to the training state. A new one is a function from an ``Update``
and a line in OPTIMIZERS.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from charrnn.config import OptimizerConfig, ScheduleName
from charrnn.nn.cell import Array

# An update passes over the arrays a dozen times: in pieces of this size, which stay in the cache.
PIECE = 1 << 15

Slots = dict[str, Array]


class Update(NamedTuple):
    """One update of a piece of N parameters.

    params, grad   the parameters, changed in place, and their gradient, (N,)
    slots          (N,) each, changed in place
    rate           learning rate
    number         how many updates these parameters have had, this one included
    decay          weight decay
    scratch        (N,)
    """

    params: Array
    grad: Array
    slots: list[Array]
    rate: float
    number: int
    decay: float
    scratch: Array


def sgd(update: Update) -> None:
    """Gradient descent: params -= lr * grad."""
    params, scratch = update.params, update.scratch
    np.multiply(update.grad, update.rate, out=scratch)
    params -= scratch


def adagrad(update: Update) -> None:
    """Adagrad (Duchi, Hazan & Singer 2011): params -= lr * grad / (sqrt(sum of grad^2) + eps)."""
    (total,), scratch = update.slots, update.scratch
    np.multiply(update.grad, update.grad, out=scratch)
    total += scratch
    _descend(update, update.grad, total, update.rate, epsilon=1e-10)


def rmsprop(update: Update) -> None:
    """RMSprop (Tieleman & Hinton 2012): Adagrad with a running mean, decay 0.99, for the sum."""
    (mean,), scratch, decay = update.slots, update.scratch, 0.99
    np.multiply(update.grad, update.grad, out=scratch)
    scratch *= 1 - decay
    mean *= decay
    mean += scratch
    _descend(update, update.grad, mean, update.rate, epsilon=1e-8)


def adam(update: Update) -> None:
    """Adam (Kingma & Ba 2015), with decoupled weight decay (Loshchilov & Hutter 2019).

    m = b1 m + (1 - b1) grad         v = b2 v + (1 - b2) grad^2
    params -= lr * (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + decay * params)
    """
    (mean, square), params, grad, scratch = update.slots, *update[:2], update.scratch
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    if update.decay:
        params *= 1 - update.rate * update.decay
    np.multiply(grad, 1 - beta1, out=scratch)
    mean *= beta1
    mean += scratch
    np.multiply(grad, grad, out=scratch)
    scratch *= 1 - beta2
    square *= beta2
    square += scratch
    # Both corrections for the start at zero are scalars: fold them into rate and epsilon.
    correction = math.sqrt(1 - beta2**update.number)
    rate = update.rate * correction / (1 - beta1**update.number)
    _descend(update, mean, square, rate, epsilon * correction)


def _descend(update: Update, grad: Array, square: Array, rate: float, epsilon: float) -> None:
    """Do params -= rate * grad / (sqrt(square) + epsilon) without a new array."""
    params, scratch = update.params, update.scratch
    np.sqrt(square, out=scratch)
    scratch += epsilon
    np.divide(grad, scratch, out=scratch)
    scratch *= rate
    params -= scratch


class Optimizer(NamedTuple):
    """An update rule, and the names of what it remembers of each parameter."""

    rule: Callable[[Update], None]
    slot_names: tuple[str, ...] = ()


OPTIMIZERS = {
    "adam": Optimizer(adam, ("mean", "square_mean")),
    "rmsprop": Optimizer(rmsprop, ("square_mean",)),
    "adagrad": Optimizer(adagrad, ("square_sum",)),
    "sgd": Optimizer(sgd),
}


def make_slots(optimizer: str, params: Array) -> Slots:
    """Return the slots before the first update: zeros."""
    return {name: np.zeros_like(params) for name in OPTIMIZERS[optimizer].slot_names}


def update_parameters(
    config: OptimizerConfig, params: Array, grad: Array, slots: Slots, *, rate: float, count: int
) -> None:
    """Update parameters and slots in place.

    params, grad   (N,)
    slots          as from ``make_slots``, (N,) each
    rate           learning rate
    count          how many updates these parameters have had, this one included
    """
    optimizer, scratch = OPTIMIZERS[config.name], np.empty_like(params[:PIECE])
    for start in range(0, params.size, PIECE):
        piece = slice(start, start + PIECE)
        parts, own = params[piece], [slots[name][piece] for name in optimizer.slot_names]
        space = scratch[: parts.size]
        optimizer.rule(Update(parts, grad[piece], own, rate, count, config.weight_decay, space))


def clip_factor(norm: float, limit: float | None) -> float:
    """Return the factor on a gradient of this global norm that keeps it within the limit.

    Pascanu, Mikolov & Bengio 2013.
    """
    return 1.0 if limit is None or norm <= limit else limit / norm


def learning_rate(config: OptimizerConfig, step: int, done: float) -> float:
    """Return the learning rate for a step.

    step   counted from 0
    done   share of the run that is done, 0 to 1

    The rate rises linearly over ``warmup`` steps, or over the first tenth of a run that has fewer
    than ten times as many, times the course of the schedule.
    """
    warm = 1.0
    if config.warmup:
        warm = min(1.0, max((step + 1) / config.warmup, done * 10))
    return config.peak_learning_rate * warm * schedule(config.schedule, done)


def schedule(name: ScheduleName, done: float) -> float:
    """Return the factor of a schedule: from 1 at the start to 0 at the end, or constantly 1."""
    done = min(max(done, 0.0), 1.0)
    if name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if name == "linear" else 1.0
