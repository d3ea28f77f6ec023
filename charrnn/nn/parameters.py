"""Parameters: named views into one flat array."""

import math

from charrnn.nn.cells import Array, Params

Shapes = dict[str, tuple[int, ...]]


def count(shapes: Shapes) -> int:
    """Return the total number of elements in these shapes."""
    return sum(math.prod(shape) for shape in shapes.values())


def views(flat: Array, shapes: Shapes) -> Params:
    """Return named views into a flat array, one after the other."""
    params, start = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        params[name] = flat[start : start + size].reshape(shape)
        start += size
    return params
