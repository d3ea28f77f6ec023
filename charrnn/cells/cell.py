"""What all cells share: the protocol, scratch memory, initialisation and the input side."""

import math
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
Params = dict[str, Array]
State = tuple[Array, ...]


class Workspace:
    """Scratch arrays, made once for each name and shape and then lent again and again.

    What forward leaves in a workspace (outputs and cache) is valid until the next forward with the
    same workspace. Without one, every call makes arrays of its own.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of this shape with unspecified contents."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


class Cell(Protocol):
    """One recurrent layer in one direction.

    params of a layer, named as in torch.nn (the model adds the layer's number):

        weight_ih  (G*H, I)     weight_hh  (G*H, H)     bias_ih, bias_hh  (G*H,)
    """

    gates: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]]

    def forward(
        self,
        params: Params,
        inputs: NDArray[Any],
        state: State,
        workspace: Workspace | None = None,
    ) -> tuple[Array, State, Any]:
        """Run the cell over a sequence.

        inputs   ids (T, B), standing for one-hot vectors, or dense features (T, I, B)
        state    one array (H, B) for each of ``state_names``

        Returns outputs (T, H, B), the final state, and a cache for backward. The final state is
        the caller's to keep; outputs and cache belong to the workspace.
        """
        ...

    def backward(
        self,
        params: Params,
        cache: Any,  # noqa: ANN401  # each cell has its own
        d_outputs: Array,
        d_state: State,
    ) -> tuple[Params, Array | None, State]:
        """Backpropagate through time (Werbos 1990).

        d_outputs   gradient of the loss by the outputs, (T, H, B)
        d_state     gradient by the final state, one (H, B) for each of ``state_names``

        Returns gradients by the params (same keys), by the inputs (T, I, B) or None for ids, and by
        the initial state. Arguments and cache are left as they were.
        """
        ...


def init_params(cell: Cell, input_size: int, hidden_size: int, rng: np.random.Generator) -> Params:
    """Draw a layer's parameters from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does, in float64.

    The LSTM's forget gate gets a bias of 1, so that it remembers by default (Jozefowicz et al.
    2015).
    """
    bound = 1 / math.sqrt(hidden_size)
    rows = cell.gates * hidden_size
    shapes = {
        "weight_ih": (rows, input_size),
        "weight_hh": (rows, hidden_size),
        "bias_ih": (rows,),
        "bias_hh": (rows,),
    }
    params: Params = {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
    if "c" in cell.state_names:
        forget = slice(hidden_size, 2 * hidden_size)
        params["bias_ih"][forget], params["bias_hh"][forget] = 1, 0
    return params


def project_inputs(inputs: NDArray[Any], weight: Array, bias: Array, workspace: Workspace) -> Array:
    """Return weight @ x_t + bias for every step at once, (T, G*H, B).

    The product of a matrix with a one-hot vector is one of its columns, so ids are looked up, not
    multiplied.
    """
    T, B = inputs.shape[0], inputs.shape[-1]
    projected = workspace.array("projected", (T, len(weight), B), weight.dtype)
    if inputs.ndim == 2:  # noqa: PLR2004
        # Add the bias where that is less work: to all columns once, or to those looked up.
        few = inputs.size < weight.shape[1]
        table = weight if few else weight + bias[:, None]
        for t in range(T):
            # Ids are in range; "clip" only spares NumPy a slow check and a copy.
            np.take(table, inputs[t], axis=1, out=projected[t], mode="clip")
        if few:
            projected += bias[:, None]
        return projected
    # One product per step rather than one over all: a step then has the same bits in a sequence
    # of any length.
    np.matmul(weight, inputs, out=projected)
    projected += bias[:, None]
    return projected


def columns(steps: Array) -> Array:
    """Return steps (T, N, B) side by side as the columns of one matrix (N, T*B)."""
    return steps.transpose(1, 0, 2).reshape(steps.shape[1], -1)


def input_gradients(
    inputs: NDArray[Any], weight: Array, d_projected: Array, d_columns: Array
) -> tuple[Array, Array | None]:
    """Return gradients by the input weight (G*H, I) and by dense inputs (T, I, B) or None.

    Undoes ``project_inputs``. ``d_columns`` is ``columns(d_projected)``, which the caller has.
    """
    if inputs.ndim > 2:  # noqa: PLR2004
        return d_columns @ columns(inputs).T, np.matmul(weight.T, d_projected)
    # A product with the one-hot matrix of only those characters that occur: with thousands of
    # characters in the vocabulary, most columns of the gradient are zero.
    present, row = np.unique(inputs, return_inverse=True)
    one_hot = np.zeros((row.size, present.size), d_columns.dtype)
    one_hot[np.arange(row.size), row.ravel()] = 1
    d_weight = np.zeros_like(weight)
    d_weight[:, present] = d_columns @ one_hot
    return d_weight, None


def sum_columns(matrix: Array) -> Array:
    """Return the sum over the columns of (N, M), shape (N,); quicker than ``.sum(axis=1)``."""
    return matrix @ np.ones(matrix.shape[1], matrix.dtype)


def sigmoid(x: Array, out: Array) -> Array:
    """Logistic function, as (1 + tanh(x/2)) / 2: it cannot overflow and tanh is vectorised."""
    np.multiply(x, 0.5, out=out)
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5
    return out
