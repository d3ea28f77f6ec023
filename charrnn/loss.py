"""Losses, each with its gradient by the logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.cells import Array


def log_softmax(logits: Array, axis: int) -> Array:
    """Return log(softmax(logits)): shifted by the largest logit, so that exp cannot overflow."""
    shifted: Array = logits - logits.max(axis=axis, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return shifted


def softmax_cross_entropy(logits: Array, targets: NDArray[np.integer[Any]]) -> tuple[float, Array]:
    """Return the mean of -log p(target) in nats, and its gradient by the logits.

    logits    (T, V, B)
    targets   ids (T, B)

    The gradient is (softmax(logits) - one_hot(targets)) / (T * B), shape (T, V, B).
    """
    log_p = log_softmax(logits, axis=1)
    rows = targets[:, None, :].astype(np.intp)
    at_target = np.take_along_axis(log_p, rows, axis=1)
    d_logits = np.exp(log_p, out=log_p)
    np.put_along_axis(d_logits, rows, np.take_along_axis(d_logits, rows, axis=1) - 1, axis=1)
    d_logits /= targets.size
    return 0.0 - float(at_target.mean(dtype=np.float64)), d_logits


def target_log_probabilities(logits: Array, targets: NDArray[np.integer[Any]]) -> Array:
    """Return log p of each target in nats, shape (T, B), for logits (T, V, B)."""
    rows = targets[:, None, :].astype(np.intp)
    return np.take_along_axis(log_softmax(logits, axis=1), rows, axis=1)[:, 0]
