"""What RNN, LSTM and GRU share: a stack of cells, called with arrays as PyTorch's layers are.

The module ``layers`` has the three, and their shapes.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import DTypeName
from charrnn.errors import ConfigError
from charrnn.nn.cells import Array, Cell, Mask, Params, State
from charrnn.nn.parameters import count, views
from charrnn.nn.stack import Stack, StackCache

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
class Layers:
    """The base of RNN, LSTM and GRU, each of which documents all of its arguments."""

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
        """Restore a copied or unpickled layer: ``params`` become views of its own ``flat``."""
        self.__dict__.update(state)
        self.params = views(self.flat, self.stack.shapes)

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
        lengths: ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, LayerState, LayerCache]:
        """Run the layer over a sequence and return (output, state, cache).

        inputs    (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sample; integer
                  ids (T, B), (B, T) or (T,) stand for one-hot vectors
        state     initial state, (L*D, B, H), or (L*D, H) for a single sample; for an LSTM the pair
                  (h_0, c_0). None: zeros
        lengths   (B,), the number of valid steps of each sample, like a packed sequence in PyTorch:
                  past them the output is zero and the state no longer changes. None: all T
        rng       source of the dropout masks; None: no dropout, as in evaluation mode

        output is (T, B, D*H), with the axes in the same order as the inputs, from the last layer;
        state is the final state, in the shape of the initial one; cache is for ``backward``. Raises
        ConfigError for shapes that do not fit and for ids out of range.
        """
        array, single = self._batch(np.array(inputs))  # copied, because the cache keeps it
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
        """Return inputs as (T, B, I) or ids (T, B), and whether they are a single sample."""
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
        """Return a state in the stack's form: one tuple per layer and direction."""
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
        """Return the stack's state in the caller's form."""
        parts = tuple(np.stack(part) for part in zip(*runs, strict=True))
        if single:
            parts = tuple(part[:, 0] for part in parts)
        return parts if len(parts) > 1 else parts[0]


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
