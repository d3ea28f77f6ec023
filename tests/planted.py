"""A hand-made model, one of whose units counts brackets; the others do as they please."""

from dataclasses import replace

from charrnn import Config, Model, ModelConfig, RunConfig, Vocabulary
from charrnn.training.state import initial_state

COUNTER = 5
UNITS = 12


def bracket_counter(text: str) -> Model:
    """Return an LSTM whose unit COUNTER is the number of open brackets, squeezed by tanh.

    text   its vocabulary
    """
    vocabulary = Vocabulary.from_text(text)
    config = Config(
        model=ModelConfig(hidden_size=UNITS), run=RunConfig(seconds=None, steps=1, random_seed=1)
    )
    model = Model.of(config, vocabulary, initial_state(config, len(vocabulary)))
    network = model.network()
    layer = network.layers[0]
    layer["weight_ih"] *= 4  # the others are busy too
    rows = [gate * UNITS + COUNTER for gate in range(4)]
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        layer[name][rows] = 0
    write, keep, value, show = rows
    layer["bias_ih"][[write, keep, show]] = 20  # gates that are always open
    for char, step in (("(", 1), (")", -1)):  # adds tanh(1) or takes it away
        layer["weight_ih"][value, vocabulary.index[char]] = step
    return replace(model, weights={name: it.copy() for name, it in network.params.items()})
