"""Recurrent layers compatible with torch.nn: same options, shapes, parameter names and results.

    layer = LSTM(input_size=10, hidden_size=20, num_layers=2, bidirectional=True)
    output, (h_n, c_n) = layer(inputs)                  # as torch.nn.LSTM

They use the same cells as the language model. Unlike PyTorch, they have no autograd: ``forward``
also returns a cache, and ``backward`` takes the cache and returns the gradients.

    output, state, cache = layer.forward(inputs, state)
    grads, d_inputs, d_state = layer.backward(cache, d_output, d_state)

Shapes, with T time steps, B samples, I input features, H hidden units, L layers, D directions:

    inputs    (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sample;
              integer ids (T, B) stand for one-hot vectors
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
from charrnn.nn.cell import Cell, Params
from charrnn.nn.gru import GRUCell
from charrnn.nn.kernels import Array
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.network import count_parameters, view_parameters
from charrnn.nn.rnn import RNNCell
from charrnn.nn.stack import LayerStates, Stack, StackCache

# The state as callers see it: one array, or the pair (h, c) for an LSTM.
LayerState = Array | tuple[Array, ...]


@dataclass
class LayerCache:
    """What ``backward`` needs from ``forward``. One call of ``backward`` consumes it.

    stack    what the cells saved; None once consumed
    shape    shape of the output, (T, B, D*H)
    single   True if the inputs were a single sample without a batch axis
    """

    stack: StackCache | None
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
        self.stack = Stack(
            cell=self._cell(),
            input_size=self.input_size,
            hidden_size=self.hidden_size,
            layers=self.num_layers,
            bidirectional=self.bidirectional,
            bias=self.bias,
            dropout=self.dropout,
        )
        shapes = self.stack.shapes
        self.flat: Array = np.empty(count_parameters(shapes), self.dtype)
        self.params: Params = view_parameters(self.flat, shapes)
        self.stack.init(self.params, rng or np.random.default_rng())

    def _cell(self) -> Cell:
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or unpickled layer: ``params`` become views of its own ``flat``."""
        self.__dict__.update(state)
        self.params = view_parameters(self.flat, self.stack.shapes)

    def load(self, params: Mapping[str, ArrayLike]) -> None:
        """Copy weights into the layer.

        params   arrays with exactly the names and shapes of ``self.params``. From PyTorch:
                 ``{name: p.detach().numpy() for name, p in net.named_parameters()}``

        Raises ConfigError if names or shapes differ; the layer is then unchanged.
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
        state     state before the step, as in ``forward``; None: zeros

        The output is (B, H), or (H,) for a single sample. Running step by step gives the same
        results as one call on the whole sequence. Raises ConfigError if the layer is bidirectional,
        because the backward direction starts at the end of the sequence, and for shapes that do
        not fit or ids out of range.
        """
        if self.bidirectional:
            raise ConfigError("a bidirectional layer reads whole sequences only", hint="forward")
        array = np.asarray(inputs)
        # A single sample is (I,) or one id. It has no batch axis, so its time axis is the first.
        single = array.ndim == (0 if np.issubdtype(array.dtype, np.integer) else 1)
        second = self.batch_first and not single
        output, state = self(array[:, None] if second else array[None], state)
        return output[:, 0] if second else output[0], state

    def forward(
        self,
        inputs: ArrayLike,
        state: LayerState | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, LayerState, LayerCache]:
        """Run the layer over a sequence and return (output, state, cache).

        inputs    (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sample; integer
                  ids (T, B), (B, T) or (T,) stand for one-hot vectors
        state     initial state, (L*D, B, H), or (L*D, H) for a single sample; for an LSTM the pair
                  (h_0, c_0). None: zeros
        rng       source of the dropout masks; None: no dropout, as in evaluation mode

        output is (T, B, D*H), with the axes in the same order as the inputs, from the last layer;
        state is the final state, in the shape of the initial one; cache is for ``backward``. Raises
        ConfigError for shapes that do not fit and for ids out of range.
        """
        array, single = self._batch(np.array(inputs))  # copied, because the cache keeps it
        passes = self._split_state(state, array.shape[1], single=single, what="state")
        layers = self.stack.split(self.params)
        output, final, cache = self.stack.forward(layers, array, passes, rng=rng)
        return (
            self._unbatch(output.copy(), single=single),
            self._join_state(final, single=single),
            LayerCache(cache, output.shape, single),
        )

    def backward(
        self, cache: LayerCache, d_output: ArrayLike, d_state: LayerState | None = None
    ) -> tuple[Params, Array | None, LayerState]:
        """Backpropagate through time (Werbos 1990) and return (grads, d_inputs, d_state).

        cache      as returned by ``forward``; consumed by this call
        d_output   gradient of the loss with respect to the output, in the shape of the output
        d_state    gradient with respect to the final state, in the shape of the state; None: zeros

        grads is a dict with the keys of ``params``; d_inputs is the gradient with respect to the
        inputs, None for ids; d_state is the gradient with respect to the initial state. Each has
        the shape of the array it belongs to. Raises ConfigError if a shape does not match or the
        cache has been consumed already.
        """
        used, single = cache.stack, cache.single
        if used is None:
            raise ConfigError("the cache is used up", hint="forward makes another")
        d_top, d_single = self._batch(np.asarray(d_output, self.dtype), self._output_size)
        if d_top.shape != cache.shape or d_single != single:
            raise ConfigError(f"d_output {np.shape(d_output)} has not the shape of the output")
        cache.stack = None
        passes = self._split_state(d_state, d_top.shape[1], single=single, what="d_state")
        grads = {name: np.empty_like(param) for name, param in self.params.items()}
        _, d_inputs, d_initial = self.stack.backward(used, d_top, passes, self.stack.split(grads))
        return (
            grads,
            None if d_inputs is None else self._unbatch(d_inputs, single=single),
            self._join_state(d_initial, single=single),
        )

    @property
    def _output_size(self) -> int:
        return self.stack.directions * self.hidden_size

    def _batch(self, array: NDArray[Any], features: int | None = None) -> tuple[NDArray[Any], bool]:
        """Return inputs as (T, B, I) or ids (T, B), and whether they are a single sample."""
        features = features or self.input_size
        if np.issubdtype(array.dtype, np.integer):
            single = array.ndim == 1
            array = array[:, None] if single else array
            if array.ndim != 2 or not array.size:
                raise ConfigError(
                    f"ids must be (T, B) with T and B of 1 or more, not {array.shape}"
                )
            if array.min() < 0 or array.max() >= features:
                raise ConfigError(f"ids must be from 0 to {features - 1}")
        else:
            array = array.astype(self.dtype, copy=False)
            single = array.ndim == 2
            array = array[:, None] if single else array
            if array.ndim != 3 or not array.size or array.shape[-1] != features:
                raise ConfigError(
                    f"expected T steps of B samples of {features} features, each at least 1, "
                    f"not {array.shape}"
                )
        return (array.swapaxes(0, 1) if self.batch_first and not single else array), single

    def _unbatch(self, steps: Array, *, single: bool) -> Array:
        """Undo ``_batch`` for steps (T, B, N)."""
        if single:
            return steps[:, 0]
        return steps.swapaxes(0, 1) if self.batch_first else steps

    def _split_state(
        self, state: LayerState | None, B: int, *, single: bool, what: str
    ) -> LayerStates:
        """Return a state in the stack's form: one tuple per layer and direction."""
        if state is None:
            return self.stack.zero_state(B, self.dtype)
        names = self.stack.cell.state_names
        parts = state if isinstance(state, (tuple, list)) else (state,)
        if len(parts) != len(names):
            raise ConfigError(f"{what} must be {' and '.join(names)}, not {len(parts)} array(s)")
        arrays = [np.asarray(part, self.dtype) for part in parts]
        batched = [array[:, None] if single and array.ndim == 2 else array for array in arrays]
        for name, array in zip(names, batched, strict=True):
            _require_shape(
                f"{name} of {what}", array, (len(self.stack.passes), B, self.hidden_size)
            )
        return list(zip(*batched, strict=True))

    def _join_state(self, passes: LayerStates, *, single: bool) -> LayerState:
        """Return the stack's state in the caller's form."""
        parts = tuple(np.stack(part) for part in zip(*passes, strict=True))
        if single:
            parts = tuple(part[:, 0] for part in parts)
        return parts if len(parts) > 1 else parts[0]


def _require_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ConfigError(f"{name} must have the shape {shape}, not {array.shape}")


@dataclass(eq=False)
class RNN(RecurrentLayer):
    """Elman RNN, compatible with torch.nn.RNN (Elman 1990, "Finding structure in time").

        h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)      act = tanh or relu

        layer = RNN(input_size=10, hidden_size=20, nonlinearity="relu")
        output, h_n = layer(inputs)            # or layer(inputs, h_0)

    nonlinearity   activation: "tanh" or "relu"

    The other arguments are those of ``RecurrentLayer``, shapes those of the module.
    """

    nonlinearity: Nonlinearity = "tanh"

    def _cell(self) -> Cell:
        if self.nonlinearity not in {"tanh", "relu"}:
            raise ConfigError(f"nonlinearity must be tanh or relu, not {self.nonlinearity}")
        return RNNCell(self.nonlinearity)


@dataclass(eq=False)
class LSTM(RecurrentLayer):
    """LSTM, compatible with torch.nn.LSTM.

    Hochreiter & Schmidhuber 1997, "Long short-term memory"; forget gate: Gers, Schmidhuber &
    Cummins 2000, "Learning to forget".

        i, f, o = sigmoid(W x_t + b + U h_(t-1) + b'), each gate with its own W, U, b, b'
        g = tanh(W x_t + b + U h_(t-1) + b')
        c_t = f * c_(t-1) + i * g              h_t = o * tanh(c_t)

        layer = LSTM(input_size=10, hidden_size=20, num_layers=2)
        output, (h_n, c_n) = layer(inputs)     # or layer(inputs, (h_0, c_0))

    peephole   if True, the output gate also sees the new cell state (Gers & Schmidhuber 2000),
               through a full matrix weight_co_l{k} (H, H); PyTorch has no such option

    The other arguments are those of ``RecurrentLayer``, shapes those of the module.
    """

    _: KW_ONLY
    peephole: bool = False

    def _cell(self) -> Cell:
        return LSTMCell(peephole=self.peephole)


@dataclass(eq=False)
class GRU(RecurrentLayer):
    """GRU, compatible with torch.nn.GRU.

    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder"; as in PyTorch,
    the reset gate multiplies the recurrent product, not the state.

        r, z = sigmoid(W x_t + b + U h_(t-1) + b'), each gate with its own W, U, b, b'
        n = tanh(W x_t + b + r * (U h_(t-1) + b'))
        h_t = (1 - z) * n + z * h_(t-1)

        layer = GRU(input_size=10, hidden_size=20, num_layers=2)
        output, h_n = layer(inputs)            # or layer(inputs, h_0)

    Arguments are those of ``RecurrentLayer``, shapes those of the module.
    """

    def _cell(self) -> Cell:
        return GRUCell()
