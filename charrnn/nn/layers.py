"""Recurrent layers with the contract of torch.nn: its options, shapes, names and numbers.

    layer = LSTM(input_size=10, hidden_size=20, num_layers=2, bidirectional=True)
    output, (h_n, c_n) = layer(inputs)                  # as torch.nn.LSTM

They are made of the cells that the generator is made of. What differs from PyTorch is that nothing
is hidden: ``forward`` also returns what ``backward`` needs, and ``backward`` returns the gradients.

    output, state, cache = layer.forward(inputs, state)
    grads, d_inputs, d_state = layer.backward(cache, d_output, d_state)

Shapes, with T steps, B samples, I input features, H hidden units, L layers and D directions:

    inputs    (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sample
              whole numbers (T, B) stand for one-hot vectors
    output    (T, B, D*H), or as the inputs are
    state     (L*D, B, H), or (L*D, H) for a single sample; of an LSTM a pair: h and c

Parameters: ``weight_ih_l{k}``, ``weight_hh_l{k}``, ``bias_ih_l{k}``, ``bias_hh_l{k}``, with
``_reverse`` behind those of the second direction; gates in the order i, f, g, o (LSTM) and r, z, n
(GRU); drawn from U(-1/sqrt(H), 1/sqrt(H)).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import DTypeName, Nonlinearity
from charrnn.errors import ConfigError
from charrnn.nn.cells import Array, Cell, GRUCell, LSTMCell, Mask, Params, RNNCell, State
from charrnn.nn.parameters import count, views
from charrnn.nn.stack import Stack, StackCache

# What a caller gives and gets: one array, or for an LSTM a pair of them.
LayerState = Array | tuple[Array, ...]


@dataclass
class LayerCache:
    """What backward needs of forward. Good for one backward, which uses it up.

    stack    what the cells saved; None when it is used up
    shape    of the output, (T, B, D*H)
    single   the inputs were those of a single sample
    """

    stack: StackCache | None
    shape: tuple[int, ...]
    single: bool


@dataclass(eq=False)
class _Layers:
    """What RNN, LSTM and GRU share.

    input_size     features of the input (I)
    hidden_size    units per layer and direction (H)
    num_layers     stacked layers (L)
    bias           have biases
    batch_first    inputs and output are (B, T, ...); states are not affected
    dropout        chance that an output is dropped between layers, while training
    bidirectional  read from both ends
    dtype          of weights and arithmetic
    rng            draws the weights; None: with a fresh seed

    Attributes: ``params``, named views into ``flat``, which is all parameters in one array.
    Raises ConfigError for sizes below 1 and a dropout outside 0 to 1.
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
        self.flat: Array = np.empty(count(shapes), self.dtype)
        self.params: Params = views(self.flat, shapes)
        self.stack.init(self.params, rng or np.random.default_rng())

    def _cell(self) -> Cell:
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a copy's parameters views of its own array again."""
        self.__dict__.update(state)
        self.params = views(self.flat, self.stack.shapes)

    def load(self, params: Mapping[str, ArrayLike]) -> None:
        """Take over weights, named as ``params`` are.

        From PyTorch: ``{name: p.detach().numpy() for name, p in net.named_parameters()}``.
        Raises ConfigError unless names and shapes are those of ``params``.
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
        """Return output and final state, without dropout; see ``forward``."""
        output, final_state, _ = self.forward(inputs, state)
        return output, final_state

    def step(self, inputs: ArrayLike, state: LayerState | None = None) -> tuple[Array, LayerState]:
        """Read one step, (B, I) or ids (B,); return its output (B, H) and the state after it.

        Step by step the numbers are those of the whole sequence. Raises ConfigError with two
        directions: the second one begins at the end.
        """
        if self.bidirectional:
            raise ConfigError("a bidirectional layer reads whole sequences only", hint="forward")
        array = np.asarray(inputs)
        # a single sample is (I,), or one id; its steps come first in any case
        single = array.ndim == (0 if np.issubdtype(array.dtype, np.integer) else 1)
        second = self.batch_first and not single
        output, state = self(array[:, None] if second else array[None], state)
        return output[:, 0] if second else output[0], state

    def forward(
        self,
        inputs: ArrayLike,
        state: LayerState | None = None,
        *,
        lengths: ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, LayerState, LayerCache]:
        """Run over a sequence.

        inputs    see the module
        state     initial state; None: zeros
        lengths   (B,), how many steps of each sample count, as in a packed sequence of PyTorch:
                  behind them the state stays and the output is zero. None: all
        rng       draws what is dropped; None: nothing is, as when not training

        Returns output, final state, and a cache for ``backward``. Raises ConfigError for shapes
        that do not fit and for ids out of range.
        """
        array, single = self._batch(np.array(inputs))  # the cache keeps it: a copy
        T, B = array.shape[:2]
        mask = None if lengths is None else _mask(np.asarray(lengths), T, B)
        runs = self._runs(state, B, single=single, what="state")
        layers = self.stack.split(self.params)
        output, final, cache = self.stack.forward(layers, array, runs, mask=mask, rng=rng)
        return (
            self._unbatch(output.copy(), single=single),
            self._joined(final, single=single),
            LayerCache(cache, output.shape, single),
        )

    def backward(
        self, cache: LayerCache, d_output: ArrayLike, d_state: LayerState | None = None
    ) -> tuple[Params, Array | None, LayerState]:
        """Backpropagate through time.

        d_output   gradient of the loss by the output
        d_state    gradient by the final state; None: zero

        Returns the gradients by ``params`` (same keys), by the inputs (None for ids) and by the
        initial state, each in the shape of what it is the gradient by. Raises ConfigError for a
        gradient of another shape than the output's, and for a cache that is used up.
        """
        used, single = cache.stack, cache.single
        if used is None:
            raise ConfigError("the cache is used up", hint="forward makes another")
        d_top, d_single = self._batch(np.asarray(d_output, self.dtype), self._output_size)
        if d_top.shape != cache.shape or d_single != single:
            raise ConfigError(f"d_output {np.shape(d_output)} has not the shape of the output")
        cache.stack = None
        runs = self._runs(d_state, d_top.shape[1], single=single, what="d_state")
        grads = {name: np.empty_like(param) for name, param in self.params.items()}
        _, d_inputs, d_initial = self.stack.backward(used, d_top, runs, self.stack.split(grads))
        return (
            grads,
            None if d_inputs is None else self._unbatch(d_inputs, single=single),
            self._joined(d_initial, single=single),
        )

    @property
    def _output_size(self) -> int:
        return self.stack.directions * self.hidden_size

    def _batch(self, array: NDArray[Any], features: int | None = None) -> tuple[NDArray[Any], bool]:
        """Return inputs as (T, B, I) or ids (T, B), and whether they are of a single sample."""
        features = features or self.input_size
        if np.issubdtype(array.dtype, np.integer):
            single = array.ndim == 1
            array = array[:, None] if single else array
            if array.ndim != 2 or not array.size:  # noqa: PLR2004
                raise ConfigError(
                    f"ids must be (T, B) with T and B of 1 or more, not {array.shape}"
                )
            if array.min() < 0 or array.max() >= features:
                raise ConfigError(f"ids must be from 0 to {features - 1}")
        else:
            array = array.astype(self.dtype, copy=False)
            single = array.ndim == 2  # noqa: PLR2004
            array = array[:, None] if single else array
            if array.ndim != 3 or not array.size or array.shape[-1] != features:  # noqa: PLR2004
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

    def _runs(self, state: LayerState | None, B: int, *, single: bool, what: str) -> list[State]:
        """Return a state as the stack has it: one tuple for each run of the cell."""
        if state is None:
            return self.stack.zero_state(B, self.dtype)
        names = self.stack.cell.state_names
        parts = state if isinstance(state, (tuple, list)) else (state,)
        if len(parts) != len(names):
            raise ConfigError(f"{what} must be {' and '.join(names)}, not {len(parts)} array(s)")
        arrays = [np.asarray(part, self.dtype) for part in parts]
        batched = [array[:, None] if single and array.ndim == 2 else array for array in arrays]  # noqa: PLR2004
        for name, array in zip(names, batched, strict=True):
            _require_shape(f"{name} of {what}", array, (len(self.stack.runs), B, self.hidden_size))
        return list(zip(*batched, strict=True))

    def _joined(self, runs: list[State], *, single: bool) -> LayerState:
        """Return the state of all runs as the caller has it."""
        parts = tuple(np.stack(part) for part in zip(*runs, strict=True))
        if single:
            parts = tuple(part[:, 0] for part in parts)
        return parts if len(parts) > 1 else parts[0]


@dataclass(eq=False)
class RNN(_Layers):
    """Elman RNN, as torch.nn.RNN.

    nonlinearity   tanh or relu
    """

    nonlinearity: Nonlinearity = "tanh"

    def _cell(self) -> Cell:
        if self.nonlinearity not in {"tanh", "relu"}:
            raise ConfigError(f"nonlinearity must be tanh or relu, not {self.nonlinearity}")
        return RNNCell(self.nonlinearity)


@dataclass(eq=False)
class LSTM(_Layers):
    """LSTM, as torch.nn.LSTM.

    peephole   the output gate sees the new cell state, through ``weight_co_l{k}`` (H, H), which
               PyTorch does not have
    """

    _: KW_ONLY
    peephole: bool = False

    def _cell(self) -> Cell:
        return LSTMCell(peephole=self.peephole)


@dataclass(eq=False)
class GRU(_Layers):
    """GRU, as torch.nn.GRU."""

    def _cell(self) -> Cell:
        return GRUCell()


def _mask(lengths: NDArray[Any], T: int, B: int) -> Mask:
    _require_shape("lengths", lengths, (B,))
    if not np.issubdtype(lengths.dtype, np.integer):
        raise ConfigError("lengths must be whole numbers")
    if lengths.min() < 0 or lengths.max() > T:
        raise ConfigError(f"lengths must be from 0 to {T}")
    mask: Mask = np.arange(T)[:, None] < lengths
    return mask


def _require_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ConfigError(f"{name} must have the shape {shape}, not {array.shape}")
