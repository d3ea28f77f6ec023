"""Optimizers: update rules, with the formulas and defaults of torch.optim, and their learning rate.

An optimizer keeps nothing itself: what it remembers of each parameter is in slots, arrays as long
as the parameters, which belong to the training state. A new one is a function from an ``Update``
and a line in OPTIMIZERS.
"""

import math
from typing import NamedTuple

import numpy as np

from charrnn.config import OptimizerConfig
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
    np.multiply(update.grad, update.rate, out=update.scratch)
    np.subtract(update.params, update.scratch, out=update.params)


def adagrad(update: Update) -> None:
    """Adagrad (Duchi, Hazan & Singer 2011): params -= lr * grad / (sqrt(sum of grad^2) + eps)."""
    (total,), scratch = update.slots, update.scratch
    np.multiply(update.grad, update.grad, out=scratch)
    total += scratch
    _descend(update, update.grad, total, update.rate, epsilon=1e-10)


def rmsprop(update: Update) -> None:
    """RMSprop (Tieleman & Hinton 2012): Adagrad with a running mean, decay 0.99, for the sum."""
    (mean,), scratch = update.slots, update.scratch
    np.multiply(update.grad, update.grad, out=scratch)
    _average(mean, scratch, 0.99, scratch)
    _descend(update, update.grad, mean, update.rate, epsilon=1e-8)


def adam(update: Update) -> None:
    """Adam (Kingma & Ba 2015), with decoupled weight decay (Loshchilov & Hutter 2019).

    m = b1 m + (1 - b1) grad         v = b2 v + (1 - b2) grad^2
    params -= lr * (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + decay * params)
    """
    (mean, square), grad, scratch = update.slots, update.grad, update.scratch
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    if update.decay:
        np.multiply(update.params, 1 - update.rate * update.decay, out=update.params)
    _average(mean, grad, beta1, scratch)
    np.multiply(grad, grad, out=scratch)
    _average(square, scratch, beta2, scratch)
    # Both corrections for the start at zero are scalars: fold them into rate and epsilon.
    correction = math.sqrt(1 - beta2**update.number)
    rate = update.rate * correction / (1 - beta1**update.number)
    _descend(update, mean, square, rate, epsilon * correction)


def _average(mean: Array, values: Array, decay: float, scratch: Array) -> None:
    """Do mean = decay * mean + (1 - decay) * values without a new array."""
    np.multiply(values, 1 - decay, out=scratch)
    mean *= decay
    mean += scratch


def _descend(update: Update, grad: Array, square: Array, rate: float, epsilon: float) -> None:
    """Do params -= rate * grad / (sqrt(square) + epsilon) without a new array."""
    params, scratch = update.params, update.scratch
    np.sqrt(square, out=scratch)
    scratch += epsilon
    np.divide(grad, scratch, out=scratch)
    scratch *= rate
    params -= scratch


# The rule of each, and the names of what it remembers of each parameter.
OPTIMIZERS = {
    "adam": (adam, ("mean", "square_mean")),
    "rmsprop": (rmsprop, ("square_mean",)),
    "adagrad": (adagrad, ("square_sum",)),
    "sgd": (sgd, ()),
}


def make_slots(optimizer: str, params: Array) -> Slots:
    """Return the slots before the first update: zeros."""
    return {name: np.zeros_like(params) for name in OPTIMIZERS[optimizer][1]}


def update_parameters(
    config: OptimizerConfig, params: Array, grad: Array, slots: Slots, *, rate: float, count: int
) -> None:
    """Update parameters and slots in place.

    params, grad   (N,)
    slots          as from ``make_slots``, (N,) each
    rate           learning rate
    count          how many updates these parameters have had, this one included
    """
    (rule, names), scratch = OPTIMIZERS[config.name], np.empty_like(params[:PIECE])
    for start in range(0, params.size, PIECE):
        piece = slice(start, start + PIECE)
        own, parts = [slots[name][piece] for name in names], params[piece]
        space = scratch[: parts.size]
        rule(Update(parts, grad[piece], own, rate, count, config.weight_decay, space))


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
    than ten times as many, times the course of the schedule: from 1 to 0, or constantly 1.
    """
    warm = min(1.0, max((step + 1) / config.warmup, done * 10)) if config.warmup else 1.0
    factors = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}
    return config.peak_learning_rate * warm * factors[config.schedule]
