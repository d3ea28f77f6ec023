"""The choice of a character from a distribution: temperature, filters, inverse transform."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import SamplingConfig
from charrnn.ngrams.contexts import Floats
from charrnn.ngrams.mixture import TINY
from charrnn.scoring.likelihood import require_finite


def exclude(p: Floats, allowed: ArrayLike) -> Floats:
    """Return p (N, V) with 0 for characters that are not allowed, (N, V) or (V,), and only these.

    p   up to a factor for each row
    """
    return np.where(allowed, np.maximum(p, TINY), 0)


def filter_p(p: Floats, config: SamplingConfig) -> Floats:
    """Return p (N, V) after temperature, top-k, top-p and min-p, up to a factor for each row.

    Excluded characters get 0. The temperature must not be 0.
    """
    if config.temperature != 1 or config.min_p is not None:
        # The largest is 1, so that no temperature, however small, can make all of them 0.
        p = p / np.maximum.reduce(p, axis=1, keepdims=True)
    if config.temperature != 1:
        p **= 1 / config.temperature
    if config.top_k is not None or config.top_p is not None:
        p = _keep_top(p, config)
    return p if config.min_p is None else np.where(p < config.min_p, 0, p)


def _keep_top(p: Floats, config: SamplingConfig) -> Floats:
    """Return p (N, V) with 0 outside the top k and the top p."""
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    if config.top_k is not None:
        ranked[:, config.top_k :] = 0
    if config.top_p is not None:
        before = np.cumsum(ranked, axis=1) - ranked
        enough = config.top_p * ranked.sum(axis=1, keepdims=True)
        ranked[before >= enough] = 0
    kept = np.empty_like(p)
    np.put_along_axis(kept, order, ranked, axis=1)
    return kept


def choose(p: Floats, config: SamplingConfig, draws: Floats) -> NDArray[np.int64]:
    """Return an id for each row of p (N, V), up to a factor, given a uniform draw in (0, 1] each.

    Raises TrainingError if p is not finite.
    """
    ids: NDArray[np.int64]
    if config.greedy or config.temperature == 0:
        ids = p.argmax(axis=1)
        require_finite(p[np.arange(len(ids)), ids])
        return ids
    cumulative = np.add.accumulate(filter_p(p, config), axis=1)
    total = cumulative[:, -1]
    if not math.isfinite(sum(total.tolist())):
        require_finite(total)
    # Inverse transform sampling: the first id whose cumulative probability reaches the target.
    # Targets are above 0 and at most the last sum, so no id of probability 0 is drawn.
    targets = total * draws
    if len(p) == 1:
        ids = cumulative[0].searchsorted(targets)
        return ids
    ids = (cumulative >= targets[:, None]).argmax(axis=1)
    return ids
