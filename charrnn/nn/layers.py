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

from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import DTypeName, Nonlinearity
from charrnn.errors import ConfigError
from charrnn.nn.cell import Array, Cell, Params
from charrnn.nn.gru import GRUCell
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.network import LayerStates, Shapes, count_parameters, drop_mask, view_parameters
from charrnn.nn.recurrent import Cache, backpropagate, unroll
from charrnn.nn.rnn import RNNCell

# The state as callers see it: one array, or the pair (h, c) for an LSTM.
LayerState = Array | tuple[Array, ...]


@dataclass
class LayerCache:
    """What ``backward`` needs from ``forward``.

    passes   what the cells saved; empty once ``backward`` has consumed it
    masks    dropout masks of the inputs of each layer; None without dropout
    shape    shape of the output, (T, B, D*H)
    single   True if the inputs were a single sample without a batch axis
    """

    passes: list[Cache]
    masks: list[Array | None]
    shape: tuple[int, ...]
    single: bool


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

    Those from ``bias`` on are keyword-only. Attributes: ``params``, a dict from PyTorch's parameter
    names to views of ``flat``, the array of all parameters. Raises ConfigError for a size below 1,
    a dropout outside [0, 1), or an unknown nonlinearity or dtype.
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
        for name in ("input_size", "hidden_size", "num_layers"):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ConfigError(f"{name} must be 1 or more, not {value}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        if self.dtype not in {"float32", "float64"}:
            raise ConfigError(f"dtype must be float32 or float64, not {self.dtype}")
        self.cell, self.directions = self._make_cell(), 2 if self.bidirectional else 1
        self.flat: Array = np.empty(count_parameters(self._shapes()), self.dtype)
        self.params: Params = view_parameters(self.flat, self._shapes())
        rng = rng or np.random.default_rng()
        for each in self._split(self.params):
            input_size = each["weight_ih"].shape[1]
            for name, values in self.cell.init(input_size, self.hidden_size, rng).items():
                each[name][...] = values

    def _make_cell(self) -> Cell:
        raise NotImplementedError

    def _passes(self) -> dict[str, Shapes]:
        """Return the shapes of each pass's parameters by its suffix: l0, l0_reverse, l1 ..."""
        D, H = self.directions, self.hidden_size
        return {
            f"l{layer}{ending}": self.cell.param_shapes(D * H if layer else self.input_size, H)
            for layer in range(self.num_layers)
            for ending in ("", "_reverse")[:D]
        }

    def _shapes(self) -> Shapes:
        """Return the name and shape of every parameter, in the order of torch.nn."""
        return {
            f"{name}_{suffix}": shape
            for suffix, shapes in self._passes().items()
            for name, shape in shapes.items()
            if self.bias or not name.startswith("bias_")
        }

    def _split(self, params: Params) -> list[Params]:
        """Return the parameters of each pass, named as the cell names them.

        They are views, except for zeros in place of the biases of a layer without biases.
        """
        zeros = np.zeros(self.cell.gates * self.hidden_size, self.dtype)
        return [
            {name: params.get(f"{name}_{suffix}", zeros) for name in shapes}
            for suffix, shapes in self._passes().items()
        ]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or unpickled layer: ``params`` become views of its own ``flat``."""
        self.__dict__.update(state)
        self.params = view_parameters(self.flat, self._shapes())

    def load(self, params: Mapping[str, ArrayLike]) -> None:
        """Copy arrays with the names and shapes of ``params`` into the layer.

        From PyTorch: ``{name: p.detach().numpy() for name, p in net.named_parameters()}``. Raises
        ConfigError if names or shapes differ; the layer is then unchanged.
        """
        if params.keys() != self.params.keys():
            differing = ", ".join(sorted(params.keys() ^ self.params.keys()))
            raise ConfigError(f"the parameters differ in {differing}")
        arrays = {name: np.asarray(values) for name, values in params.items()}
        for name, array in arrays.items():
            _require_shape(name, array, self.params[name].shape)
        for name, array in arrays.items():
            self.params[name][...] = array

    def __call__(
        self, inputs: ArrayLike, state: LayerState | None = None
    ) -> tuple[Array, LayerState]:
        """Return output and final state without dropout, as in evaluation mode; see ``forward``."""
        output, final_state, _ = self.forward(inputs, state)
        return output, final_state

    def step(self, inputs: ArrayLike, state: LayerState | None = None) -> tuple[Array, LayerState]:
        """Run one time step without dropout and return (output, state).

        inputs    features (B, I) or ids (B,); for a single sample (I,) or one id
        state     state before the step; None: zeros

        The output is (B, H), or (H,) for a single sample. Step by step gives the same results as
        one call on the whole sequence. Raises ConfigError for what ``forward`` refuses, and for a
        bidirectional layer, whose backward direction starts at the end of the sequence.
        """
        if self.bidirectional:
            raise ConfigError("a bidirectional layer reads whole sequences only", hint="forward")
        array = np.asarray(inputs)
        # A single sample has no batch axis, so its time axis is the first.
        single = array.ndim == (0 if np.issubdtype(array.dtype, np.integer) else 1)
        axis = 1 if self.batch_first and not single else 0
        output, state = self(np.expand_dims(array, axis), state)
        return output.squeeze(axis), state

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
        array, single = self._batch(np.array(inputs))  # copied, because the cache keeps it
        before = self._split_state(state, array.shape[1], single=single, what="state")
        params, D, cache = self._split(self.params), self.directions, LayerCache([], [], (), single)
        outputs, final = array, LayerStates()
        for layer in range(self.num_layers):
            mask = drop_mask(outputs, self.dropout, rng) if layer else None
            below, halves = outputs if mask is None else outputs * mask, []
            cache.masks.append(mask)
            for at in range(layer * D, layer * D + D):
                order = self._order(at)
                half, after, saved = unroll(self.cell, params[at], below[order], before[at])
                cache.passes.append(saved)
                final.append(after)
                halves.append(half[order])
            outputs = np.concatenate(halves, axis=-1)
        cache.shape = outputs.shape
        return self._unbatch(outputs, single=single), self._join_state(final, single=single), cache

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
        if not cache.passes:
            raise ConfigError("the cache is used up", hint="forward makes another")
        single, D, H = cache.single, self.directions, self.hidden_size
        d_outputs, d_single = self._batch(np.asarray(d_output, self.dtype), D * H)
        if d_outputs.shape != cache.shape or d_single != single:
            raise ConfigError(f"d_output {np.shape(d_output)} has not the shape of the output")
        d_final = self._split_state(d_state, d_outputs.shape[1], single=single, what="d_state")
        grads = {name: np.empty_like(param) for name, param in self.params.items()}
        params, own, d_initial = self._split(self.params), self._split(grads), list(d_final)
        d_inputs: list[Array] = []
        for layer in reversed(range(self.num_layers)):
            d_inputs = []
            for at in range(layer * D, layer * D + D):
                order, half = self._order(at), slice(at % D * H, (at % D + 1) * H)
                d_half, saved = d_outputs[order, :, half], cache.passes[at]
                _, d_below, d_initial[at] = backpropagate(
                    self.cell, params[at], saved, d_half, d_final[at], own[at]
                )
                if d_below is not None:  # inputs that are not ids
                    d_inputs.append(d_below[order])
            if d_inputs:
                d_outputs = sum(d_inputs[1:], d_inputs[0])
            if (mask := cache.masks[layer]) is not None:
                d_outputs = d_outputs * mask
        cache.passes = []
        return (
            grads,
            self._unbatch(d_outputs, single=single) if d_inputs else None,
            self._join_state(d_initial, single=single),
        )

    def _order(self, number: int) -> slice:
        """Return the order in which a pass reads the time steps."""
        return slice(None, None, -1 if number % self.directions else 1)

    def _batch(self, array: NDArray[Any], features: int | None = None) -> tuple[NDArray[Any], bool]:
        """Return inputs as (T, B, I) or ids (T, B), and whether they are a single sample."""
        features = features or self.input_size
        is_ids = np.issubdtype(array.dtype, np.integer)
        single = array.ndim == (1 if is_ids else 2)
        batch = array[:, None] if single else array
        if is_ids:
            if batch.ndim != 2 or not batch.size:
                raise ConfigError(f"ids must be (T, B), T and B of 1 or more, not {batch.shape}")
            if batch.min() < 0 or batch.max() >= features:
                raise ConfigError(f"ids must be from 0 to {features - 1}")
        else:
            batch = batch.astype(self.dtype, copy=False)
            if batch.ndim != 3 or not batch.size or batch.shape[-1] != features:
                raise ConfigError(
                    f"inputs must be (T, B, {features} features), at least 1 of each, not "
                    f"{batch.shape}"
                )
        return (batch.swapaxes(0, 1) if self.batch_first and not single else batch), single

    def _unbatch(self, steps: Array, *, single: bool) -> Array:
        """Undo ``_batch`` for steps (T, B, N)."""
        if single:
            return steps[:, 0]
        return steps.swapaxes(0, 1) if self.batch_first else steps

    def _split_state(
        self, state: LayerState | None, B: int, *, single: bool, what: str
    ) -> LayerStates:
        """Return a state, or zeros, as one tuple per layer and direction."""
        names = self.cell.state_names
        shape = self.num_layers * self.directions, B, self.hidden_size
        state = tuple(np.zeros(shape, self.dtype) for _ in names) if state is None else state
        parts = state if isinstance(state, (tuple, list)) else (state,)
        if len(parts) != len(names):
            raise ConfigError(f"{what} must be {' and '.join(names)}, not {len(parts)} array(s)")
        arrays = [np.asarray(part, self.dtype) for part in parts]
        batched = [array[:, None] if single and array.ndim == 2 else array for array in arrays]
        for name, array in zip(names, batched, strict=True):
            _require_shape(f"{name} of {what}", array, shape)
        return list(zip(*batched, strict=True))

    def _join_state(self, passes: LayerStates, *, single: bool) -> LayerState:
        """Return a state in the caller's form."""
        parts = tuple(np.stack(part) for part in zip(*passes, strict=True))
        if single:
            parts = tuple(part[:, 0] for part in parts)
        return parts if len(parts) > 1 else parts[0]


def _require_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ConfigError(f"{name} must have the shape {shape}, not {array.shape}")


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
        if self.nonlinearity not in {"tanh", "relu"}:
            raise ConfigError(f"nonlinearity must be tanh or relu, not {self.nonlinearity}")
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
