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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.cells.cell import Array, Cell, Params, activate


@dataclass(frozen=True)
class LSTMCell(Cell):
    """LSTM; see the module for its equations and ``Cell`` for shapes."""

    gates: ClassVar[int] = 4
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    sigmoid_gates: ClassVar[tuple[int, ...]] = (0, 1, 3)
    gradients: ClassVar[int] = 4
    input_side: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)

    def step(  # noqa: PLR0913, PLR0917
        self,
        params: Params,  # noqa: ARG002
        gates: Array,
        recurrent: Array,
        before: Sequence[Array],
        after: Sequence[Array],
        kept: Array,
    ) -> None:
        """See ``Cell.step``. Keeps tanh(c_t)."""
        gates += recurrent
        i, f, g, o = gates[0], gates[1], gates[2], gates[3]  # half the time of unpacking
        activate(gates, (gates[:2], o))
        h, c = after
        np.multiply(f, before[1], out=c)
        np.multiply(i, g, out=kept)
        c += kept
        np.tanh(c, out=kept)
        np.multiply(o, kept, out=h)

    def step_backward(  # noqa: PLR0913, PLR0917
        self,
        gates: Array,
        kept: Array,
        before: Sequence[Array],
        d_state: Sequence[Array],
        d_gates: Array,
        scratch: Array,
    ) -> None:
        """See ``Cell.step_backward``."""
        i, f, g, _ = gates
        d, product = scratch[:4], scratch[4]
        d_i, d_f, d_g, d_o = d
        d_h, d_c = d_state
        tanh_c = kept
        # undoes h = o * tanh(c)
        np.multiply(d_h, gates[3], out=product)
        np.multiply(product, tanh_c, out=d_o)  # dz_o but for the factor 1 - o
        d_c += product
        np.multiply(d_o, tanh_c, out=product)
        d_c -= product
        # undoes c = f * c_before + i * g; the same but for the factors 1 - i, 1 - f, 1 - g^2
        np.multiply(d_c, i, out=d_g)
        np.multiply(d_g, g, out=d_i)
        d_c *= f
        np.multiply(d_c, before[1], out=d_f)
        # those factors: x (1 - i) = x - x i, and dz_g = d_g - (d_g g) g
        np.multiply(d_i, g, out=product)
        np.multiply(d, gates, out=d_gates)
        d_gates[2] = product
        np.subtract(d, d_gates, out=d_gates)
