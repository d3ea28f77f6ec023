"""The course of the learning rate, and limits on the gradient."""

import math

import numpy as np

from charrnn.config import OptimizerConfig, ScheduleName
from charrnn.nn.cells import Array


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
