"""The names to choose from, and the bounds on sizes."""

from typing import TYPE_CHECKING, Literal

# One name for each file in nn/cells.
CELLS = ("rnn", "lstm", "gru")

# One line for each file in training/optimizers: a peak learning rate that suits the default model.
DEFAULT_LEARNING_RATES = {
    "adam": 0.02,
    "rmsprop": 0.004,
    "adagrad": 0.05,
    "sgd": 1.0,
}

if TYPE_CHECKING:
    CellName = str
    OptimizerName = str
else:  # the command line reads its choices from here
    CellName = Literal[CELLS]
    OptimizerName = Literal[tuple(DEFAULT_LEARNING_RATES)]
Nonlinearity = Literal["tanh", "relu"]
ScheduleName = Literal["cosine", "linear", "constant"]
Normalization = Literal["NFC", "NFKC", "none"]
DTypeName = Literal["float32", "float64"]

# Bounds on sizes keep a hostile checkpoint from asking for all of memory.
MAX_HIDDEN_SIZE = 65_536
MAX_LAYERS = 64
MAX_MEMBERS = 64
MAX_WORKERS = 256
MAX_NGRAM = 16
