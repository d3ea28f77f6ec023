"""Recurrent layers compatible with torch.nn: same options, shapes, parameter names and results.

    layer = LSTM(input_size=10, hidden_size=20, num_layers=2, bidirectional=True)
    output, (h_n, c_n) = layer(inputs)                  # as torch.nn.LSTM

Without autograd, ``forward`` returns a cache, from which ``backward`` computes gradients.

    output, state, cache = layer.forward(inputs, state)
    grads, d_inputs, d_state = layer.backward(cache, d_output, d_state)

Shapes, with T time steps, B samples, I input features, H hidden units, L layers, D directions:

    inputs    (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sample;
              integer ids (T, B), (B, T) or (T,) stand for one-hot vectors
    output    h_t of the last layer at every time step, (T, B, D*H), axes in the order of the inputs
    state     (L*D, B, H), or (L*D, H) for a single sample; for an LSTM the pair (h, c)

Parameters: ``weight_ih_l{k}``, ``weight_hh_l{k}``, ``bias_ih_l{k}``, ``bias_hh_l{k}``, with the
suffix ``_reverse`` for the second direction. The gates are stacked in the order i, f, g, o (LSTM)
and r, z, n (GRU). Initial values are drawn from U(-1/sqrt(H), 1/sqrt(H)).
"""

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import DTypeName, Nonlinearity, require
from charrnn.nn.cell import Array, Cell, Params, draw_weights
from charrnn.nn.gru import GRUCell
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.network import LayerStates, count_parameters, drop_mask, view_parameters
from charrnn.nn.recurrent import Cache, backpropagate, unroll
from charrnn.nn.rnn import RNNCell

# The state as callers see it: one array, or the pair (h, c) for an LSTM.
LayerState = Array | tuple[Array, ...]


class LayerCache(NamedTuple):
    """What ``backward`` needs from ``forward``.

    passes   what the cells saved; empty once ``backward`` has consumed it
    masks    dropout masks of the inputs of each layer; None without dropout
    shape    shape of the output; (T, D*H) of a single sample
    """

    passes: list[Cache]
    masks: list[Array | None]
    shape: tuple[int, ...]


@dataclass(eq=False)
class RecurrentLayer:
    """What RNN, LSTM and GRU share.

    input_size     number of input features (I), or of distinct ids
    hidden_size    hidden units per layer and direction (H)
    num_layers     number of stacked layers (L)
    bias           whether the layers have biases; if False, they act as zeros
    batch_first    if True, inputs and output are (B, T, ...); states keep their shape
    dropout        probability of dropping each output between layers; used by ``forward`` with rng
    bidirectional  if True, also read the sequence backward (Schuster & Paliwal 1997): D is 2
    dtype          "float32" or "float64", for weights and arithmetic
    rng            NumPy generator for the initial weights; None: a fresh random seed

    Those from ``bias`` on are keyword-only. Attributes: ``flat``, the array of all parameters, and
    ``params``, a dict from PyTorch's parameter names to views of it, which are set in place:
    ``params[name][:] = values``. Raises ConfigError for a size below 1, a dropout outside [0, 1),
    or an unknown nonlinearity or dtype.
    """

    input_size: int
    hidden_size: int
    num_layers: int = 1
    _: KW_ONLY
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    dtype: DTypeName = "float32"
    rng: InitVar[np.random.Generator | None] = None

    def __post_init__(self, rng: np.random.Generator | None) -> None:
        sizes = self.input_size, self.hidden_size, self.num_layers
        require(
            min(sizes) >= 1, f"input_size, hidden_size and num_layers must be 1 or more: {sizes}"
        )
        require(0 <= self.dropout < 1, f"dropout must be from 0 to below 1, not {self.dropout}")
        require(
            self.dtype in {"float32", "float64"},
            f"dtype must be float32 or float64, not {self.dtype}",
        )
        self.cell = self._make_cell()
        self.directions = D = 2 if self.bidirectional else 1
        H = self.hidden_size
        # The shapes of the parameters of each pass through a sequence, by their suffix.
        self._passes = {
            f"l{layer}{ending}": self.cell.param_shapes(D * H if layer else self.input_size, H)
            for layer in range(self.num_layers)
            for ending in ("", "_reverse")[:D]
        }
        self._shapes = {
            f"{name}_{suffix}": shape
            for suffix, shapes in self._passes.items()
            for name, shape in shapes.items()
            if self.bias or not name.startswith("bias_")
        }
        self.flat: Array = np.empty(count_parameters(self._shapes), self.dtype)
        rng = rng or np.random.default_rng()
        for own in self._split(self.params):
            draw_weights(own, H, rng)

    def _make_cell(self) -> Cell:
        raise NotImplementedError

    @property
    def params(self) -> Params:
        """The parameters by their names in PyTorch, views of ``flat``."""
        return view_parameters(self.flat, self._shapes)

    def _split(self, params: Params) -> list[Params]:
        """Return the parameters of each pass, named as the cell names them.

        They are views, except for zeros in place of the biases of a layer without biases.
        """
        zeros = np.zeros(self.cell.gates * self.hidden_size, self.dtype)
        return [
            {name: params.get(f"{name}_{suffix}", zeros) for name in shapes}
            for suffix, shapes in self._passes.items()
        ]

    def __call__(
        self, inputs: ArrayLike, state: LayerState | None = None
    ) -> tuple[Array, LayerState]:
        """Return output and final state without dropout, as in evaluation mode; see ``forward``."""
        output, final_state, _ = self.forward(inputs, state)
        return output, final_state

    def forward(
        self,
        inputs: ArrayLike,
        state: LayerState | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, LayerState, LayerCache]:
        """Run the layer over a sequence and return (output, final state, cache).

        inputs    features or ids
        state     initial state; None: zeros
        rng       source of the dropout masks; None: no dropout, as in evaluation mode

        Raises ConfigError for shapes that do not fit and for ids out of range.
        """
        outputs, single = self._read(np.array(inputs))  # copied, because the cache keeps it
        before = self._split_state(state, outputs.shape[1], single=single, what="state")
        params, D, final = self._split(self.params), self.directions, LayerStates()
        passes, masks = list[Cache](), list[Array | None]()
        for layer in range(self.num_layers):
            mask = drop_mask(outputs, self.dropout, rng) if layer else None
            masks.append(mask)
            below = outputs if mask is None else outputs * mask
            halves = []
            for at in range(layer * D, layer * D + D):
                order = slice(None, None, -1 if at % D else 1)
                half, after, saved = unroll(self.cell, params[at], below[order], before[at])
                passes.append(saved)
                final.append(after)
                halves.append(half[order])
            outputs = np.concatenate(halves, axis=-1)
        output = outputs[:, 0] if single else self._swap(outputs)
        cache = LayerCache(passes, masks, output.shape)
        return output, self._join_state(final, single=single), cache

    def backward(
        self, cache: LayerCache, d_output: ArrayLike, d_state: LayerState | None = None
    ) -> tuple[Params, Array | None, LayerState]:
        """Backpropagate through time (Werbos 1990) and return (grads, d_inputs, d_state).

        cache      as returned by ``forward``; consumed by this call
        d_output   gradient of the loss with respect to the output
        d_state    gradient with respect to the final state; None: zeros

        grads has the keys of ``params``; d_inputs is None for ids; d_state is the gradient with
        respect to the initial state. Each has the shape of the array it belongs to. Raises
        ConfigError if a shape does not match or the cache has been consumed already.
        """
        require(cache.passes, "the cache is used up: forward makes another")
        d_array, single = np.asarray(d_output, self.dtype), len(cache.shape) == 2
        require(d_array.shape == cache.shape, f"d_output must have the shape {cache.shape}")
        d_outputs = d_array[:, None] if single else self._swap(d_array)
        d_final = self._split_state(d_state, d_outputs.shape[1], single=single, what="d_state")
        D, H = self.directions, self.hidden_size
        grads = {name: np.empty_like(param) for name, param in self.params.items()}
        params, own, d_initial = self._split(self.params), self._split(grads), list(d_final)
        d_inputs: list[Array] = []
        for layer in reversed(range(self.num_layers)):
            d_inputs = []
            for at in range(layer * D, layer * D + D):
                order, start = slice(None, None, -1 if at % D else 1), at % D * H
                d_half = d_outputs[order, :, start : start + H]
                d_below, d_initial[at] = backpropagate(
                    self.cell, params[at], cache.passes[at], d_half, d_final[at], own[at]
                )
                if d_below is not None:  # inputs that are not ids
                    d_inputs.append(d_below[order])
            if d_inputs:
                d_outputs = sum(d_inputs[1:], d_inputs[0])
            if (mask := cache.masks[layer]) is not None:
                d_outputs = d_outputs * mask
        cache.passes.clear()
        d_given = d_outputs[:, 0] if single else self._swap(d_outputs)
        d_first = self._join_state(d_initial, single=single)
        return grads, d_given if d_inputs else None, d_first

    def _read(self, array: NDArray[Any]) -> tuple[NDArray[Any], bool]:
        """Return inputs as (T, B, I) or ids (T, B), and whether they are a single sample."""
        is_ids, I = np.issubdtype(array.dtype, np.integer), self.input_size
        single = array.ndim == (1 if is_ids else 2)
        steps = array if is_ids else array.astype(self.dtype, copy=False)
        steps = steps[:, None] if single else self._swap(steps)
        fits = steps.ndim == 2 if is_ids else steps.ndim == 3 and steps.shape[2] == I
        shape = "(T, B)" if is_ids else f"(T, B, {I} features)"
        require(
            fits and steps.size, f"inputs must be {shape}, at least 1 of each, not {array.shape}"
        )
        if is_ids:
            require(0 <= steps.min() <= steps.max() < I, f"ids must be from 0 to {I - 1}")
        return steps, single

    def _swap(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the caller's axes as (T, B, ...), or these as the caller has them."""
        return array.swapaxes(0, 1) if self.batch_first and array.ndim > 1 else array

    def _split_state(
        self, state: LayerState | None, B: int, *, single: bool, what: str
    ) -> LayerStates:
        """Return a state, or zeros, as one tuple per layer and direction."""
        names = self.cell.state_names
        shape = self.num_layers * self.directions, B, self.hidden_size
        parts = tuple(np.zeros(shape, self.dtype) for _ in names) if state is None else state
        parts = parts if isinstance(parts, (tuple, list)) else (parts,)
        arrays = [np.asarray(part, self.dtype) for part in parts]
        arrays = [array[:, None] if single and array.ndim == 2 else array for array in arrays]
        message = f"{what} must be {' and '.join(names)}, each of shape {shape}"
        require([array.shape for array in arrays] == [shape] * len(names), message)
        return list(zip(*arrays, strict=True))

    def _join_state(self, passes: LayerStates, *, single: bool) -> LayerState:
        """Return a state in the caller's form."""
        parts = tuple(np.stack(part) for part in zip(*passes, strict=True))
        if single:
            parts = tuple(part[:, 0] for part in parts)
        return parts if len(parts) > 1 else parts[0]


@dataclass(eq=False)
class RNN(RecurrentLayer):
    """Elman RNN (Elman 1990), compatible with torch.nn.RNN; see ``charrnn.nn.rnn``.

        layer = RNN(input_size=10, hidden_size=20, nonlinearity="relu")
        output, h_n = layer(inputs)            # or layer(inputs, h_0)

    nonlinearity   activation: "tanh" or "relu"

    The other arguments are those of ``RecurrentLayer``, shapes those of the module.
    """

    nonlinearity: Nonlinearity = "tanh"

    def _make_cell(self) -> Cell:
        known = self.nonlinearity in {"tanh", "relu"}
        require(known, f"nonlinearity must be tanh or relu, not {self.nonlinearity}")
        return RNNCell(self.nonlinearity)


@dataclass(eq=False)
class LSTM(RecurrentLayer):
    """LSTM (Hochreiter & Schmidhuber 1997) like torch.nn.LSTM; see ``charrnn.nn.lstm``.

        layer = LSTM(input_size=10, hidden_size=20, num_layers=2)
        output, (h_n, c_n) = layer(inputs)     # or layer(inputs, (h_0, c_0))

    peephole   if True, the output gate also sees the new cell state (Gers & Schmidhuber 2000),
               through a full matrix weight_co_l{k} (H, H); PyTorch has no such option

    The other arguments are those of ``RecurrentLayer``, shapes those of the module.
    """

    _: KW_ONLY
    peephole: bool = False

    def _make_cell(self) -> Cell:
        return LSTMCell(peephole=self.peephole)


@dataclass(eq=False)
class GRU(RecurrentLayer):
    """GRU (Cho et al. 2014), compatible with torch.nn.GRU; see ``charrnn.nn.gru``.

        layer = GRU(input_size=10, hidden_size=20, num_layers=2)
        output, h_n = layer(inputs)            # or layer(inputs, h_0)

    Arguments are those of ``RecurrentLayer``, shapes those of the module.
    """

    def _make_cell(self) -> Cell:
        return GRUCell()
