"""Losses, each with its gradient with respect to the logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.kernels import Array


def log_softmax(logits: Array) -> Array:
    """Return log(softmax(logits)) over the last axis.

    The logits are shifted by their maximum, so that exp cannot overflow.
    """
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def softmax_cross_entropy(
    logits: Array,
    targets: NDArray[np.integer[Any]],
    count: int | None = None,
) -> tuple[float, Array]:
    """Return the mean of -log p(target) in nats, and its gradient with respect to the logits.

    logits    (T, B, V)
    targets   ids (T, B)
    count     number of targets to average over, if these are part of a larger batch. None: the
              number of ``targets``

    The gradient is (softmax(logits) - one_hot(targets)) / count, shape (T, B, V).
    """
    count = count or targets.size
    log_p = log_softmax(logits)
    rows = targets[..., None].astype(np.intp)
    nats = np.take_along_axis(log_p, rows, axis=-1)
    d_logits = np.exp(log_p, out=log_p)
    np.put_along_axis(d_logits, rows, np.take_along_axis(d_logits, rows, axis=-1) - 1, axis=-1)
    d_logits /= count
    return 0.0 - float(nats.sum(dtype=np.float64)) / count, d_logits


def sigmoid_cross_entropy(
    logits: Array, targets: NDArray[np.integer[Any]], count: int | None = None
) -> tuple[float, Array]:
    """Return the mean binary cross-entropy in nats, and its gradient with respect to the logits.

    logits    logits of class 1, (B,)
    targets   0 or 1, (B,)
    count     as in ``softmax_cross_entropy``

    With p = sigmoid(logits), the gradient is (p - targets) / count. Like PyTorch's
    BCEWithLogitsLoss, it works on logits, so that neither exp nor log can overflow.
    """
    count = count or targets.size
    # -log p(1) = log(1 + exp(-x)), and -log p(0) = -log p(1) + x
    nats = np.logaddexp(0, -logits)
    d_logits = (np.exp(-nats) - targets) / count
    nats += (1 - targets) * logits
    return float(nats.sum(dtype=np.float64)) / count, d_logits.astype(logits.dtype)


def target_log_probabilities(logits: Array, targets: NDArray[np.integer[Any]]) -> Array:
    """Return log p of each target in nats, shape (T, B), for logits (T, B, V)."""
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    rows = targets[..., None].astype(np.intp)
    log_p: Array = np.take_along_axis(shifted, rows, axis=-1)[..., 0]
    log_p -= np.log(np.exp(shifted, out=shifted).sum(axis=-1))
    return log_p
