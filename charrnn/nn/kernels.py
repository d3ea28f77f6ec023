"""Scratch memory, blocked matrix products and gradients of weights, shared by all cells."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]

# OpenBLAS skips packing (copying) both operands if M*N*K is at most a million. With blocks of this
# many weights, that is the case for up to 61 samples.
BLOCK_WEIGHTS = 1 << 14
MIN_BLOCK_WIDTH = 16


class Workspace:
    """Scratch arrays, allocated once for each name and shape and then reused.

    Outputs and cache of a forward pass live in its workspace and are valid until the next forward
    pass with the same workspace.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an uninitialized array of this shape."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


class Blocks:
    """Weights rearranged into blocks for the many small products of a loop over time.

    BLAS spends up to a third of the time of such a product packing the weights. Here they are
    rearranged once for all time steps:

        np.matmul(weights.rows(x), weights.blocks, out=weights.columns(out))       # out = x W

    weights   (..., K, N)
    buffer    where the blocks go, same size as the weights; None: new memory
    scale     factor on the weights, broadcast against them
    """

    def __init__(
        self, weights: Array, buffer: Array | None = None, scale: Array | None = None
    ) -> None:
        *outer, K, N = weights.shape
        self.width = _block_width(K, N)
        cut = weights.reshape(*outer, K, N // self.width, self.width).swapaxes(-2, -3)
        self.blocks = np.empty(cut.shape, weights.dtype) if buffer is None else buffer
        self.blocks = self.blocks.reshape(cut.shape)
        np.multiply(cut, 1 if scale is None else scale[..., None], out=self.blocks)

    @staticmethod
    def rows(x: Array) -> Array:
        """Return a view of ``x`` (..., B, K) to multiply the blocks with."""
        return x[..., None, :, :]

    def columns(self, out: Array) -> Array:
        """Return a view of ``out`` (..., B, N) to receive the product."""
        return out.reshape(*out.shape[:-1], -1, self.width).swapaxes(-2, -3)


def _block_width(inner: int, outer: int) -> int:
    """Return the number of columns per block: a divisor of ``outer``, or all if none fits."""
    widest = min(BLOCK_WEIGHTS // inner, outer)
    widths = range(widest, MIN_BLOCK_WIDTH - 1, -1)
    return next((width for width in widths if outer % width == 0), outer)


def activate(gates: Array, sigmoids: Sequence[Array]) -> None:
    """Apply tanh to all gates in place, then turn those in ``sigmoids`` into sigmoids.

    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2 cannot overflow, and one call of tanh covers all gates.
    The input is not halved here: the factor 1/2 is folded into the weights.
    """
    np.tanh(gates, out=gates)
    half = _half(gates.dtype)
    for gate in sigmoids:
        np.multiply(gate, half, out=gate)
        np.add(gate, half, out=gate)


@functools.cache
def _half(dtype: np.dtype[Any]) -> Array:
    # A Python float would take NumPy twice as long, which matters for a single sample.
    return np.array(0.5, dtype)


def split_gates(weight: Array, gates: int) -> Array:
    """Return a view (..., G, H, I) of weights (..., G*H, I)."""
    return weight.reshape(*weight.shape[:-2], gates, -1, weight.shape[-1])


def weight_gradients(d_gates: Sequence[Array] | Array, inputs: Array, out: Array) -> None:
    """Write dW = sum_t dz_t x_t^T, gate by gate.

    d_gates   gradient dz of each gate, (T*B, H)
    inputs    the x_t that the weights multiplied, (T*B, I)
    out       (G*H, I), receives dW
    """
    for d_gate, grad in zip(d_gates, split_gates(out, len(d_gates)), strict=True):
        np.dot(d_gate.T, inputs, out=grad)


def input_gradients(
    d_gates: Sequence[Array], weight: Array, out: Array, workspace: Workspace
) -> None:
    """Write dx_t = W_ih^T dz_t, summed over the gates.

    d_gates     gradient dz of each gate, (T*B, H)
    weight      (G*H, I)
    out         (T*B, I), receives dx
    """
    product = workspace.array("d_inputs of a gate", out.shape, out.dtype)
    for number, (d_gate, w) in enumerate(
        zip(d_gates, split_gates(weight, len(d_gates)), strict=True)
    ):
        np.dot(d_gate, w, out=product if number else out)
        if number:
            out += product


def one_hot_gradients(
    d_gates: Sequence[Array], ids: NDArray[Any], out: Array, workspace: Workspace
) -> None:
    """Write the gradient of the input weights for inputs that are ids.

    It multiplies with the one-hot matrix of the characters in the batch only: with a vocabulary of
    thousands of characters, most columns of the gradient are zero.
    """
    present, row = np.unique(ids, return_inverse=True)
    one_hot = workspace.array("one-hot", (row.size, present.size), out.dtype)
    one_hot[...] = 0
    one_hot[np.arange(row.size), row.ravel()] = 1
    if present.size == out.shape[1]:
        weight_gradients(d_gates, one_hot, out)
        return
    narrow = workspace.array("narrow", (len(out), present.size), out.dtype)
    weight_gradients(d_gates, one_hot, narrow)
    out[...] = 0
    out[:, present] = narrow
