"""The Elman RNN (Elman 1990).

    h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)        act = tanh or relu

Backward, from the last step to the first, with pre-activations a, and dh_t the gradient from the
layer above and from the next step:

    da_t = dh_t * act'(a_t)         tanh' = 1 - h_t^2       relu' = (h_t > 0)
    dh_(t-1) = W_hh^T da_t
    dW_hh = sum_t da_t h_(t-1)^T    dW_ih = sum_t da_t x_t^T    db = sum_t da_t
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.config import Nonlinearity
from charrnn.nn.cells.cell import Cell
from charrnn.nn.cells.step import Params
from charrnn.nn.kernels import Array


@dataclass(frozen=True)
class RNNCell(Cell):
    """Elman RNN; see the module for its equations and ``Cell`` for shapes."""

    nonlinearity: Nonlinearity = "tanh"

    gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    gradients: ClassVar[int] = 1
    input_side: ClassVar[tuple[int, ...]] = (0,)

    def step(  # noqa: PLR0913, PLR0917
        self,
        params: Params,  # noqa: ARG002
        gates: Array,
        recurrent: Array,
        before: Sequence[Array],  # noqa: ARG002
        after: Sequence[Array],
        saved: Array,  # noqa: ARG002
    ) -> None:
        """See ``Cell.step``."""
        a = gates[0]
        a += recurrent[0]
        if self.nonlinearity == "relu":
            np.maximum(a, 0, out=a)
        else:
            np.tanh(a, out=a)
        after[0][...] = a

    def step_backward(  # noqa: PLR0913, PLR0917
        self,
        params: Params,  # noqa: ARG002
        gates: Array,
        saved: Array,  # noqa: ARG002
        before: Sequence[Array],  # noqa: ARG002
        d_state: Sequence[Array],
        d_gates: Array,
        scratch: Array,
    ) -> None:
        """See ``Cell.step_backward``."""
        h, d_h, d_a = gates[0], d_state[0], d_gates[0]
        if self.nonlinearity == "relu":
            np.multiply(d_h, h > 0, out=d_a)
            return
        np.multiply(h, h, out=scratch[0])
        scratch[0] *= d_h
        np.subtract(d_h, scratch[0], out=d_a)
