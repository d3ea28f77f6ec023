"""Numbers on their way between machines: as they are, or in half precision.

In half precision, every block of numbers is divided by its largest, and the quotients are sent as
float16: 2 bytes a number instead of 4, with an error of at most 1/2048 of the number, or 1 part in
30 million of the largest in its block.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Numbers that share a scale.
BLOCK = 1024

Bytes = NDArray[np.uint8]


def packed_size(count: int, dtype: np.dtype[Any], *, half: bool) -> int:
    """Return how many bytes so many numbers take."""
    if not half:
        return count * dtype.itemsize
    return 2 * count + 4 * -(-count // BLOCK)


def pack(values: NDArray[Any], *, half: bool) -> Bytes:
    """Return numbers (N,) as bytes."""
    if not half:
        return values.view(np.uint8)
    table = np.zeros((-(-len(values) // BLOCK), BLOCK), values.dtype)
    table.reshape(-1)[: len(values)] = values
    scales = np.abs(table).max(axis=1, initial=0).astype(np.float32)
    table /= np.where(scales > 0, scales, 1)[:, None]
    halves = table.reshape(-1)[: len(values)].astype(np.float16)
    return np.concatenate([scales.view(np.uint8), halves.view(np.uint8)])


def unpack(data: Bytes, count: int, dtype: np.dtype[Any], *, half: bool) -> NDArray[Any]:
    """Return so many numbers (N,) from bytes that ``pack`` made of them."""
    if not half:
        return data.view(dtype)
    scales = data[: len(data) - 2 * count].view(np.float32)
    values: NDArray[Any] = data[len(data) - 2 * count :].view(np.float16).astype(dtype)
    values *= np.repeat(scales, BLOCK)[:count]
    return values
