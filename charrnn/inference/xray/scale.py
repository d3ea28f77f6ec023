"""From surprise and activations to the few levels that a reader can tell apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array

# The least surprise of levels 1 to 8, in nats. In probability: below 90, 61, 37, 14, 5, 1.8, 0.25
# and 0.03 %.
SURPRISE_LIMITS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
MOST = len(SURPRISE_LIMITS)

# What has no level: a character that was not predicted.
NO_LEVEL = -MOST - 1


def surprise_levels(nats: Array) -> NDArray[np.int64]:
    """Return the levels 0 to 8 of surprises in nats; NO_LEVEL for nan."""
    levels = np.searchsorted(SURPRISE_LIMITS, nats, side="right")
    levels[np.isnan(nats)] = NO_LEVEL
    return levels


def activation_levels(values: Array, bounds: Sequence[float]) -> NDArray[np.int64]:
    """Return the levels of activations between these bounds.

    bounds   -1 and 1 give the levels -8 to 8, 0 and something else 0 to 8. Without a limit above,
             level 8 is the greatest activation
    """
    least, greatest = bounds
    if np.isinf(greatest):
        greatest = max(float(values.max(initial=0)), 1e-9)
    scaled = np.clip(values / greatest, -1 if least < 0 else 0, 1)
    levels: NDArray[np.int64] = np.rint(scaled * MOST).astype(np.int64)
    return levels
