"""A cell over a sequence: the loop over time, forward and backward.

What a cell computes in one step, and its derivative, is in its own file.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells.step import CellStep, Params, State
from charrnn.nn.kernels import (
    Array,
    Blocks,
    Workspace,
    by_gate,
    input_gradients,
    one_hot_gradients,
    weight_gradients,
)

Mask = NDArray[np.bool_]

# Input weights with up to this many elements are multiplied step by step; larger ones are
# multiplied for all steps at once, which is faster.
STEP_BY_STEP = 1 << 15


class Cache(NamedTuple):
    """What ``backward`` needs from ``forward``.

    inputs      as passed to ``forward``
    gates       gate activations, (G, T, B, H)
    saved       one more array that the cell needs for its derivative, (T, B, H)
    states      states from the initial one on, (T+1, B, H) each
    workspace   scratch memory that holds these arrays
    mask        as passed to ``forward``
    starts      as passed to ``forward``
    members     as passed to ``forward``
    """

    inputs: NDArray[Any]
    gates: Array
    saved: Array
    states: State
    workspace: Workspace
    mask: Mask | None
    starts: Mask | None
    members: int


class Cell(CellStep):
    """One recurrent layer in one direction.

    Everything that does not depend on the previous step is one product over all steps: the input
    projection of the gates and, in ``backward``, the gradients of the weights. The loop over time
    only multiplies by W_hh and calls the element-wise ``step``.
    """

    def input_table(self, params: Params, ids: NDArray[Any] | None = None) -> Array:
        """Return the input projection of all ids, or of these, biases included, (G, N, H).

        The product of W_ih and a one-hot vector is a column of W_ih.
        """
        weight = params["weight_ih"].reshape(self.gates, -1, params["weight_ih"].shape[1])
        columns = weight if ids is None else weight[:, :, ids]
        bias = self.input_bias(params).reshape(self.gates, 1, -1)
        G, H, N = columns.shape
        # C order, so that the values of an id are contiguous: NumPy would keep the weights' order.
        table: Array = np.empty((G, N, H), bias.dtype)
        np.add(columns.transpose(0, 2, 1), bias, out=table)
        table *= self.scale(bias.dtype)
        return table

    def recurrent_blocks(self, params: Params, workspace: Workspace, members: int) -> Blocks:
        """Return the recurrent weights in blocks, scaled for ``step``."""
        weight = self.by_gate(params["weight_hh"], members)
        return Blocks(weight, workspace, "blocks", self.scale(weight.dtype))

    def by_gate(self, weight: Array, members: int = 1) -> Array:
        """Return a view (G, I, H) of weights (G*H, I), to multiply rows of features with.

        Of an ensemble, (G, M, I, H/M).
        """
        return by_gate(weight, self.gates, members).swapaxes(-1, -2)

    def forward(  # noqa: PLR0913, PLR0917
        self,
        params: Params,
        inputs: NDArray[Any],
        state: State,
        workspace: Workspace | None = None,
        mask: Mask | None = None,
        starts: Mask | None = None,
        members: int = 1,
    ) -> tuple[Array, State, Cache]:
        """Run the cell over a sequence.

        inputs   ids (T, B), standing for one-hot vectors, or dense features (T, B, I)
        state    one array (B, H) for each of ``state_names``
        mask     (T, B), False where a sample has no input at a step: its state does not change
        starts   (T, B), True where a sample begins anew: the state before that step is zero
        members  the units are divided among so many networks M, each connected to its own:
                 weight_hh is (G*H, H/M) and, for features, weight_ih (G*H, I/M)

        Returns outputs (T, B, H), the final state, and a cache for ``backward``. The final state is
        a copy; outputs and cache live in the workspace.
        """
        workspace = workspace or Workspace()
        T, (B, H), dtype = len(inputs), state[0].shape, params["weight_hh"].dtype
        gates = workspace.array("gates", (self.gates, T, B, H), dtype)
        saved = workspace.array("saved", (T, B, H), dtype)
        states = tuple(workspace.array(name, (T + 1, B, H), dtype) for name in self.state_names)
        for steps, initial in zip(states, state, strict=True):
            steps[0] = initial
        self._project(params, inputs, gates, members)
        weights = self.recurrent_blocks(params, workspace, members)
        recurrent = workspace.array("recurrent", (self.gates, B, H), dtype)
        target = weights.target(recurrent)
        for t in range(T):
            before, after = _state_before(states, t, starts), [s[t + 1] for s in states]
            np.matmul(weights.rows(before[0]), weights.blocks, out=target)
            self.step(params, gates[:, t], recurrent, before, after, saved[t])
            if mask is not None:
                _hold(before, after, mask[t])
        final = tuple(steps[T].copy() for steps in states)
        cache = Cache(inputs, gates, saved, states, workspace, mask, starts, members)
        return states[0][1:], final, cache

    def backward(
        self,
        params: Params,
        cache: Cache,
        d_outputs: Array | None,
        d_state: State,
        grads: Params | None = None,
    ) -> tuple[Params, Array | None, State]:
        """Backpropagate through time (Werbos 1990).

        d_outputs   gradient of the loss with respect to the outputs, (T, B, H); must be zero where
                    the mask is False. None: zeros
        d_state     gradient with respect to the final state, one (B, H) per ``state_names``
        grads       arrays for the gradients of the parameters; new ones if None

        Returns the gradients with respect to the parameters (same keys), to the inputs, (T, B, I)
        or None for ids, and to the initial state. Consumes the cache, because gradients overwrite
        the gates; does not change the other arguments.
        """
        _, gates, saved, states, workspace, mask, starts, members = cache
        G, T, B, H = gates.shape
        # If they fit, gradients overwrite the gates, which are then still in the CPU cache.
        d_gates = gates
        if self.gradients > G:
            d_gates = workspace.array("d_gates", (self.gradients, T, B, H), gates.dtype)
        scratch = workspace.array("scratch", (G + 1, B, H), gates.dtype)
        d_states = [d.copy() for d in d_state]
        d_hidden = d_states[0]
        # The gradient that a state gets from the next step: the sum over the gates and the skip.
        single = G + self.skips == 1
        parts = d_hidden[None]
        if not single:
            parts = workspace.array("parts", (G + self.skips, B, H), gates.dtype)
        weight = by_gate(params["weight_hh"], G, members)
        weights = Blocks(weight, workspace, "backward blocks")
        target = weights.target(parts[:G])
        for t in reversed(range(T)):
            if d_outputs is not None:
                d_hidden += d_outputs[t]
            d_step = d_gates[:, t]
            before = _state_before(states, t, starts)
            held = None if mask is None else [d.copy() for d in d_states]
            self.step_backward(params, gates[:, t], saved[t], before, d_states, d_step, scratch)
            if mask is not None:
                d_step *= mask[t][:, None]
            np.matmul(weights.rows(d_step[:G]), weights.blocks, out=target)
            if self.skips:
                parts[G] = d_hidden
            if not single:
                np.add.reduce(parts, axis=0, out=d_hidden)
            if held is not None and mask is not None:
                _hold(held, d_states, mask[t])
            _restart(d_states, t, starts)
        grads = grads or {name: np.empty_like(param) for name, param in params.items()}
        return grads, self._backward_all(params, cache, d_gates, grads), tuple(d_states)

    def _backward_all(
        self, params: Params, cache: Cache, d_gates: Array, grads: Params
    ) -> Array | None:
        """Compute the gradients that need no loop over time, for all steps at once.

        d_gates   gradients with respect to the pre-activations, (gradients, T, B, H)
        grads     receives the gradients of the parameters

        Returns the gradient with respect to the inputs, (T, B, I), or None for ids.
        """
        inputs, states, workspace = cache.inputs, cache.states, cache.workspace
        members = cache.members
        G, (_, T, B, H), dtype = self.gates, d_gates.shape, d_gates.dtype
        steps = d_gates.reshape(self.gradients, T * B, H)
        hidden = states[0][:-1]
        if cache.starts is not None:
            hidden = np.where(cache.starts[..., None], dtype.type(0), hidden)
        hidden = hidden.reshape(T * B, H)
        weight_gradients(steps[:G], hidden, grads["weight_hh"], members)
        ones = np.ones(T * B, dtype)  # a product with ones is faster than .sum
        d_bias = np.stack([np.dot(ones, d) for d in steps])
        grads["bias_hh"][...] = d_bias[:G].ravel()
        grads["bias_ih"][...] = d_bias[list(self.input_side)].ravel()
        self.further_gradients(steps, tuple(s[1:].reshape(T * B, H) for s in states), grads)
        d_input = [steps[row] for row in self.input_side]
        if inputs.ndim == 2:  # noqa: PLR2004
            one_hot_gradients(d_input, inputs, grads["weight_ih"], workspace)
            return None
        weight_gradients(d_input, inputs.reshape(T * B, -1), grads["weight_ih"], members)
        d_inputs = workspace.array("d_inputs", inputs.shape, dtype)
        product = workspace.array("d_inputs of a gate", inputs.shape, dtype)
        input_gradients(d_input, params["weight_ih"], d_inputs, product, members)
        return d_inputs

    def _project(self, params: Params, inputs: NDArray[Any], gates: Array, members: int) -> None:
        """Write the input projection of all gates, W_ih x_t and biases, scaled for ``step``."""
        G, H = self.gates, gates.shape[-1]
        if inputs.ndim == 2:  # noqa: PLR2004
            ids, table = inputs.ravel(), None
            if ids.size < params["weight_ih"].shape[1]:  # fewer look-ups than characters
                present, ids = np.unique(ids, return_inverse=True)
                table = self.input_table(params, present)
            else:
                table = self.input_table(params)
            # Ids are in range; "clip" makes NumPy skip a slow check and a copy.
            np.take(table, ids, axis=1, out=gates.reshape(G, -1, H), mode="clip")
            return
        scale, weight = self.scale(gates.dtype), self.by_gate(params["weight_ih"], members)
        if weight.shape[1] == members == 1:  # with a single feature, BLAS takes ten times as long
            np.multiply(inputs, (weight * scale)[:, None], out=gates)
        elif weight.size <= STEP_BY_STEP:
            # The same product at every step: bit-identical results for sequences of any length.
            B, width = inputs.shape[1:]
            cut = Blocks(weight, Workspace(), "blocks", scale)
            target = cut.target(gates.reshape(G, -1, H), B)
            np.matmul(cut.rows(inputs.reshape(-1, 1, B, width)), cut.blocks, out=target)
        elif members > 1:
            cut = Blocks(weight, Workspace(), "blocks", scale)
            rows, out = inputs.reshape(-1, inputs.shape[-1]), gates.reshape(G, -1, H)
            np.matmul(cut.rows(rows), cut.blocks, out=cut.target(out))
        else:
            weight, rows = weight * scale, inputs.reshape(-1, inputs.shape[-1])
            for gate, w in zip(gates.reshape(G, -1, H), weight, strict=True):
                np.dot(rows, w, out=gate)
        gates += (self.input_bias(params).reshape(G, 1, H) * scale)[:, None]


def _state_before(states: Sequence[Array], t: int, starts: Mask | None) -> list[Array]:
    """Return the state that step t reads, zero for the samples that start there."""
    before = [s[t] for s in states]
    if starts is not None:
        before = [part.copy() for part in before]
        _restart(before, t, starts)
    return before


def _restart(parts: Sequence[Array], t: int, starts: Mask | None) -> None:
    """Set the rows of the samples that start at step t to zero: of a state, or of its gradient."""
    if starts is not None:
        for part in parts:
            part[starts[t]] = 0


def _hold(before: Sequence[Array], after: Sequence[Array], mask: Mask) -> None:
    """Restore the rows of samples that have no input at this step; mask is (B,)."""
    for old, new in zip(before, after, strict=True):
        np.copyto(new, old, where=~mask[:, None])
