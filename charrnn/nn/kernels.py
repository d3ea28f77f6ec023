"""The arithmetic that cells share: scratch memory, products in blocks, gradients of weights."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]

# OpenBLAS multiplies without first copying both operands as long as M*N*K is at most a million.
# With blocks of this many weights that holds for up to 61 samples.
BLOCK_WEIGHTS = 1 << 14
NARROWEST_BLOCK = 16


class Workspace:
    """Scratch arrays, made once for each name and shape and then lent again and again.

    What forward leaves in a workspace (outputs and cache) is valid until the next forward with the
    same workspace. Without one, every call makes arrays of its own.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_arrays": {}}  # scratch is not worth pickling

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of this shape with unspecified contents."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


class Blocks:
    """Weights cut into blocks, for products with the few rows of one step after another.

    Products as small as those of one step spend a third of their time in BLAS rearranging the
    weights. Here they are rearranged once for all steps.

    blocks   (G, N/m, K, m), cut from weights (G, K, N)
    """

    def __init__(
        self, weights: Array, workspace: Workspace, name: str, scale: Array | None = None
    ) -> None:
        G, K, N = weights.shape
        self.width = block_width(K, N)
        cut = weights.reshape(G, K, N // self.width, self.width).transpose(0, 2, 1, 3)
        self.blocks = workspace.array(name, cut.shape, weights.dtype)
        if scale is None:
            self.blocks[...] = cut
        else:
            np.multiply(cut, scale[..., None], out=self.blocks)

    def target(self, out: Array, rows: int | None = None) -> Array:
        """Return a view of out (G, B, N) that ``np.matmul(x, blocks, out=view)`` fills.

        rows   multiply this many rows at a time, which B must be a multiple of; x is then
               (B/rows, 1, 1, rows, K) instead of (B, K)
        """
        G, B, N = out.shape
        shape = (G, B // (rows or B), rows or B, N // self.width, self.width)
        view = out.reshape(shape).transpose(1, 0, 3, 2, 4)
        return view if rows else view[0]


def block_width(inner: int, outer: int) -> int:
    """Return how many of ``outer`` columns go into a block: a divisor, or all if none will do."""
    most = min(BLOCK_WEIGHTS // inner, outer)
    return next((m for m in range(most, NARROWEST_BLOCK - 1, -1) if outer % m == 0), outer)


def activate(gates: Array, sigmoids: Sequence[Array]) -> None:
    """Apply tanh to all gates in place, and make a sigmoid of these.

    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2 cannot overflow, and one tanh serves all gates. The halving
    of x is not done here: it is in the weights.
    """
    np.tanh(gates, out=gates)
    half = _half(gates.dtype)
    for gate in sigmoids:
        np.multiply(gate, half, out=gate)
        np.add(gate, half, out=gate)


@functools.cache
def _half(dtype: np.dtype[Any]) -> Array:
    # NumPy takes twice as long over a Python number, which counts when there is but one sample.
    return np.array(0.5, dtype)


def by_gate(weight: Array, gates: int) -> Array:
    """Return weights (G*H, I) as (G, H, I)."""
    return weight.reshape(gates, -1, weight.shape[1])


def weight_gradients(steps: Sequence[Array] | Array, inputs: Array, out: Array) -> None:
    """Write dW = sum_t dz_t x_t^T, gate by gate.

    steps   gradients of each gate, (T*B, H)
    inputs  what the weights were multiplied with, (T*B, I)
    out     (G*H, I)
    """
    for d, grad in zip(steps, by_gate(out, len(steps)), strict=True):
        np.dot(d.T, inputs, out=grad)


def input_gradients(steps: Sequence[Array], weight: Array, out: Array, product: Array) -> None:
    """Write dx_t = W_ih^T dz_t, summed over the gates.

    steps          gradients of each gate, (T*B, H)
    out, product   (T, B, I); the second is scratch
    """
    d_rows, rows = (array.reshape(len(steps[0]), -1) for array in (out, product))
    for gate, (d, w) in enumerate(zip(steps, by_gate(weight, len(steps)), strict=True)):
        np.dot(d, w, out=rows if gate else d_rows)
        if gate:
            d_rows += rows


def one_hot_gradients(
    steps: Sequence[Array], ids: NDArray[Any], out: Array, workspace: Workspace
) -> None:
    """Write the gradient by the input weights when the inputs are ids.

    A product with the one-hot matrix of only those characters that occur: with thousands of
    characters in the vocabulary, most columns of the gradient are zero.
    """
    present, row = np.unique(ids, return_inverse=True)
    one_hot = workspace.array("one-hot", (row.size, present.size), out.dtype)
    one_hot[...] = 0
    one_hot[np.arange(row.size), row.ravel()] = 1
    if present.size == out.shape[1]:
        weight_gradients(steps, one_hot, out)
        return
    narrow = workspace.array("narrow", (len(out), present.size), out.dtype)
    weight_gradients(steps, one_hot, narrow)
    out[...] = 0
    out[:, present] = narrow
