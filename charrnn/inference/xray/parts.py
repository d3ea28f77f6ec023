"""The parts of a recurrent layer that can be looked at, and between which values they are.

    hidden      h_t, what the layer passes on                                all cells
    cell        tanh(c_t), the cell state as its output gate sees it         LSTM
    input, forget, output        its gates, from 0 (shut) to 1 (open)        LSTM
    reset, update                (the same)                                  GRU
    candidate   what would be written into the state                         LSTM, GRU

The module of each cell has the equations.
"""

from typing import NamedTuple

import numpy as np

from charrnn.errors import ConfigError
from charrnn.nn.cells import Array, Cell
from charrnn.nn.cells.cell import Cache

HIDDEN, CELL_STATE = "hidden", "cell"


class Place(NamedTuple):
    """Where units are: the number of a layer, from 0, and the name of a part of it."""

    layer: int
    part: str


def parts_of(cell: Cell) -> tuple[str, ...]:
    """Return the names of the parts of a cell, first the one that says most about a unit."""
    state = (CELL_STATE, HIDDEN) if "c" in cell.state_names else (HIDDEN,)
    return (*state, *cell.gate_names)


def require_part(cell: Cell, name: str | None) -> str:
    """Return the name of a part of the cell; None: the first.

    Raises ConfigError if the cell has no such part.
    """
    known = parts_of(cell)
    if name is None:
        return known[0]
    if name not in known:
        kind = type(cell).__name__.removesuffix("Cell")
        raise ConfigError(
            f"a unit of this {kind} has no part {name!r}", hint=f"its parts: {', '.join(known)}"
        )
    return name


def bounds(cell: Cell, part: str) -> tuple[float, float]:
    """Return the least and the greatest activation of a part; inf where there is no limit."""
    if part in cell.gate_names:
        return (0.0, 1.0) if cell.gate_names.index(part) in cell.sigmoid_gates else (-1.0, 1.0)
    relu = part == HIDDEN and getattr(cell, "nonlinearity", "tanh") == "relu"
    return (0.0, float("inf")) if relu else (-1.0, 1.0)


def write_activations(cell: Cell, cache: Cache, part: str, out: Array) -> None:
    """Write the activations of a part after each step.

    cache   what ``Cell.forward`` returned
    out     (T, B, H)
    """
    if part == HIDDEN:
        out[...] = cache.states[0][1:]
    elif part == CELL_STATE:
        np.tanh(cache.states[cell.state_names.index("c")][1:], out=out)
    else:
        out[...] = cache.gates[cell.gate_names.index(part)]
