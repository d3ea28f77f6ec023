"""The Elman RNN (Elman 1990, "Finding structure in time").

    h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)        act = tanh or relu

Backward, from the last time step to the first, with pre-activations a, and dh_t the gradient from
the layer above and from the next time step:

    da_t = dh_t * act'(a_t)         tanh' = 1 - h_t^2       relu' = (h_t > 0)
    dh_(t-1) = W_hh^T da_t
    dW_hh = sum_t da_t h_(t-1)^T    dW_ih = sum_t da_t x_t^T    db = sum_t da_t
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.config import Nonlinearity
from charrnn.nn.cell import Array, Cell, Params, TimeStep


@dataclass(frozen=True)
class RNNCell(Cell):
    """Elman RNN. Its only gate is its state."""

    nonlinearity: Nonlinearity = "tanh"

    gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    gradients: ClassVar[int] = 1
    input_side: ClassVar[tuple[int, ...]] = (0,)

    def forward(self, params: Params, at: TimeStep) -> None:
        """Compute the state after one time step, in place."""
        a = at.gates[0]
        a += at.recurrent[0]
        if self.nonlinearity == "relu":
            np.maximum(a, 0, out=a)
        else:
            np.tanh(a, out=a)
        at.after[0][...] = a

    def backward(
        self, params: Params, at: TimeStep, d_state: Sequence[Array], d_gates: Array, scratch: Array
    ) -> None:
        """Backpropagate through ``forward``, in place."""
        h, d_h, d_a, square = at.gates[0], d_state[0], d_gates[0], scratch[0]
        if self.nonlinearity == "relu":
            np.multiply(d_h, h > 0, out=d_a)
            return
        np.multiply(h, h, out=square)
        square *= d_h
        np.subtract(d_h, square, out=d_a)
