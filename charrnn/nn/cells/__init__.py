"""Recurrent cells, one file each.

A cell holds neither weights nor state: both are arguments of its ``forward`` and ``backward``, so
training, sampling and gradient checks run the same code.

Axes, in this order in every shape, as in torch.nn:

    G  gates of a cell (rnn 1, gru 3, lstm 4)       I  input features
    T  time steps                                   H  hidden units
    B  samples in a mini-batch                      V  characters in the vocabulary

Weights have PyTorch's shape, (G*H, I), so a step is ``x @ W.T``. In activations the gate axis comes
first: one gate of all steps is then a matrix (T*B, H) without a copy, and one gate of one step is
contiguous in memory.
"""

from charrnn import config
from charrnn.config import CellName, Nonlinearity
from charrnn.extras import class_in
from charrnn.nn.cells.cell import Cell, Mask
from charrnn.nn.cells.gru import GRUCell
from charrnn.nn.cells.lstm import LSTMCell
from charrnn.nn.cells.rnn import RNNCell
from charrnn.nn.cells.step import Params, State, init_params
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
    """Return the cell of this name; only the plain RNN uses the nonlinearity."""
    return RNNCell(nonlinearity) if name == "rnn" else CELLS[name]()
