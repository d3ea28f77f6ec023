"""Recurrent cells, one file each.

A cell holds no weights and no state: both are arguments of its forward and backward, so training,
sampling and gradient checks all call the same code.

Axes, in this order in every shape, as in torch.nn:

    G  gates of a cell (rnn 1, gru 3, lstm 4)       I  input features
    T  time steps                                   H  hidden units
    B  samples of a batch                           V  characters of the vocabulary

Weights are PyTorch's, (G*H, I), so a step is ``x @ W.T``. With the gates first, one gate of all
steps, (T*B, H), is one matrix without a copy, and one gate of one step is one block of memory.
"""

from charrnn import config
from charrnn.config import CellName, Nonlinearity
from charrnn.extras import class_in
from charrnn.nn.cells.cell import (
    Cell,
    Mask,
    Params,
    State,
    init_params,
)
from charrnn.nn.cells.gru import GRUCell
from charrnn.nn.cells.lstm import LSTMCell
from charrnn.nn.cells.rnn import RNNCell
from charrnn.nn.kernels import Array, Blocks, Workspace

CELLS: dict[str, type[Cell]] = {name: class_in(f"{__name__}.{name}", Cell) for name in config.CELLS}

__all__ = [
    "CELLS",
    "Array",
    "Blocks",
    "Cell",
    "GRUCell",
    "LSTMCell",
    "Mask",
    "Params",
    "RNNCell",
    "State",
    "Workspace",
    "init_params",
    "make_cell",
]


def make_cell(name: CellName, nonlinearity: Nonlinearity = "tanh") -> Cell:
    """Return the cell of this name; the nonlinearity is that of the RNN."""
    return RNNCell(nonlinearity) if name == "rnn" else CELLS[name]()
