"""Recurrent cells, one file each.

A cell is a pair of functions, forward and backward, over named arrays. It holds no weights and no
state: both are arguments, so training, sampling and gradient checks all call the same code.

Axes, in this order in every shape:

    T  time steps          I  input features        V  characters of the vocabulary
    H  hidden units        B  samples of a batch    G  gates of a cell (rnn 1, gru 3, lstm 4)

The batch is the last axis: a step's states are the columns of an (H, B) matrix, so the code reads
like the equations, ``W_hh @ h``, with PyTorch's weights as they are. It is also quicker: each gate
is one contiguous block of rows, and BLAS gets tall products.
"""

from charrnn.cells.cell import Array, Cell, Params, State, Workspace, init_params
from charrnn.cells.gru import GRUCell
from charrnn.cells.lstm import LSTMCell
from charrnn.cells.rnn import RNNCell
from charrnn.config import ModelConfig

CELLS: dict[str, type[RNNCell] | type[LSTMCell] | type[GRUCell]] = {
    "rnn": RNNCell,
    "lstm": LSTMCell,
    "gru": GRUCell,
}

__all__ = [
    "CELLS",
    "Array",
    "Cell",
    "GRUCell",
    "LSTMCell",
    "Params",
    "RNNCell",
    "State",
    "Workspace",
    "init_params",
    "make_cell",
]


def make_cell(config: ModelConfig) -> Cell:
    """Return the cell that a config names."""
    if config.cell == "rnn":
        return RNNCell(config.nonlinearity)
    return CELLS[config.cell]()
