"""The Elman RNN (Elman 1990).

    h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)        act = tanh or relu

Backward, from the last step to the first, with dh_t the gradient by h_t from above and from the
right:

    da_t = dh_t * act'(a_t)         tanh' = 1 - h_t^2       relu' = (h_t > 0)
    dh_(t-1) = W_hh^T da_t
    dW_hh = sum_t da_t h_(t-1)^T    dW_ih = sum_t da_t x_t^T    db = sum_t da_t
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.cells.cell import (
    Array,
    Params,
    State,
    Workspace,
    columns,
    input_gradients,
    project_inputs,
    sum_columns,
)
from charrnn.config import Nonlinearity


class RNNCache(NamedTuple):
    """What backward needs of forward."""

    inputs: NDArray[Any]
    hidden: Array  # (T+1, H, B), from the initial state on
    workspace: Workspace


@dataclass(frozen=True)
class RNNCell:
    """Elman RNN; see the module for its equations and ``Cell`` for shapes."""

    nonlinearity: Nonlinearity = "tanh"
    gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    def forward(
        self,
        params: Params,
        inputs: NDArray[Any],
        state: State,
        workspace: Workspace | None = None,
    ) -> tuple[Array, State, RNNCache]:
        """Run the cell over a sequence; see ``Cell.forward``."""
        workspace = workspace or Workspace()
        weight_hh = params["weight_hh"]
        T, (H, B) = len(inputs), state[0].shape
        bias = params["bias_ih"] + params["bias_hh"]
        projected = project_inputs(inputs, params["weight_ih"], bias, workspace)
        hidden = workspace.array("hidden", (T + 1, H, B), weight_hh.dtype)
        hidden[0] = state[0]
        for t in range(T):
            h = hidden[t + 1]
            np.dot(weight_hh, hidden[t], out=h)
            h += projected[t]
            if self.nonlinearity == "tanh":
                np.tanh(h, out=h)
            else:
                np.maximum(h, 0, out=h)
        return hidden[1:], (hidden[T].copy(),), RNNCache(inputs, hidden, workspace)

    def backward(
        self, params: Params, cache: RNNCache, d_outputs: Array, d_state: State
    ) -> tuple[Params, Array | None, State]:
        """Backpropagate through time; see ``Cell.backward``."""
        inputs, hidden, workspace = cache
        weight_hh = params["weight_hh"]
        T, H, B = d_outputs.shape
        d_acts = workspace.array("d_acts", (T, H, B), weight_hh.dtype)
        slope = workspace.array("slope", (H, B), weight_hh.dtype)
        d_h = d_state[0].copy()
        for t in reversed(range(T)):
            h, d_a = hidden[t + 1], d_acts[t]
            d_h += d_outputs[t]
            if self.nonlinearity == "tanh":
                np.multiply(h, h, out=slope)
                np.subtract(1, slope, out=slope)
                np.multiply(d_h, slope, out=d_a)
            else:
                np.multiply(d_h, h > 0, out=d_a)
            np.dot(weight_hh.T, d_a, out=d_h)
        d_columns = columns(d_acts)
        d_weight_ih, d_inputs = input_gradients(inputs, params["weight_ih"], d_acts, d_columns)
        d_bias = sum_columns(d_columns)
        grads = {
            "weight_ih": d_weight_ih,
            "weight_hh": d_columns @ columns(hidden[:-1]).T,
            "bias_ih": d_bias,
            "bias_hh": d_bias.copy(),
        }
        return grads, d_inputs, (d_h,)
