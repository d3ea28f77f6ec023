"""Numeric gradients: what a function does when one number is nudged, whatever the maths says."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

STEP = 1e-5


def numeric_gradient(function: Callable[[], float], array: Array) -> Array:
    """Return the gradient of ``function()`` by an array that it reads, by central differences."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        before = array[index]
        array[index] = before + STEP
        above = function()
        array[index] = before - STEP
        below = function()
        array[index] = before
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def assert_gradient(name: str, ours: Array, numeric: Array) -> None:
    """Fail, showing both, unless the gradients agree to 1e-7 of their scale and are not all 0."""
    scale = np.abs(numeric).max()
    assert scale > 1e-6, f"{name}: the numeric gradient is zero, so the test shows nothing"
    worst = np.unravel_index(np.abs(ours - numeric).argmax(), numeric.shape)
    assert np.abs(ours - numeric).max() <= 1e-7 * max(scale, 1), (
        f"{name}{list(map(int, worst))}: ours {ours[worst]:.10g}, numeric {numeric[worst]:.10g}"
    )
