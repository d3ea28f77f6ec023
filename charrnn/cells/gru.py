"""The GRU (Cho et al. 2014), in the form of torch.nn.GRU.

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_(t-1) + b_hr)            reset gate
    z_t = sigmoid(W_iz x_t + b_iz + W_hz h_(t-1) + b_hz)            update gate
    n_t =    tanh(W_in x_t + b_in + r_t * (W_hn h_(t-1) + b_hn))    candidate
    h_t = (1 - z_t) * n_t + z_t * h_(t-1)

The weights of the gates are stacked in the order r, z, n. Because r multiplies the recurrent part
of n and its bias, the two sides of n have gradients of their own. Backward, from the last step to
the first, with a the gates before their activation and u_t = W_hn h_(t-1) + b_hn:

    da_n = dh_t * (1 - z_t) * (1 - n_t^2)           du = da_n * r_t
    da_z = dh_t * (h_(t-1) - n_t) * z_t (1 - z_t)   da_r = da_n * u_t * r_t (1 - r_t)
    dh_(t-1) = dh_t * z_t + W_hh^T [da_r, da_z, du]
    dW_hh = sum_t [da_r, da_z, du] h_(t-1)^T        dW_ih = sum_t [da_r, da_z, da_n] x_t^T
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


class GRUCache(NamedTuple):
    """What backward needs of forward."""

    inputs: NDArray[Any]
    gates: Array  # (T, 3H, B): r, z, n after their activation
    candidate: Array  # (T, H, B): u, the recurrent part of n
    hidden: Array  # (T+1, H, B), from the initial state on
    workspace: Workspace


@dataclass(frozen=True)
class GRUCell:
    """GRU; see the module for its equations and ``Cell`` for shapes."""

    gates: ClassVar[int] = 3
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    def forward(
        self,
        params: Params,
        inputs: NDArray[Any],
        state: State,
        workspace: Workspace | None = None,
    ) -> tuple[Array, State, GRUCache]:
        """Run the cell over a sequence; see ``Cell.forward``."""
        workspace = workspace or Workspace()
        weight_hh, bias_hh = params["weight_hh"], params["bias_hh"]
        T, (H, B), dtype = len(inputs), state[0].shape, weight_hh.dtype
        bias = params["bias_ih"].copy()
        bias[: 2 * H] += bias_hh[: 2 * H]  # that of n is inside the product with r
        gates = project_inputs(inputs, params["weight_ih"], bias, workspace)
        bias_n = bias_hh[2 * H :, None]
        candidate = workspace.array("candidate", (T, H, B), dtype)
        hidden = workspace.array("hidden", (T + 1, H, B), dtype)
        recurrent = workspace.array("recurrent", (3 * H, B), dtype)
        hidden[0] = state[0]
        for t in range(T):
            r_and_z, n, u, h = gates[t, : 2 * H], gates[t, 2 * H :], candidate[t], hidden[t + 1]
            np.dot(weight_hh, hidden[t], out=recurrent)
            r_and_z += recurrent[: 2 * H]
            sigmoid(r_and_z, out=r_and_z)
            r, z = r_and_z[:H], r_and_z[H:]
            np.add(recurrent[2 * H :], bias_n, out=u)
            np.multiply(r, u, out=h)
            n += h
            np.tanh(n, out=n)
            # the new state, as n plus z times (h_before - n): one product less
            np.subtract(hidden[t], n, out=h)
            h *= z
            h += n
        cache = GRUCache(inputs, gates, candidate, hidden, workspace)
        return hidden[1:], (hidden[T].copy(),), cache

    def backward(
        self, params: Params, cache: GRUCache, d_outputs: Array, d_state: State
    ) -> tuple[Params, Array | None, State]:
        """Backpropagate through time; see ``Cell.backward``."""
        inputs, gates, candidate, hidden, workspace = cache
        weight_hh = params["weight_hh"]
        T, H, B = d_outputs.shape
        d_recurrent = workspace.array("d_recurrent", gates.shape, gates.dtype)
        d_candidate = workspace.array("d_candidate", (T, H, B), gates.dtype)
        scratch = workspace.array("scratch", (H, B), gates.dtype)
        product = workspace.array("product", (H, B), gates.dtype)
        d_h = d_state[0].copy()
        for t in reversed(range(T)):
            r, z, n = gates[t].reshape(3, H, B)
            d_r, d_z, d_u = d_recurrent[t].reshape(3, H, B)
            d_n = d_candidate[t]
            d_h += d_outputs[t]
            # the part that goes straight to h_before
            np.multiply(d_h, z, out=product)
            # the candidate, behind its tanh and the factor 1 - z
            np.subtract(d_h, product, out=d_n)
            np.multiply(n, n, out=scratch)
            scratch *= d_n
            d_n -= scratch
            # update gate, through the sigmoid: z (1 - z) * dh = product - product * z
            np.multiply(product, z, out=scratch)
            np.subtract(product, scratch, out=scratch)
            np.subtract(hidden[t], n, out=d_z)
            d_z *= scratch
            # undoes r * u
            np.multiply(d_n, r, out=d_u)
            np.multiply(d_u, candidate[t], out=d_r)
            np.multiply(d_r, r, out=scratch)
            d_r -= scratch
            # undoes the product with W_hh
            np.dot(weight_hh.T, d_recurrent[t], out=d_h)
            d_h += product
        d_columns = columns(d_recurrent)
        d_weight_hh = d_columns @ columns(hidden[:-1]).T
        d_bias_hh = sum_columns(d_columns)
        # The input side differs from the recurrent side in n alone.
        d_recurrent[:, 2 * H :] = d_candidate
        d_columns = columns(d_recurrent)
        d_weight_ih, d_inputs = input_gradients(inputs, params["weight_ih"], d_recurrent, d_columns)
        grads = {
            "weight_ih": d_weight_ih,
            "weight_hh": d_weight_hh,
            "bias_ih": sum_columns(d_columns),
            "bias_hh": d_bias_hh,
        }
        return grads, d_inputs, (d_h,)
