"""The loop over time: a cell over a sequence, forward and backward, with all matrix products.

Everything that does not depend on the previous time step is one product over all time steps: the
input projection of the gates and, backward, the gradients of the weights. The loop only multiplies
by W_hh and calls the cell.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.nn.cell import Array, Cell, Params, State, TimeStep, split_gates

Mask = NDArray[np.bool_]

# OpenBLAS skips packing (copying) both operands if M*N*K is at most a million. With blocks of this
# many weights, that is the case for up to 61 samples.
BLOCK_WEIGHTS = 1 << 14
MIN_BLOCK_WIDTH = 16

# Input weights with up to this many elements are multiplied time step by time step; larger ones for
# all time steps at once, which is faster.
STEPWISE_WEIGHTS = 1 << 15


class Workspace:
    """Scratch arrays, allocated once for each name and shape and then reused.

    Outputs and cache of a forward pass live in its workspace and are valid until the next forward
    pass with the same workspace.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}
        self._parts: dict[int, Workspace] = {}

    def part(self, number: int) -> "Workspace":
        """Return the workspace of a layer, or of a network."""
        return self._parts.setdefault(number, Workspace())

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an uninitialized array of this shape."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


def make_blocks(weights: Array, buffer: Array | None = None, scale: Array | None = None) -> Array:
    """Return weights (..., K, N), times a scale, in blocks (..., N/W, K, W) of W columns.

    BLAS spends up to a third of the time of a small product packing the weights. Here they are
    rearranged once for all time steps:

        np.matmul(x[..., None, :, :], blocks, out=split_columns(out, W))       # out = x weights

    buffer   where the blocks go, same size as the weights; None: new memory
    scale    broadcast against the weights
    """
    K, N = weights.shape[-2:]
    # The widest blocks that divide N, or all of it if none does.
    widths = range(min(BLOCK_WEIGHTS // K, N), MIN_BLOCK_WIDTH - 1, -1)
    cut = split_columns(weights, next((width for width in widths if N % width == 0), N))
    blocks = np.empty(cut.shape, weights.dtype) if buffer is None else buffer.reshape(cut.shape)
    return np.multiply(cut, 1 if scale is None else scale[..., None], out=blocks)


def split_columns(array: Array, width: int) -> Array:
    """Return a view (..., N/W, R, W) of an array (..., R, N)."""
    return array.reshape(*array.shape[:-1], -1, width).swapaxes(-2, -3)


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

    def time_step(self, recurrent: Array, t: int) -> TimeStep:
        """Return the arrays of time step t; the state before is zero for samples that start."""
        before = [part[t] for part in self.states]
        if self.starts is not None:
            before = [part.copy() for part in before]
            for part in before:
                part[self.starts[t]] = 0
        after = [part[t + 1] for part in self.states]
        return TimeStep(self.gates[:, t], recurrent, before, after, self.saved[t])


def unroll(
    cell: Cell,
    params: Params,
    inputs: NDArray[Any],
    state: State,
    workspace: Workspace | None = None,
    starts: Mask | None = None,
) -> tuple[Array, State, Cache]:
    """Run a cell over a sequence. Returns outputs (T, B, H), the final state, a copy, and a cache.

    state   an array for each of ``cell.state_names``
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
    blocks = make_blocks(weight, buffer, cell.scale(dtype))
    recurrent = workspace.array("recurrent", (cell.gates, B, H), dtype)
    product = split_columns(recurrent, blocks.shape[-1])
    cache = Cache(inputs, gates, saved, states, starts, workspace)
    for t in range(T):
        at = cache.time_step(recurrent, t)
        np.matmul(at.before[0], blocks, out=product)
        cell.forward(params, at)
    return states[0][1:], tuple(part[T].copy() for part in states), cache


def backpropagate(
    cell: Cell,
    params: Params,
    cache: Cache,
    d_outputs: Array,
    d_state: State,
    grads: Params,
) -> tuple[Array | None, State]:
    """Backpropagate through ``unroll`` (Werbos 1990), from the gradient of its final state.

    grads   receives the gradients of the parameters

    Returns the gradients of the inputs, None for ids, and of the initial state.
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
    d_hidden, count = d_states[0], G + cell.skips
    # dh_(t-1) is the sum over the gates, and of what skips W_hh.
    parts = d_hidden[None] if count == 1 else workspace.array("parts", (count, B, H), gates.dtype)
    buffer = workspace.array("backward blocks", params["weight_hh"].shape, gates.dtype)
    blocks = make_blocks(split_gates(params["weight_hh"], G), buffer)
    product = split_columns(parts[:G], blocks.shape[-1])
    for t in reversed(range(T)):
        d_hidden += d_outputs[t]
        d_step = d_gates[:, t]
        cell.backward(params, cache.time_step(recurrent, t), d_states, d_step, scratch)
        np.matmul(d_step[:G, None], blocks, out=product)
        if cell.skips:
            parts[G] = d_hidden
        if count > 1:
            np.add.reduce(parts, axis=0, out=d_hidden)
        if cache.starts is not None:
            for part in d_states:
                part[cache.starts[t]] = 0
    return _backpropagate_products(cell, params, cache, d_gates, grads), tuple(d_states)


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
        table = project_ids(cell, params, ids)
        # Ids are in range; "clip" makes NumPy skip a slow check and a copy.
        np.take(table, rows, axis=1, out=gates.reshape(G, -1, H), mode="clip")
        return
    scale = cell.scale(gates.dtype)
    weight = split_gates(params["weight_ih"], G).swapaxes(1, 2)  # (G, I, H)
    if weight.shape[1] == 1:  # with a single feature, BLAS takes ten times as long
        np.multiply(inputs, (weight * scale)[:, None], out=gates)
    elif weight.size <= STEPWISE_WEIGHTS:
        # The same product at every time step: bit-identical results for sequences of any length.
        blocks = make_blocks(weight, scale=scale)
        product = split_columns(gates.swapaxes(0, 1), blocks.shape[-1])
        np.matmul(inputs[:, None, None], blocks, out=product)
    else:
        for gate, w in zip(gates.reshape(G, T * B, H), weight * scale, strict=True):
            np.dot(inputs.reshape(T * B, -1), w, out=gate)
    gates += (cell.input_bias(params).reshape(G, 1, H) * scale)[:, None]


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
    _weight_gradients(d_rows[:G], hidden.reshape(T * B, H), grads["weight_hh"])
    ones = np.ones(T * B, dtype)  # a product with ones is faster than .sum
    d_bias = np.stack([np.dot(ones, d) for d in d_rows])
    grads["bias_hh"][...] = d_bias[:G].ravel()
    grads["bias_ih"][...] = d_bias[list(cell.input_side)].ravel()
    cell.further_gradients(d_rows, tuple(part[1:].reshape(T * B, H) for part in states), grads)
    d_input = [d_rows[number] for number in cell.input_side]
    if inputs.ndim == 2:
        _one_hot_gradients(d_input, inputs, grads["weight_ih"], workspace)
        return None
    rows = inputs.reshape(T * B, -1)
    _weight_gradients(d_input, rows, grads["weight_ih"])
    # dx_t = W_ih^T dz_t, summed over the gates
    d_inputs = workspace.array("d_inputs", rows.shape, dtype)
    product = workspace.array("d_inputs of a gate", rows.shape, dtype)
    first, *others = zip(d_input, split_gates(params["weight_ih"], G), strict=True)
    np.dot(*first, out=d_inputs)
    for d_gate, w in others:
        d_inputs += np.dot(d_gate, w, out=product)
    return d_inputs.reshape(inputs.shape)


def _weight_gradients(d_gates: Sequence[Array] | Array, inputs: Array, out: Array) -> None:
    """Write dW = sum_t dz_t x_t^T, (G*H, I), for the dz of each gate (T*B, H) and x (T*B, I)."""
    for d_gate, grad in zip(d_gates, split_gates(out, len(d_gates)), strict=True):
        np.dot(d_gate.T, inputs, out=grad)


def _one_hot_gradients(
    d_gates: Sequence[Array], ids: NDArray[Any], out: Array, workspace: Workspace
) -> None:
    """Write dW for inputs that are ids, (T, B).

    It multiplies with the one-hot matrix of the characters in the batch only: with a vocabulary of
    thousands of characters, most columns of the gradient are zero.
    """
    present, row = np.unique(ids, return_inverse=True)
    one_hot = workspace.array("one-hot", (row.size, present.size), out.dtype)
    one_hot[...] = 0
    one_hot[np.arange(row.size), row.ravel()] = 1
    if present.size == out.shape[1]:
        _weight_gradients(d_gates, one_hot, out)
        return
    narrow = workspace.array("narrow", (len(out), present.size), out.dtype)
    _weight_gradients(d_gates, one_hot, narrow)
    out[...] = 0
    out[:, present] = narrow
