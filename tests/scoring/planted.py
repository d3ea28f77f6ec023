"""A hand-made model, one of whose units counts brackets; the others do as they please."""

from dataclasses import replace

import numpy as np

from charrnn import Config, Model, ModelConfig, RunConfig, Vocabulary
from charrnn.config import CellName
from charrnn.training.state import initial_state

COUNTER = 5
UNITS = 12


def bracket_counter(
    cell: CellName, vocabulary: Vocabulary, opening: str = "(", closing: str = ")"
) -> Model:
    """Return a model whose unit COUNTER is the number of open brackets, squeezed by tanh.

    cell   "rnn", with ReLU, or "lstm"
    """
    shape = ModelConfig(
        cell=cell, hidden_size=UNITS, nonlinearity="relu" if cell == "rnn" else "tanh"
    )
    config = Config(model=shape, run=RunConfig(seconds=None, steps=1, random_seed=1))
    model = Model.of(config, vocabulary, initial_state(config, len(vocabulary)))
    network = model.network()
    layer = network.layers[0]
    layer["weight_ih"] *= 4  # the others are busy too
    rows = [gate * UNITS + COUNTER for gate in range(len(layer["bias_ih"]) // UNITS)]
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        layer[name][rows] = 0
    count = np.zeros(len(vocabulary))
    count[vocabulary.index[opening]], count[vocabulary.index[closing]] = 1, -1
    if cell == "rnn":
        layer["weight_ih"][COUNTER] = count
        layer["weight_hh"][COUNTER, COUNTER] = 1
    else:
        write, keep, value, show = rows
        layer["bias_ih"][[write, keep, show]] = 20  # gates that are always open
        layer["weight_ih"][value] = count  # adds tanh(1) or takes it away
    return replace(model, weights={name: it.copy() for name, it in network.params.items()})
