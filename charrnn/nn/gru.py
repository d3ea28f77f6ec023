"""The GRU (Cho et al. 2014), in the form of torch.nn.GRU.

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_(t-1) + b_hr)            reset gate
    z_t = sigmoid(W_iz x_t + b_iz + W_hz h_(t-1) + b_hz)            update gate
    n_t =    tanh(W_in x_t + b_in + r_t * (W_hn h_(t-1) + b_hn))    candidate
    h_t = (1 - z_t) * n_t + z_t * h_(t-1)

The weights of the gates are stacked in the order r, z, n. Because r multiplies the recurrent part
of n and its bias, the input part and the recurrent part of n have separate gradients. Backward,
from the last time step to the first, with pre-activations a and u_t = W_hn h_(t-1) + b_hn:

    da_n = dh_t * (1 - z_t) * (1 - n_t^2)           du = da_n * r_t
    da_z = dh_t * (h_(t-1) - n_t) * z_t (1 - z_t)   da_r = da_n * u_t * r_t (1 - r_t)
    dh_(t-1) = dh_t * z_t + W_hh^T [da_r, da_z, du]
    dW_hh = sum_t [da_r, da_z, du] h_(t-1)^T        dW_ih = sum_t [da_r, da_z, da_n] x_t^T

``gru_step`` in tests/oracle.py is the plain version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.nn.cell import Array, Cell, Params, TimeStep, activate


@dataclass(frozen=True)
class GRUCell(Cell):
    """GRU."""

    gates: ClassVar[int] = 3
    gate_names: ClassVar[tuple[str, ...]] = ("reset", "update", "candidate")
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    sigmoids: ClassVar[tuple[int, ...]] = (0, 1)
    # r, z, u and n: the recurrent weights use u, the input weights n.
    gradients: ClassVar[int] = 4
    input_side: ClassVar[tuple[int, ...]] = (0, 1, 3)
    skips: ClassVar[bool] = True

    def forward(self, params: Params, at: TimeStep) -> None:
        """Compute the state after one time step, in place. Saves u_t."""
        r, z, n = at.gates
        h_before, h, product, u = at.before[0], at.after[0], at.recurrent[2], at.saved
        bias = params["bias_hh"][..., -h.shape[-1] :]
        np.add(product, bias if bias.ndim == 1 else bias[:, None], out=u)
        r_and_z = at.gates[:2]
        r_and_z += at.recurrent[:2]
        activate(r_and_z, (r_and_z,))
        np.multiply(r, u, out=product)
        n += product
        np.tanh(n, out=n)
        # (1 - z) * n + z * h_before, with one multiplication less
        np.subtract(h_before, n, out=h)
        h *= z
        h += n

    def backward(
        self, params: Params, at: TimeStep, d_state: Sequence[Array], d_gates: Array, scratch: Array
    ) -> None:
        """Backpropagate through ``forward``, in place."""
        r, z, n = at.gates
        d_r, d_z, d_u, d_n = d_gates
        d_h, skip, product = d_state[0], scratch[0], scratch[1]
        # the part that goes directly to h_before
        np.multiply(d_h, z, out=skip)
        # candidate, through tanh and the factor 1 - z
        np.subtract(d_h, skip, out=d_n)
        np.multiply(n, n, out=product)
        product *= d_n
        d_n -= product
        # update gate, through the sigmoid: dh * z (1 - z) = skip - skip * z
        np.multiply(skip, z, out=product)
        np.subtract(skip, product, out=product)
        np.subtract(at.before[0], n, out=d_z)
        d_z *= product
        # through r * u
        np.multiply(d_n, r, out=d_u)
        np.multiply(d_u, at.saved, out=d_r)
        np.multiply(d_r, r, out=product)
        d_r -= product
        d_h[...] = skip

    def input_bias(self, params: Params) -> Array:
        """Return both biases of r and z, but only b_in of n, because r multiplies b_hn."""
        bias = params["bias_ih"].copy()
        inside = 2 * (len(bias) // 3)
        bias[:inside] += params["bias_hh"][:inside]
        return bias
