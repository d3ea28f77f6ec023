"""Decoding: an ensemble one character at a time, for sampling.

``LanguageModel.forward`` prepares its weights once per sequence. Here everything that does not
change between characters is prepared once, and no array is allocated per character. The weights of
the M networks are stacked, so that one call serves all of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cell import Array, Cell, Params, TimeStep, split_gates
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import LanguageModel, LayerStates
from charrnn.nn.recurrent import make_blocks, project_ids


def _has_avx512() -> bool:
    config: Any = np.show_config(mode="dicts")
    found = config.get("SIMD Extensions", {}).get("found", [])
    return any(name.startswith(("AVX512", "X86_V4")) for name in found)


# Samples are multiplied in groups of this many rows; the last group is padded. BLAS rounds
# differently for different matrix sizes, and a recurrent network can amplify a difference in the
# last bit into a different text. With a fixed size, a sample does not depend on its batch. Without
# AVX-512, OpenBLAS packs (copies) the weights for each product, unless it has a single row.
ROWS = 4 if _has_avx512() else 1
# With AVX-512, its kernel for products of at most this many multiplications rounds each of two
# rows or more alike: one sample or two are multiplied as a pair.
MAX_SMALL, PAIR = 10**6, 2
VOCAB_MULTIPLE = 64 if _has_avx512() else 16
CACHE_LINE = 64


class Decoder:
    """A batch of samples, all fed one character at a time.

    model   one network, or several
    count   number of samples in the batch (B)
    """

    def __init__(self, model: LanguageModel | Ensemble, count: int) -> None:
        networks, self._depth = model.networks, model.config.layers
        self._layers: list[_Layer] = []
        inputs = None
        for depth in range(self._depth):
            layer = _Layer(model.cell, [net.layers[depth] for net in networks], inputs, count)
            self._layers.append(layer)
            inputs = layer.outputs
        assert inputs is not None  # a model has at least one layer
        M, H, V = len(networks), model.config.hidden_size, model.vocab_size
        # Padding the vocabulary makes it divisible into blocks.
        weight = np.zeros((1, M, H, _pad(V, VOCAB_MULTIPLE)), inputs.dtype)
        for number, network in enumerate(networks):
            weight[0, number, :, :V] = network.params["output.weight"].T / M
        self._bias = np.mean([net.params["output.bias"] for net in networks], axis=0)
        self._output = _Product(weight, inputs, count)
        self._parts = list(self._output.out[0, :, :count, :V])
        self._logits = np.empty((count, V), inputs.dtype)

    def start(self, state: LayerStates, row: int | None = None) -> None:
        """Start from a state, arrays (B, H), or from that of one sample, (1, H).

        row   of the only sample that starts; the others go on
        """
        rows = slice(None) if row is None else row
        for number, layer in enumerate(state):
            member, depth = divmod(number, self._depth)
            for mine, part in zip(self._layers[depth].state, layer, strict=True):
                mine[member, rows] = part

    def select(self, rows: NDArray[np.integer[Any]]) -> None:
        """Give sample i the state of sample ``rows[i]``, rows (B,)."""
        for layer in self._layers:
            for part in layer.state:
                part[...] = part[:, rows]

    def state(self) -> LayerStates:
        """Return a copy of the state of all samples, arrays (B, H)."""
        members = range(len(self._layers[0].outputs))
        return [
            tuple(part[member].copy() for part in layer.state)
            for member in members
            for layer in self._layers
        ]

    def feed(self, ids: NDArray[np.integer[Any]]) -> Array:
        """Feed the next character of each sample, ids (B,), and return logits (B, V).

        The next call overwrites the logits.
        """
        for layer in self._layers:
            layer.feed(ids)
        return self.logits()

    def logits(self) -> Array:
        """Return the logits (B, V) that belong to the state, as ``feed`` does."""
        self._output()
        np.add(self._parts[0], self._bias, out=self._logits)
        for part in self._parts[1:]:
            self._logits += part
        return self._logits


class _Product:
    """The product of fixed weights and a fixed input buffer, ROWS rows at a time.

    weights   (G, M, K, N)
    x         (M, R, K), the buffer; R is a multiple of ROWS
    count     the first rows, which are samples (B)
    scale     factor on the weights of each gate, (G, 1, 1)
    out       (G, M, R, N), receives the result
    """

    def __init__(self, weights: Array, x: Array, count: int, scale: Array | None = None) -> None:
        (G, M, K, N), R = weights.shape, x.shape[1]
        scale = None if scale is None else scale[:, None]
        blocks = make_blocks(weights, _empty_aligned(weights.size, weights.dtype), scale)
        if R == ROWS:  # all gates of a sample next to each other: contiguous if it is alone
            self.out = np.empty((R, G, M, N), weights.dtype).transpose(1, 2, 0, 3)
        else:
            self.out = np.empty((G, M, R, N), weights.dtype)
        is_pair = count <= PAIR < ROWS and ROWS * K * blocks.shape[-1] <= MAX_SMALL
        used, size = (PAIR, PAIR) if is_pair else (R, ROWS)
        rows = x[:, :used].reshape(M, 1, used // size, size, K)
        cut = self.out[:, :, :used].reshape(G, M, used // size, size, -1, blocks.shape[-1])
        self._operands = rows, blocks[..., None, :, :], cut.transpose(0, 1, 4, 2, 3, 5)

    def __call__(self) -> None:
        # In this order, a block of weights stays in the cache for all samples.
        np.matmul(*self._operands, order="C")


class _Layer:
    """A layer's weights, prepared for single time steps, and its state.

    members   parameters of this layer in each network
    inputs    (M, R, I), with R = B rounded up to a multiple of ROWS; None if the inputs are ids
    outputs   (M, R, H)
    state     state of the samples without padding, (M, B, H) each
    """

    def __init__(self, cell: Cell, members: list[Params], inputs: Array | None, count: int) -> None:
        self.cell = cell
        self.params = {name: np.stack([own[name] for own in members]) for name in members[0]}
        weight = self.params["weight_hh"]
        M, H, dtype = len(members), weight.shape[2], weight.dtype
        self.outputs = np.zeros((M, _pad(count, ROWS), H), dtype)
        others = [np.zeros((M, count, H), dtype) for _ in cell.state_names[1:]]
        self.state = [self.outputs[:, :count], *others]
        saved, scale = np.empty((M, count, H), dtype), cell.scale(dtype)
        self._recurrent = _Product(self._by_gate("weight_hh"), self.outputs, count, scale)
        self._input = None
        if inputs is None:
            self._table = np.stack([project_ids(cell, own) for own in members], axis=1)
            gates = np.empty((cell.gates, M, count, H), dtype)
        else:
            self._input = _Product(self._by_gate("weight_ih"), inputs, count, scale)
            bias = [cell.input_bias(own).reshape(-1, 1, H) * scale for own in members]
            self._bias = np.stack(bias, axis=1)  # (G, M, 1, H)
            gates = self._input.out[:, :, :count]
        recurrent = self._recurrent.out[:, :, :count]
        self._at = TimeStep(gates, recurrent, self.state, self.state, saved)

    def _by_gate(self, name: str) -> Array:
        """Return a view (G, M, I, H) of stacked weights (M, G*H, I)."""
        return split_gates(self.params[name], self.cell.gates).transpose(1, 0, 3, 2)

    def feed(self, ids: NDArray[np.integer[Any]]) -> None:
        """Run one time step on these ids or, above the first layer, on the input buffer."""
        if self._input is None:
            self._table.take(ids, axis=2, out=self._at.gates, mode="clip")
        else:
            self._input()
            gates = self._at.gates
            gates += self._bias
        self._recurrent()
        self.cell.forward(self.params, self._at)


def _empty_aligned(size: int, dtype: np.dtype[Any]) -> Array:
    """Return an array that begins where a line of the cache does: products are a fifth faster."""
    memory = np.empty(size * dtype.itemsize + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    return memory[begin : begin + size * dtype.itemsize].view(dtype)


def _pad(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
