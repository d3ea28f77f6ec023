"""The choice of a character from a distribution: temperature, filters, inverse transform."""

import math

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.nn.cell import Array
from charrnn.scoring.likelihood import require_finite

# The largest factor on logits: exp maps all but the maximum to 0.
MAX_SCALE = 1e30


def weights(logits: Array, config: SamplingConfig) -> Array:
    """Return unnormalized probabilities (N, V) after temperature, top-k, top-p and min-p.

    Excluded characters get 0, the most likely one 1. The temperature must not be 0.
    """
    # After the shift the maximum is 0, so that no temperature, however small, can produce NaN.
    top = np.maximum.reduce(logits, axis=1, keepdims=True)
    p: Array = logits - top
    p *= min(1 / config.temperature, MAX_SCALE)
    np.exp(p, out=p)
    if config.top_k is not None or config.top_p is not None:
        _keep_top(p, config)
    if config.min_p is not None:
        p[p < config.min_p] = 0
    return p


def _keep_top(p: Array, config: SamplingConfig) -> None:
    """Set p (N, V) to 0 outside the top k and the top p."""
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    if config.top_k is not None:
        ranked[:, config.top_k :] = 0
    if config.top_p is not None:
        before = np.cumsum(ranked, axis=1) - ranked
        enough = config.top_p * ranked.sum(axis=1, keepdims=True)
        before[:, 0] = -1  # the most likely character always stays
        ranked[before >= enough] = 0
    np.put_along_axis(p, order, ranked, axis=1)


def choose(logits: Array, config: SamplingConfig, draws: Array) -> NDArray[np.int64]:
    """Return an id for each row of logits (N, V), given one uniform draw in (0, 1] per row.

    Raises TrainingError if the logits are not finite. They may be -inf for some characters.
    """
    ids: NDArray[np.int64]
    if config.temperature == 0:
        ids = logits.argmax(axis=1)
        require_finite(logits[np.arange(len(ids)), ids])
        return ids
    p = weights(logits, config)
    cumulative = np.add.accumulate(p, axis=1, out=p)
    total = cumulative[:, -1]
    if not math.isfinite(np.add.reduce(total)):
        require_finite(total)
    # Inverse transform sampling: the first id whose cumulative probability reaches the target.
    # Targets are above 0 and at most the last sum, so no id of probability 0 is drawn.
    targets = (total * draws).astype(p.dtype)
    if len(p) == 1:
        ids = p[0].searchsorted(targets)
        return ids
    ids = (cumulative >= targets[:, None]).argmax(axis=1)
    return ids
