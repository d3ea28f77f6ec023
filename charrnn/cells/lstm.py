"""The LSTM (Hochreiter & Schmidhuber 1997) with a forget gate (Gers, Schmidhuber & Cummins 2000).

    i_t = sigmoid(W_ii x_t + b_ii + W_hi h_(t-1) + b_hi)    input gate
    f_t = sigmoid(W_if x_t + b_if + W_hf h_(t-1) + b_hf)    forget gate
    g_t =    tanh(W_ig x_t + b_ig + W_hg h_(t-1) + b_hg)    candidate
    o_t = sigmoid(W_io x_t + b_io + W_ho h_(t-1) + b_ho)    output gate
    c_t = f_t * c_(t-1) + i_t * g_t                         cell state
    h_t = o_t * tanh(c_t)                                   output

The weights of the gates are stacked in the order i, f, g, o, as in torch.nn.LSTM. Backward, from
the last step to the first, with dh_t and dc_t the gradients from above and from the right, and
z the gates before their activation:

    dc_t += dh_t * o_t * (1 - tanh(c_t)^2)
    dz_i = dc_t * g_t     * i_t (1 - i_t)        dz_f = dc_t * c_(t-1)   * f_t (1 - f_t)
    dz_g = dc_t * i_t     * (1 - g_t^2)          dz_o = dh_t * tanh(c_t) * o_t (1 - o_t)
    dc_(t-1) = dc_t * f_t                        dh_(t-1) = W_hh^T dz_t
    dW_hh = sum_t dz_t h_(t-1)^T                 dW_ih = sum_t dz_t x_t^T     db = sum_t dz_t
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
    sigmoid,
    sum_columns,
)


class LSTMCache(NamedTuple):
    """What backward needs of forward."""

    inputs: NDArray[Any]
    gates: Array  # (T, 4H, B): i, f, g, o after their activation
    hidden: Array  # (T+1, H, B), from the initial state on
    cell: Array  # (T+1, H, B), likewise
    tanh_cell: Array  # (T, H, B)
    workspace: Workspace


@dataclass(frozen=True)
class LSTMCell:
    """LSTM; see the module for its equations and ``Cell`` for shapes."""

    gates: ClassVar[int] = 4
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")

    def forward(
        self,
        params: Params,
        inputs: NDArray[Any],
        state: State,
        workspace: Workspace | None = None,
    ) -> tuple[Array, State, LSTMCache]:
        """Run the cell over a sequence; see ``Cell.forward``."""
        workspace = workspace or Workspace()
        weight_hh = params["weight_hh"]
        T, (H, B), dtype = len(inputs), state[0].shape, weight_hh.dtype
        bias = params["bias_ih"] + params["bias_hh"]
        gates = project_inputs(inputs, params["weight_ih"], bias, workspace)
        hidden = workspace.array("hidden", (T + 1, H, B), dtype)
        cell = workspace.array("cell", (T + 1, H, B), dtype)
        tanh_cell = workspace.array("tanh_cell", (T, H, B), dtype)
        recurrent = workspace.array("recurrent", (4 * H, B), dtype)
        product = workspace.array("product", (H, B), dtype)
        hidden[0], cell[0] = state
        for t in range(T):
            z, c = gates[t], cell[t + 1]
            np.dot(weight_hh, hidden[t], out=recurrent)
            z += recurrent
            sigmoid(z[: 2 * H], out=z[: 2 * H])
            np.tanh(z[2 * H : 3 * H], out=z[2 * H : 3 * H])
            sigmoid(z[3 * H :], out=z[3 * H :])
            i, f, g, o = z.reshape(4, H, B)
            np.multiply(f, cell[t], out=c)
            np.multiply(i, g, out=product)
            c += product
            np.tanh(c, out=tanh_cell[t])
            np.multiply(o, tanh_cell[t], out=hidden[t + 1])
        cache = LSTMCache(inputs, gates, hidden, cell, tanh_cell, workspace)
        return hidden[1:], (hidden[T].copy(), cell[T].copy()), cache

    def backward(
        self, params: Params, cache: LSTMCache, d_outputs: Array, d_state: State
    ) -> tuple[Params, Array | None, State]:
        """Backpropagate through time; see ``Cell.backward``."""
        inputs, gates, hidden, cell, tanh_cell, workspace = cache
        weight_hh = params["weight_hh"]
        T, H, B = d_outputs.shape
        d_gates = workspace.array("d_gates", gates.shape, gates.dtype)
        scratch = workspace.array("product", (H, B), gates.dtype)
        d_h, d_c = (d.copy() for d in d_state)
        for t in reversed(range(T)):
            i, f, g, o = gates[t].reshape(4, H, B)
            d_i, d_f, d_g, d_o = d_gates[t].reshape(4, H, B)
            d_h += d_outputs[t]
            # undoes h = o * tanh(c); first dz_o / (1 - o), which holds dh * o * tanh(c)
            np.multiply(d_h, o, out=scratch)
            np.multiply(scratch, tanh_cell[t], out=d_o)
            d_c += scratch
            np.multiply(d_o, tanh_cell[t], out=scratch)
            d_c -= scratch
            np.multiply(d_o, o, out=scratch)
            d_o -= scratch
            # undoes c = f * c_before + i * g, then the activations
            np.multiply(d_c, f, out=d_f)
            np.multiply(d_c, i, out=d_i)
            np.multiply(d_i, g, out=scratch)
            np.multiply(scratch, g, out=d_g)
            np.subtract(d_i, d_g, out=d_g)
            np.multiply(scratch, i, out=d_i)
            np.subtract(scratch, d_i, out=d_i)
            d_c[...] = d_f
            d_f *= cell[t]
            np.multiply(d_f, f, out=scratch)
            d_f -= scratch
            # undoes the product with W_hh
            np.dot(weight_hh.T, d_gates[t], out=d_h)
        d_columns = columns(d_gates)
        d_weight_ih, d_inputs = input_gradients(inputs, params["weight_ih"], d_gates, d_columns)
        d_bias = sum_columns(d_columns)
        grads = {
            "weight_ih": d_weight_ih,
            "weight_hh": d_columns @ columns(hidden[:-1]).T,
            "bias_ih": d_bias,
            "bias_hh": d_bias.copy(),
        }
        return grads, d_inputs, (d_h, d_c)
