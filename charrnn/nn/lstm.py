"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000).

    i_t = sigmoid(W_ii x_t + b_ii + W_hi h_(t-1) + b_hi)        input gate
    f_t = sigmoid(W_if x_t + b_if + W_hf h_(t-1) + b_hf)        forget gate
    g_t =    tanh(W_ig x_t + b_ig + W_hg h_(t-1) + b_hg)        candidate
    o_t = sigmoid(W_io x_t + b_io + W_ho h_(t-1) + b_ho)        output gate
    c_t = f_t * c_(t-1) + i_t * g_t             h_t = o_t * tanh(c_t)

The weights of the gates are stacked in the order i, f, g, o. Backward, from the last time step to
the first, with pre-activations z, and dh_t, dc_t the gradients from above and from the next step:

    dc_t += dh_t * o_t * (1 - tanh(c_t)^2)
    dz_i = dc_t * g_t     * i_t (1 - i_t)        dz_f = dc_t * c_(t-1)   * f_t (1 - f_t)
    dz_g = dc_t * i_t     * (1 - g_t^2)          dz_o = dh_t * tanh(c_t) * o_t (1 - o_t)
    dc_(t-1) = dc_t * f_t                        dh_(t-1) = W_hh^T dz_t
    dW_hh = sum_t dz_t h_(t-1)^T                 dW_ih = sum_t dz_t x_t^T     db = sum_t dz_t

With a peephole (Gers & Schmidhuber 2000; here for the output gate only, with a full matrix V_o):

    o_t = sigmoid(W_io x_t + b_io + W_ho h_(t-1) + b_ho + V_o c_t)
    dc_t += V_o^T dz_o                           dV_o = sum_t dz_o c_t^T

``lstm_step`` in tests/oracle.py is the plain version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.nn.cell import HALF, Array, Cell, Params, State, TimeStep, activate


@dataclass(frozen=True)
class LSTMCell(Cell):
    """LSTM.

    peephole   if True, the output gate also sees the new cell state, through ``weight_co`` (H, H)
    """

    peephole: bool = False

    gates: ClassVar[int] = 4
    gate_names: ClassVar[tuple[str, ...]] = ("input", "forget", "candidate", "output")
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    sigmoids: ClassVar[tuple[int, ...]] = (0, 1, 3)
    gradients: ClassVar[int] = 4
    input_side: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)

    def forward(self, params: Params, at: TimeStep) -> None:
        """Compute the state after one time step, in place. Saves tanh(c_t)."""
        gates, tanh_c, (h, c) = at.gates, at.saved, at.after
        gates += at.recurrent
        i, f, g, o = gates[0], gates[1], gates[2], gates[3]  # twice as fast as unpacking
        if self.peephole:  # the output gate needs c first
            activate(gates[:3], (gates[:2],))
        else:
            activate(gates, (gates[:2], o))
        np.multiply(f, at.before[1], out=c)
        np.multiply(i, g, out=tanh_c)
        c += tanh_c
        if self.peephole:
            np.dot(c, params["weight_co"].T, out=tanh_c)
            tanh_c *= HALF[tanh_c.dtype]
            o += tanh_c
            activate(o, (o,))
        np.tanh(c, out=tanh_c)
        np.multiply(o, tanh_c, out=h)

    def backward(
        self, params: Params, at: TimeStep, d_state: Sequence[Array], d_gates: Array, scratch: Array
    ) -> None:
        """Backpropagate through ``forward``, in place."""
        i, f, g, o = at.gates
        d, product, tanh_c = scratch[:4], scratch[4], at.saved
        d_i, d_f, d_g, d_o = d
        d_h, d_c = d_state
        # through h = o * tanh(c)
        np.multiply(d_h, o, out=product)
        np.multiply(product, tanh_c, out=d_o)  # dz_o without the factor 1 - o
        d_c += product
        np.multiply(d_o, tanh_c, out=product)
        d_c -= product
        if self.peephole:
            np.multiply(d_o, o, out=product)
            d_c += np.dot(d_o - product, params["weight_co"])
        # through c = f * c_before + i * g, without the factors 1 - i, 1 - f, 1 - g^2
        np.multiply(d_c, i, out=d_g)
        np.multiply(d_g, g, out=d_i)
        d_c *= f
        np.multiply(d_c, at.before[1], out=d_f)
        # these factors: x (1 - i) = x - x i, and dz_g = d_g - (d_g g) g
        np.multiply(d_i, g, out=product)
        np.multiply(d, at.gates, out=d_gates)
        d_gates[2] = product
        np.subtract(d, d_gates, out=d_gates)

    def param_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of each parameter of a layer."""
        shapes = super().param_shapes(input_size, hidden_size)
        return shapes | {"weight_co": (hidden_size, hidden_size)} if self.peephole else shapes

    def further_gradients(self, d_gates: Array, states: State, grads: Params) -> None:
        """Write the gradient of the peephole's weights."""
        if self.peephole:
            np.dot(d_gates[3].T, states[1], out=grads["weight_co"])
