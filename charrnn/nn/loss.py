"""Losses, each with its gradient by the logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array


def log_softmax(logits: Array) -> Array:
    """Return log(softmax(logits)) over the last axis.

    Shifted by the largest logit, so that exp cannot overflow.
    """
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def softmax_cross_entropy(
    logits: Array, targets: NDArray[np.integer[Any]], count: int | None = None
) -> tuple[float, Array]:
    """Return the mean of -log p(target) in nats, and its gradient by the logits.

    logits    (T, B, V)
    targets   ids (T, B)
    count     how many targets the mean is over: all of a batch, of which these may be a share.
              By default that of ``targets``

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
    """Return the mean of -log p(target) in nats for two classes, and its gradient by the logits.

    logits    (B,), of class 1
    targets   0 or 1, (B,)
    count     as in ``softmax_cross_entropy``

    Binary cross-entropy of p = sigmoid(logits); its gradient is (p - targets) / count. Like
    PyTorch's BCEWithLogitsLoss it starts from the logits, so that neither exp nor log can overflow.
    """
    count = count or targets.size
    # -log p(1) = log(1 + exp(-x)), and -log p(0) = -log p(1) + x
    nats = np.logaddexp(0, -logits)
    d_logits = (np.exp(-nats) - targets) / count
    nats += (1 - targets) * logits
    return float(nats.sum(dtype=np.float64)) / count, d_logits.astype(logits.dtype)


def target_log_probabilities(logits: Array, targets: NDArray[np.integer[Any]]) -> Array:
    """Return log p of each target in nats, shape (T, B), for logits (T, B, V)."""
    rows = targets[..., None].astype(np.intp)
    return np.take_along_axis(log_softmax(logits), rows, axis=-1)[..., 0]
