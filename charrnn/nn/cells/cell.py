"""What all cells share: their contract, initialization and the loop over time.

A cell's own file has only what differs: the element-wise arithmetic of one step and its derivative.
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.kernels import (
    Array,
    Blocks,
    Workspace,
    by_gate,
    input_gradients,
    one_hot_gradients,
    weight_gradients,
)

Params = dict[str, Array]
State = tuple[Array, ...]
Mask = NDArray[np.bool_]

# Input weights of up to this many are multiplied step by step, larger ones with all steps at once,
# which is quicker.
STEP_BY_STEP = 1 << 15


class Cache(NamedTuple):
    """What backward needs of forward.

    inputs   as given to forward
    gates    after their activation, (G, T, B, H)
    saved     one more array that the cell wants to see again, (T, B, H)
    states   from the initial state on, (T+1, B, H) each
    mask     as given to forward
    """

    inputs: NDArray[Any]
    gates: Array
    saved: Array
    states: State
    workspace: Workspace
    mask: Mask | None


class Cell(ABC):
    """One recurrent layer in one direction.

    params of a layer, named as in torch.nn (the model adds the layer's number):

        weight_ih  (G*H, I)     weight_hh  (G*H, H)     bias_ih, bias_hh  (G*H,)

    and what ``param_shapes`` of a cell adds to them.

    Everything that does not wait for the step before is one product over all steps: the input's
    part of the gates, and in backward the gradients of the weights. What is left for the loop is
    one product with W_hh and the element-wise ``step``.
    """

    gates: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]]
    sigmoid_gates: ClassVar[tuple[int, ...]] = ()

    # Gradients of one step: how many arrays, and which of them, gate by gate, belong to the input
    # weights. The first G always belong to the recurrent weights.
    gradients: ClassVar[int]
    input_side: ClassVar[tuple[int, ...]]
    # Does a part of the gradient reach the state before without passing through W_hh?
    skips: ClassVar[bool] = False

    @abstractmethod
    def step(  # noqa: PLR0913, PLR0917
        self,
        params: Params,
        gates: Array,
        recurrent: Array,
        before: Sequence[Array],
        after: Sequence[Array],
        saved: Array,
    ) -> None:
        """Compute one step's state from the two halves of its gates, in place.

        gates          the input's part, biases included, (G, B, H); left as the activated gates
        recurrent      the part of W_hh h_(t-1), (G, B, H); may be overwritten
        before, after  the state to read and the state to write; they may be the same arrays
        saved           (B, H), free for what ``step_backward`` wants to see again

        Both parts come scaled for ``activate``.
        """

    @abstractmethod
    def step_backward(  # noqa: PLR0913, PLR0917
        self,
        params: Params,
        gates: Array,
        saved: Array,
        before: Sequence[Array],
        d_state: Sequence[Array],
        d_gates: Array,
        scratch: Array,
    ) -> None:
        """Undo ``step``: from the gradient by its state to those by its gates.

        params, gates, saved, before    as ``step`` saw and left them
        d_state                gradients by the state after, (B, H) each. On return those by the
                               state before, but for what comes through W_hh to the first
        d_gates                to be written, (gradients, B, H), before the activation; the gates'
                               own memory if there are as many of them
        scratch                (G + 1, B, H)
        """

    def param_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return name and shape of the parameters of a layer."""
        rows = self.gates * hidden_size
        return {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }

    def further_gradients(self, d_gates: Array, states: State, grads: Params) -> None:  # noqa: B027
        """Write the gradients by the parameters that only this cell has: here none.

        d_gates   of all steps, (gradients, T*B, H)
        states    after each step, (T*B, H) each
        """

    def open_forget_gate(self, params: Params) -> None:  # noqa: B027
        """Set the biases of a forget gate, in place, so that the cell remembers at first."""

    def scale(self, dtype: np.dtype[Any]) -> Array:
        """Return what each gate's input is multiplied by, (G, 1, 1): half for a sigmoid."""
        return _scale(self.gates, self.sigmoid_gates, dtype)

    def input_bias(self, params: Params) -> Array:
        """Return the biases that can be added to the input's part, (G*H,): here both."""
        return params["bias_ih"] + params["bias_hh"]

    def input_table(self, params: Params, ids: NDArray[Any] | None = None) -> Array:
        """Return the input's part of the gates for all ids or these, biases in, (G, N, H).

        The product of W_ih with a one-hot vector is one of its columns.
        """
        weight = params["weight_ih"].reshape(self.gates, -1, params["weight_ih"].shape[1])
        columns = weight if ids is None else weight[:, :, ids]
        bias = self.input_bias(params).reshape(self.gates, 1, -1)
        G, H, N = columns.shape
        # With an id's values side by side; left to itself, NumPy keeps the order of the weights.
        table: Array = np.empty((G, N, H), bias.dtype)
        np.add(columns.transpose(0, 2, 1), bias, out=table)
        table *= self.scale(bias.dtype)
        return table

    def recurrent_blocks(self, params: Params, workspace: Workspace) -> Blocks:
        """Return the weights of a step's product with the state, scaled for ``step``."""
        weight = self.by_gate(params["weight_hh"])
        return Blocks(weight, workspace, "blocks", self.scale(weight.dtype))

    def by_gate(self, weight: Array) -> Array:
        """Return a view (G, I, H) of weights (G*H, I): what a row of features is multiplied by."""
        return by_gate(weight, self.gates).transpose(0, 2, 1)

    def forward(
        self,
        params: Params,
        inputs: NDArray[Any],
        state: State,
        workspace: Workspace | None = None,
        mask: Mask | None = None,
    ) -> tuple[Array, State, Cache]:
        """Run the cell over a sequence.

        inputs   ids (T, B), standing for one-hot vectors, or dense features (T, B, I)
        state    one array (B, H) for each of ``state_names``
        mask     (T, B), False where a sample has no input at a step: its state stays as it was

        Returns outputs (T, B, H), the final state, and a cache for backward. The final state is
        the caller's to keep; outputs and cache belong to the workspace.
        """
        workspace = workspace or Workspace()
        T, (B, H), dtype = len(inputs), state[0].shape, params["weight_hh"].dtype
        gates = workspace.array("gates", (self.gates, T, B, H), dtype)
        saved = workspace.array("saved", (T, B, H), dtype)
        states = tuple(workspace.array(name, (T + 1, B, H), dtype) for name in self.state_names)
        for steps, initial in zip(states, state, strict=True):
            steps[0] = initial
        self._project(params, inputs, gates)
        weights = self.recurrent_blocks(params, workspace)
        recurrent = workspace.array("recurrent", (self.gates, B, H), dtype)
        target = weights.target(recurrent)
        for t in range(T):
            before, after = [s[t] for s in states], [s[t + 1] for s in states]
            np.matmul(before[0], weights.blocks, out=target)
            self.step(params, gates[:, t], recurrent, before, after, saved[t])
            if mask is not None:
                _hold(before, after, mask[t])
        final = tuple(steps[T].copy() for steps in states)
        return states[0][1:], final, Cache(inputs, gates, saved, states, workspace, mask)

    def backward(
        self,
        params: Params,
        cache: Cache,
        d_outputs: Array | None,
        d_state: State,
        grads: Params | None = None,
    ) -> tuple[Params, Array | None, State]:
        """Backpropagate through time (Werbos 1990).

        d_outputs   gradient of the loss by the outputs, (T, B, H); zero where the mask is False.
                    None: zero everywhere
        d_state     gradient by the final state, one (B, H) for each of ``state_names``
        grads       arrays for the gradients by the params; new ones if None

        Returns gradients by the params (same keys), by the inputs (T, B, I) or None for ids, and by
        the initial state. The cache is used up: gradients are written over the gates. The arguments
        are left as they were.
        """
        _, gates, saved, states, workspace, mask = cache
        G, T, B, H = gates.shape
        # In the memory of the gates themselves if they fit: each step's are hot, just read.
        d_gates = gates
        if self.gradients > G:
            d_gates = workspace.array("d_gates", (self.gradients, T, B, H), gates.dtype)
        scratch = workspace.array("scratch", (G + 1, B, H), gates.dtype)
        d_states = [d.copy() for d in d_state]
        d_hidden = d_states[0]
        # What a step's state gets from the step after, summed over the gates and over the skip.
        single = G + self.skips == 1
        parts = d_hidden[None]
        if not single:
            parts = workspace.array("parts", (G + self.skips, B, H), gates.dtype)
        weights = Blocks(by_gate(params["weight_hh"], G), workspace, "backward blocks")
        target = weights.target(parts[:G])
        for t in reversed(range(T)):
            if d_outputs is not None:
                d_hidden += d_outputs[t]
            d_step = d_gates[:, t]
            before = [s[t] for s in states]
            held = None if mask is None else [d.copy() for d in d_states]
            self.step_backward(params, gates[:, t], saved[t], before, d_states, d_step, scratch)
            if mask is not None:
                d_step *= mask[t][:, None]
            np.matmul(d_step[:G, None], weights.blocks, out=target)
            if self.skips:
                parts[G] = d_hidden
            if not single:
                np.add.reduce(parts, axis=0, out=d_hidden)
            if held is not None and mask is not None:
                _hold(held, d_states, mask[t])
        grads = grads or {name: np.empty_like(param) for name, param in params.items()}
        return grads, self._backward_all(params, cache, d_gates, grads), tuple(d_states)

    def _backward_all(
        self, params: Params, cache: Cache, d_gates: Array, grads: Params
    ) -> Array | None:
        """Do what waits for no other step, for all steps at once.

        d_gates   (gradients, T, B, H), before the activation
        grads     where the gradients by the params go

        Returns the gradient by the inputs, (T, B, I), or None for ids.
        """
        inputs, states, workspace = cache.inputs, cache.states, cache.workspace
        G, (_, T, B, H), dtype = self.gates, d_gates.shape, d_gates.dtype
        steps = d_gates.reshape(self.gradients, T * B, H)
        weight_gradients(steps[:G], states[0][:-1].reshape(T * B, H), grads["weight_hh"])
        ones = np.ones(T * B, dtype)  # a product with ones is quicker than .sum
        d_bias = np.stack([np.dot(ones, d) for d in steps])
        grads["bias_hh"][...] = d_bias[:G].ravel()
        grads["bias_ih"][...] = d_bias[list(self.input_side)].ravel()
        self.further_gradients(steps, tuple(s[1:].reshape(T * B, H) for s in states), grads)
        d_input = [steps[row] for row in self.input_side]
        if inputs.ndim == 2:  # noqa: PLR2004
            one_hot_gradients(d_input, inputs, grads["weight_ih"], workspace)
            return None
        weight_gradients(d_input, inputs.reshape(T * B, -1), grads["weight_ih"])
        d_inputs = workspace.array("d_inputs", inputs.shape, dtype)
        product = workspace.array("d_inputs of a gate", inputs.shape, dtype)
        input_gradients(d_input, params["weight_ih"], d_inputs, product)
        return d_inputs

    def _project(self, params: Params, inputs: NDArray[Any], gates: Array) -> None:
        """Write the input's part of all gates, W_ih x_t and biases, scaled for ``step``."""
        G, H = self.gates, gates.shape[-1]
        if inputs.ndim == 2:  # noqa: PLR2004
            ids, table = inputs.ravel(), None
            if ids.size < params["weight_ih"].shape[1]:  # more characters than are looked up
                present, ids = np.unique(ids, return_inverse=True)
                table = self.input_table(params, present)
            else:
                table = self.input_table(params)
            # Ids are in range; "clip" only spares NumPy a slow check and a copy.
            np.take(table, ids, axis=1, out=gates.reshape(G, -1, H), mode="clip")
            return
        scale, weight = self.scale(gates.dtype), self.by_gate(params["weight_ih"])
        if weight.shape[1] == 1:  # BLAS takes ten times as long over a single feature
            np.multiply(inputs, (weight * scale)[:, None], out=gates)
        elif weight.size <= STEP_BY_STEP:
            # Every step the same product: it has the same bits in a sequence of any length.
            B, inner = inputs.shape[1:]
            cut = Blocks(weight, Workspace(), "blocks", scale)
            target = cut.target(gates.reshape(G, -1, H), B)
            np.matmul(inputs.reshape(-1, 1, 1, B, inner), cut.blocks, out=target)
        else:
            weight, rows = weight * scale, inputs.reshape(-1, inputs.shape[-1])
            for gate, w in zip(gates.reshape(G, -1, H), weight, strict=True):
                np.dot(rows, w, out=gate)
        gates += (self.input_bias(params).reshape(G, 1, H) * scale)[:, None]


@functools.cache
def _scale(gates: int, sigmoid_gates: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    scale = np.ones((gates, 1, 1), dtype)
    scale[list(sigmoid_gates)] = 0.5
    return scale


def init_params(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    rng: np.random.Generator,
    fan_in: int | None = None,
) -> Params:
    """Draw a layer's parameters from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does, in float64.

    fan_in   units that a unit sees, in place of H
    """
    bound = 1 / math.sqrt(fan_in or hidden_size)
    shapes = cell.param_shapes(input_size, hidden_size)
    return {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}


def _hold(before: Sequence[Array], after: Sequence[Array], mask: Mask) -> None:
    """Put back the rows of samples that have no input at this step, (B,)."""
    for old, new in zip(before, after, strict=True):
        np.copyto(new, old, where=~mask[:, None])
