"""Step-by-step decoding: the language model one character at a time, for sampling.

``LanguageModel.forward`` prepares its weights once per sequence. Here everything that does not
change between characters is prepared once, and no array is allocated per step.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array, Blocks, Cell, Params, Workspace
from charrnn.nn.language_model import LanguageModel, ModelState

# Samples are multiplied in groups of exactly this many rows; the last group is padded. BLAS rounds
# differently for different matrix sizes, and a recurrent network can amplify a difference in the
# last bit into a different text. With a fixed size, a sample does not depend on its batch.
ROWS = 4
_LOGITS_AT_ONCE = 64


class Decoder:
    """A batch of samples, all fed one character at a time.

    model   the language model
    count   number of samples in the batch
    """

    def __init__(self, model: LanguageModel, count: int) -> None:
        self._layers: list[_Layer] = []
        inputs = None
        for params in model.layers:
            layer = _Layer(model.cell, params, inputs, count, model.config.members)
            self._layers.append(layer)
            inputs = layer.outputs
        assert inputs is not None  # noqa: S101  # there is no model without layers
        weight, self._bias = model.merged_output(), model.params["output.bias"]
        V, H = weight.shape
        # Padding the vocabulary makes it divisible into blocks.
        widened = np.zeros((1, H, _padded(V, _LOGITS_AT_ONCE)), weight.dtype)
        widened[0, :, :V] = weight.T
        self._output = _Product(widened, inputs)
        self._logits = self._output.out[0, :count, :V]

    def start(self, state: ModelState) -> None:
        """Start from a state, arrays (count, H), or from that of one sample, (1, H)."""
        for layer, parts in zip(self._layers, state, strict=True):
            for mine, part in zip(layer.state, parts, strict=True):
                mine[...] = part

    def select(self, rows: NDArray[np.integer[Any]]) -> None:
        """Give sample i the state of sample ``rows[i]``, rows (count,)."""
        for layer in self._layers:
            for part in layer.state:
                part[...] = part[rows]

    def state(self) -> ModelState:
        """Return a copy of the state of all samples, arrays (count, H)."""
        return [tuple(part.copy() for part in layer.state) for layer in self._layers]

    def feed(self, ids: NDArray[np.integer[Any]]) -> Array:
        """Feed the next character of each sample, ids (count,), and return logits (count, V).

        The next call overwrites the logits.
        """
        for layer in self._layers:
            layer.feed(ids)
        return self.logits()

    def logits(self) -> Array:
        """Return the logits (count, V) that belong to the state, as ``feed`` does."""
        self._output()
        self._logits += self._bias
        return self._logits


class _Product:
    """The product of fixed weights and a fixed input buffer, ROWS rows at a time.

    weights   (G, K, M); of an ensemble (G, members, K/members, M/members)
    x         (N, K), the buffer; N is a multiple of ROWS
    out       (G, N, M), receives the result
    """

    def __init__(self, weights: Array, x: Array, scale: Array | None = None) -> None:
        cut = Blocks(weights, Workspace(), "blocks", scale)
        G, K, M = len(weights), x.shape[1], cut.members * weights.shape[-1]
        if len(x) == ROWS:  # all gates of a sample next to each other: contiguous if it is alone
            self.out = np.empty((ROWS, G, M), weights.dtype).transpose(1, 0, 2)
        else:
            self.out = np.empty((G, len(x), M), weights.dtype)
        rows = cut.rows(x.reshape(-1, 1, ROWS, K))
        self._operands = rows, cut.blocks, cut.target(self.out, ROWS)

    def __call__(self) -> None:
        np.matmul(*self._operands)


class _Layer:
    """A layer's weights, prepared for single steps, and its state.

    inputs    (N, I), with N = count rounded up to a multiple of ROWS; None if the inputs are ids
    members   of an ensemble
    outputs   (N, H)
    state     state of the samples without padding, (count, H) each
    """

    def __init__(
        self, cell: Cell, params: Params, inputs: Array | None, count: int, members: int
    ) -> None:
        self.cell, self.params = cell, params
        weight = params["weight_hh"]
        G, H, dtype = cell.gates, len(weight) // cell.gates, weight.dtype
        scale = cell.scale(dtype)
        self.outputs = np.zeros((_padded(count, ROWS), H), dtype)
        others = [np.zeros((count, H), dtype) for _ in cell.state_names[1:]]
        self.state = [self.outputs[:count], *others]
        self._saved = np.empty((count, H), dtype)
        self._product = _Product(cell.by_gate(weight, members), self.outputs, scale)
        self._recurrent = self._product.out[:, :count]
        if inputs is None:
            self._table = cell.input_table(params)
            self._gates = np.empty((G, count, H), dtype)
        else:
            self._input = _Product(cell.by_gate(params["weight_ih"], members), inputs, scale)
            self._bias = cell.input_bias(params).reshape(G, 1, H) * scale
            self._gates = self._input.out[:, :count]
        self._first = inputs is None

    def feed(self, ids: NDArray[np.integer[Any]]) -> None:
        """Run one step on these ids or, above the first layer, on the input buffer."""
        if self._first:
            self._table.take(ids, axis=1, out=self._gates, mode="clip")
        else:
            self._input()
            self._gates += self._bias
        self._product()
        state = self.state
        self.cell.step(self.params, self._gates, self._recurrent, state, state, self._saved)


def _padded(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
