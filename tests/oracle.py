"""Cells as slowly and obviously as their equations are written: the judge of the fast ones.

Every function takes one step of one sample: vectors in, vectors out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Params = dict[str, Array]
State = tuple[Array, ...]


def logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def gate(params: Params, number: int, x: Array, h: Array) -> tuple[Array, Array]:
    """Return the input part and the recurrent part of one gate, before its activation."""
    rows = slice(number * len(h), (number + 1) * len(h))
    from_input = params["weight_ih"][rows] @ x + params["bias_ih"][rows]
    from_state = params["weight_hh"][rows] @ h + params["bias_hh"][rows]
    return from_input, from_state


def lstm_step(params: Params, x: Array, state: State) -> State:
    h, c = state
    i, f, g, o = (np.add(*gate(params, number, x, h)) for number in range(4))
    c = logistic(f) * c + logistic(i) * np.tanh(g)
    if "weight_co" in params:
        o = o + params["weight_co"] @ c
    return logistic(o) * np.tanh(c), c


def gru_step(params: Params, x: Array, state: State) -> State:
    (h,) = state
    r, z = (logistic(np.add(*gate(params, number, x, h))) for number in range(2))
    from_input, from_state = gate(params, 2, x, h)
    n = np.tanh(from_input + r * from_state)
    return ((1 - z) * n + z * h,)
