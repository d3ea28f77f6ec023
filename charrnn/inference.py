"""The model one character at a time, for writing: each character waits for the one before.

``Model.forward`` prepares its weights for the steps of one sequence. Here everything that stays the
same from character to character is prepared once, and no array is made on the way.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.cells import Array, Blocks, Cell, Params, Workspace
from charrnn.model import Model, ModelState

# Samples are multiplied in rows of exactly this many, the last ones padded. BLAS rounds differently
# for matrices of different sizes, and a recurrent network can amplify a last bit into another text;
# at a fixed size a sample has the same bits, and so the same text, in any company.
ROWS = 4
_LOGITS_AT_ONCE = 16


class Writer:
    """Several samples side by side, all fed one character at a time.

    count   how many
    """

    def __init__(self, model: Model, count: int) -> None:
        self.count = count
        padded = -(-count // ROWS) * ROWS
        self._ids = np.zeros(padded, np.intp)
        self._layers = [
            _Layer(model.cell, params, padded, first=not number)
            for number, params in enumerate(model.layers)
        ]
        weight, bias = model.params["output.weight"], model.params["output.bias"]
        V, H = weight.shape
        # A padded vocabulary can always be cut into blocks.
        widened = np.zeros((1, H, -(-V // _LOGITS_AT_ONCE) * _LOGITS_AT_ONCE), weight.dtype)
        widened[0, :, :V] = weight.T
        self._output = _Product(widened, padded)
        self._bias = bias
        self._logits = self._output.out[0, :count, :V]

    def start(self, state: ModelState) -> None:
        """Begin all samples with the state of one, (1, H) each."""
        for layer, parts in zip(self._layers, state, strict=True):
            for mine, part in zip(layer.state, parts, strict=True):
                mine[...] = part

    def feed(self, ids: NDArray[np.integer[Any]]) -> Array:
        """Read the next character of each sample, (count,); return logits (count, V).

        The logits are overwritten by the next call.
        """
        self._ids[: self.count] = ids
        inputs: NDArray[Any] = self._ids
        for layer in self._layers:
            inputs = layer.feed(inputs)
        self._output(inputs)
        self._logits += self._bias
        return self._logits


class _Product:
    """x @ weights, always ROWS rows of x at a time.

    out   (G, N, outer), where the result is written
    """

    def __init__(self, weights: Array, rows: int, scale: Array | None = None) -> None:
        G, self.inner, outer = weights.shape
        cut = Blocks(weights, Workspace(), "blocks", scale)
        self.blocks = cut.blocks
        self.out = np.empty((G, rows, outer), weights.dtype)
        self.target = cut.target(self.out, ROWS)

    def __call__(self, x: Array) -> Array:
        np.matmul(x.reshape(-1, 1, 1, ROWS, self.inner), self.blocks, out=self.target)
        return self.out


class _Layer:
    """A layer's weights as a step wants them, and its state."""

    def __init__(self, cell: Cell, params: Params, rows: int, *, first: bool) -> None:
        self.cell, self.params = cell, params
        weight = params["weight_hh"]
        G, H, dtype = cell.gates, weight.shape[1], weight.dtype
        scale = cell.scale(dtype)
        self.state = [np.zeros((rows, H), dtype) for _ in cell.state_names]
        self.kept = np.empty((rows, H), dtype)
        self.recurrent = _Product(cell.by_gate(weight), rows, scale)
        self.table = cell.input_table(params) if first else None
        if not first:
            self.input = _Product(cell.by_gate(params["weight_ih"]), rows, scale)
            self.input_bias = cell.input_bias(params).reshape(G, 1, H) * scale
        self.gates = np.empty((G, rows, H), dtype)

    def feed(self, inputs: NDArray[Any]) -> Array:
        """Do one step with ids or features of every sample; return the outputs (N, H)."""
        if self.table is not None:
            gates = self.gates
            np.take(self.table, inputs, axis=1, out=gates, mode="clip")
        else:
            gates = self.input(inputs)
            gates += self.input_bias
        recurrent = self.recurrent(self.state[0])
        self.cell.step(self.params, gates, recurrent, self.state, self.state, self.kept)
        return self.state[0]
