"""Kernels that the cells share: scratch memory, blocked matrix products, weight gradients."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]

# OpenBLAS skips packing (copying) both operands if M*N*K is at most a million. With blocks of this
# many weights, that is the case for up to 61 samples.
BLOCK_WEIGHTS = 1 << 14
NARROWEST_BLOCK = 16


class Workspace:
    """Scratch arrays, allocated once for each name and shape and then reused.

    Outputs and cache of a forward pass live in its workspace and are valid until the next forward
    pass with the same workspace. Without a workspace, every call allocates new arrays.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_arrays": {}}  # scratch memory need not be pickled

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an uninitialized array of this shape."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


class Blocks:
    """Weights cut into blocks, for the small products of the steps of a sequence.

    BLAS spends up to a third of the time of such a small product packing the weights. Here the
    weights are rearranged once for all steps.

        np.matmul(cut.rows(x), cut.blocks, out=cut.target(out))     out = x W for each gate

    blocks   (G, N/m, K, m), cut from weights (G, K, N); of an ensemble with M members, each with
             weights of its own, (G, M, N/m, K, m) from (G, M, K, N)
    """

    def __init__(
        self, weights: Array, workspace: Workspace, name: str, scale: Array | None = None
    ) -> None:
        *outer, K, N = weights.shape
        self.members = outer[1] if len(outer) > 1 else 1
        self.width = block_width(K, N)
        cut = weights.reshape(*outer, K, N // self.width, self.width).swapaxes(-2, -3)
        self.blocks = workspace.array(name, cut.shape, weights.dtype)
        if scale is None:
            self.blocks[...] = cut
        else:
            np.multiply(cut, scale.reshape(-1, *[1] * (cut.ndim - 1)), out=self.blocks)

    def rows(self, x: Array) -> Array:
        """Return a view of ``x`` (..., B, M*K) to pass to ``np.matmul``."""
        return _by_member(x, self.members)[..., None, :, :]

    def target(self, out: Array, rows: int | None = None) -> Array:
        """Return a view of ``out`` (G, B, M*N) to pass to ``np.matmul``.

        rows   multiply this many rows at a time; B must be a multiple of it, and ``x`` is then
               (B/rows, 1, rows, M*K)
        """
        G, B, N = out.shape
        out = _by_member(
            out.reshape(G, B // (rows or B), rows or B, N).swapaxes(0, 1), self.members
        )
        view = out.reshape(*out.shape[:-1], -1, self.width).swapaxes(-2, -3)
        return view if rows else view[0]


def _by_member(x: Array, members: int) -> Array:
    """Return a view (..., M, B, N/M) of values (..., B, N) of M members; (..., B, N) of one."""
    if members == 1:
        return x
    return x.reshape(*x.shape[:-1], members, -1).swapaxes(-2, -3)


def block_width(inner: int, outer: int) -> int:
    """Return the number of columns per block: a divisor of ``outer``, or all if none fits."""
    most = min(BLOCK_WEIGHTS // inner, outer)
    return next((m for m in range(most, NARROWEST_BLOCK - 1, -1) if outer % m == 0), outer)


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


def by_gate(weight: Array, gates: int, members: int = 1) -> Array:
    """Return a view (G, H, I) of weights (G*H, I); of an ensemble (G, M, H/M, I)."""
    if members == 1:
        return weight.reshape(gates, -1, weight.shape[1])
    return weight.reshape(gates, members, -1, weight.shape[1])


def weight_gradients(
    steps: Sequence[Array] | Array, inputs: Array, out: Array, members: int = 1
) -> None:
    """Write dW = sum_t dz_t x_t^T, gate by gate, and member by member.

    steps    gradient of each gate, (T*B, H)
    inputs   the x_t that the weights multiplied, (T*B, M*I)
    out      (G*H, I), receives dW
    """
    inputs = _by_member(inputs, members)
    for d, grad in zip(steps, by_gate(out, len(steps), members), strict=True):
        if members == 1:
            np.dot(d.T, inputs, out=grad)
        else:
            np.matmul(_by_member(d, members).swapaxes(1, 2), inputs, out=grad)


def input_gradients(
    steps: Sequence[Array], weight: Array, out: Array, product: Array, members: int = 1
) -> None:
    """Write dx_t = W_ih^T dz_t, summed over the gates.

    steps     gradient of each gate, (T*B, H)
    weight    (G*H, I)
    out       (T, B, M*I), receives dx
    product   (T, B, M*I), scratch memory
    """
    d_rows, rows = (array.reshape(len(steps[0]), -1) for array in (out, product))
    for gate, (d, w) in enumerate(zip(steps, by_gate(weight, len(steps), members), strict=True)):
        target = rows if gate else d_rows
        if members == 1:
            np.dot(d, w, out=target)
        else:
            np.matmul(_by_member(d, members), w, out=_by_member(target, members))
        if gate:
            d_rows += rows


def one_hot_gradients(
    steps: Sequence[Array], ids: NDArray[Any], out: Array, workspace: Workspace
) -> None:
    """Write the gradient with respect to the input weights for inputs that are ids.

    It multiplies with the one-hot matrix of the characters in the batch only: with a vocabulary of
    thousands of characters, most columns of the gradient are zero.
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
