"""The loop over time: a cell over a sequence, forward and backward.

Everything that does not depend on the previous time step is one product over all time steps: the
input projection of the gates and, backward, the gradients of the weights. The loop only multiplies
by W_hh and calls the cell.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cell import Cell, Gradients, Params, State, TimeStep
from charrnn.nn.kernels import (
    Array,
    Blocks,
    Workspace,
    input_gradients,
    one_hot_gradients,
    split_gates,
    weight_gradients,
)

Mask = NDArray[np.bool_]

# Input weights with up to this many elements are multiplied time step by time step; larger ones for
# all time steps at once, which is faster.
STEPWISE_WEIGHTS = 1 << 15


class Cache(NamedTuple):
    """What ``backpropagate`` needs from ``unroll``.

    inputs      as passed to ``unroll``
    gates       gate activations, (G, T, B, H)
    saved       what the cell saves besides, (T, B, H)
    states      states from the initial one on, (T+1, B, H) each
    starts      as passed to ``unroll``
    workspace   scratch memory that holds these arrays
    """

    inputs: NDArray[Any]
    gates: Array
    saved: Array
    states: State
    starts: Mask | None
    workspace: Workspace


def unroll(
    cell: Cell,
    params: Params,
    inputs: NDArray[Any],
    state: State,
    workspace: Workspace | None = None,
    starts: Mask | None = None,
) -> tuple[Array, State, Cache]:
    """Run a cell over a sequence.

    inputs   ids (T, B), standing for one-hot vectors, or features (T, B, I)
    state    initial state, (B, H) for each of ``cell.state_names``
    starts   (T, B), True where a sample begins: the state before that time step is zero

    Returns outputs (T, B, H), the final state, and a cache for ``backpropagate``. The final state
    is a copy; outputs and cache live in the workspace.
    """
    workspace = workspace or Workspace()
    T, (B, H), dtype = len(inputs), state[0].shape, params["weight_hh"].dtype
    gates = workspace.array("gates", (cell.gates, T, B, H), dtype)
    saved = workspace.array("saved", (T, B, H), dtype)
    states = tuple(workspace.array(name, (T + 1, B, H), dtype) for name in cell.state_names)
    for steps, initial in zip(states, state, strict=True):
        steps[0] = initial
    _project(cell, params, inputs, gates)
    weight = split_gates(params["weight_hh"], cell.gates).swapaxes(1, 2)
    buffer = workspace.array("blocks", params["weight_hh"].shape, dtype)
    weights = Blocks(weight, buffer, cell.scale(dtype))
    recurrent = workspace.array("recurrent", (cell.gates, B, H), dtype)
    product = weights.columns(recurrent)
    cache = Cache(inputs, gates, saved, states, starts, workspace)
    for t in range(T):
        at = _time_step(cache, recurrent, t)
        np.matmul(weights.rows(at.before[0]), weights.blocks, out=product)
        cell.forward(params, at)
    return states[0][1:], tuple(part[T].copy() for part in states), cache


def backpropagate(
    cell: Cell,
    params: Params,
    cache: Cache,
    d_outputs: Array | None,
    d_state: State,
    grads: Params | None = None,
) -> tuple[Params, Array | None, State]:
    """Backpropagate through time (Werbos 1990).

    cache       from ``unroll``; consumed, because gradients overwrite the gates
    d_outputs   gradient of the loss with respect to the outputs, (T, B, H); None: zeros
    d_state     gradient with respect to the final state, (B, H) each
    grads       arrays for the gradients of the parameters; new ones if None

    Returns the gradients of the parameters (same keys), of the inputs, (T, B, I) or None for ids,
    and of the initial state.
    """
    gates, workspace = cache.gates, cache.workspace
    G, T, B, H = gates.shape
    # If they fit, gradients overwrite the gates, which are then still in the CPU cache.
    d_gates = gates
    if cell.gradients > G:
        d_gates = workspace.array("d_gates", (cell.gradients, T, B, H), gates.dtype)
    scratch = workspace.array("scratch", (G + 1, B, H), gates.dtype)
    recurrent = workspace.array("recurrent", (G, B, H), gates.dtype)
    d_states = [part.copy() for part in d_state]
    d_hidden = d_states[0]
    # dh_(t-1) is the sum over the gates, and of what skips W_hh.
    parts = d_hidden[None]
    if G + cell.skips > 1:
        parts = workspace.array("parts", (G + cell.skips, B, H), gates.dtype)
    buffer = workspace.array("backward blocks", params["weight_hh"].shape, gates.dtype)
    weights = Blocks(split_gates(params["weight_hh"], G), buffer)
    product = weights.columns(parts[:G])
    for t in reversed(range(T)):
        if d_outputs is not None:
            d_hidden += d_outputs[t]
        d_step = d_gates[:, t]
        at = _time_step(cache, recurrent, t)
        cell.backward(params, at, Gradients(d_states, d_step, scratch))
        np.matmul(weights.rows(d_step[:G]), weights.blocks, out=product)
        if cell.skips:
            parts[G] = d_hidden
        if len(parts) > 1:
            np.add.reduce(parts, axis=0, out=d_hidden)
        if cache.starts is not None:
            _reset(d_states, cache.starts[t])
    grads = grads or {name: np.empty_like(param) for name, param in params.items()}
    return grads, _backpropagate_products(cell, params, cache, d_gates, grads), tuple(d_states)


def _backpropagate_products(
    cell: Cell, params: Params, cache: Cache, d_gates: Array, grads: Params
) -> Array | None:
    """Compute the gradients that need no loop over time.

    d_gates   gradients of the pre-activations, (``cell.gradients``, T, B, H)
    grads     receives the gradients of the parameters

    Returns the gradient of the inputs, (T, B, I), or None for ids.
    """
    inputs, states, workspace = cache.inputs, cache.states, cache.workspace
    G, (_, T, B, H), dtype = cell.gates, d_gates.shape, d_gates.dtype
    d_rows = d_gates.reshape(cell.gradients, T * B, H)
    hidden = states[0][:-1]
    if cache.starts is not None:
        hidden = np.where(cache.starts[..., None], dtype.type(0), hidden)
    weight_gradients(d_rows[:G], hidden.reshape(T * B, H), grads["weight_hh"])
    ones = np.ones(T * B, dtype)  # a product with ones is faster than .sum
    d_bias = np.stack([np.dot(ones, d) for d in d_rows])
    grads["bias_hh"][...] = d_bias[:G].ravel()
    grads["bias_ih"][...] = d_bias[list(cell.input_side)].ravel()
    cell.further_gradients(d_rows, tuple(part[1:].reshape(T * B, H) for part in states), grads)
    d_input = [d_rows[number] for number in cell.input_side]
    if inputs.ndim == 2:
        one_hot_gradients(d_input, inputs, grads["weight_ih"], workspace)
        return None
    rows = inputs.reshape(T * B, -1)
    weight_gradients(d_input, rows, grads["weight_ih"])
    d_inputs = workspace.array("d_inputs", rows.shape, dtype)
    input_gradients(d_input, params["weight_ih"], d_inputs, workspace)
    return d_inputs.reshape(inputs.shape)


def project_ids(cell: Cell, params: Params, ids: NDArray[Any] | None = None) -> Array:
    """Return the scaled input projection of all ids, or of these, biases included, (G, N, H).

    The product of W_ih and a one-hot vector is a column of W_ih.
    """
    columns = split_gates(params["weight_ih"], cell.gates)
    columns = columns if ids is None else columns[:, :, ids]
    bias = cell.input_bias(params).reshape(cell.gates, 1, -1)
    G, H, N = columns.shape
    # C order, so that the values of an id are contiguous: NumPy would keep the weights' order.
    table: Array = np.empty((G, N, H), bias.dtype)
    np.add(columns.transpose(0, 2, 1), bias, out=table)
    table *= cell.scale(bias.dtype)
    return table


def _project(cell: Cell, params: Params, inputs: NDArray[Any], gates: Array) -> None:
    """Write the scaled input projection of all time steps, W_ih x_t and biases, (G, T, B, H)."""
    G, T, B, H = gates.shape
    if inputs.ndim == 2:
        ids: NDArray[Any] | None = None
        rows = inputs.ravel()
        if rows.size < params["weight_ih"].shape[1]:  # fewer look-ups than characters
            ids, rows = np.unique(rows, return_inverse=True)
        # Ids are in range; "clip" makes NumPy skip a slow check and a copy.
        np.take(
            project_ids(cell, params, ids), rows, axis=1, out=gates.reshape(G, -1, H), mode="clip"
        )
        return
    scale = cell.scale(gates.dtype)
    weight = split_gates(params["weight_ih"], G).swapaxes(1, 2)  # (G, I, H)
    if weight.shape[1] == 1:  # with a single feature, BLAS takes ten times as long
        np.multiply(inputs, (weight * scale)[:, None], out=gates)
    elif weight.size <= STEPWISE_WEIGHTS:
        # The same product at every time step: bit-identical results for sequences of any length.
        blocks = Blocks(weight, scale=scale)
        product = blocks.columns(gates.swapaxes(0, 1))
        np.matmul(blocks.rows(inputs[:, None]), blocks.blocks, out=product)
    else:
        for gate, w in zip(gates.reshape(G, T * B, H), weight * scale, strict=True):
            np.dot(inputs.reshape(T * B, -1), w, out=gate)
    gates += (cell.input_bias(params).reshape(G, 1, H) * scale)[:, None]


def _time_step(cache: Cache, recurrent: Array, t: int) -> TimeStep:
    """Return the arrays of time step t; the state before is zero for the samples that start."""
    states = cache.states
    before = [part[t] for part in states]
    if cache.starts is not None:
        before = [part.copy() for part in before]
        _reset(before, cache.starts[t])
    after = [part[t + 1] for part in states]
    return TimeStep(cache.gates[:, t], recurrent, before, after, cache.saved[t])


def _reset(parts: Sequence[Array], starts: Mask) -> None:
    """Set the rows of the samples that start to zero: of a state, or of its gradient."""
    for part in parts:
        part[starts] = 0
