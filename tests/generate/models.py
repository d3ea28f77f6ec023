"""Small models with random weights, and texts that they write under controls."""

from typing import Any

import numpy as np

from charrnn import Config, DataConfig, LanguageModel, Model, ModelConfig, Vocabulary
from charrnn.training.state import Progress

CHARACTERS = "".join(sorted("\n .abcABC019!?。”"))


def make_network(size: int = len(CHARACTERS), number: int = 0, **settings: Any) -> LanguageModel:
    """Return a network with opinions: weights four times those before training."""
    config = ModelConfig(**{"hidden_size": 12, **settings})
    network = LanguageModel(config, size).init(np.random.default_rng(number))
    network.flat *= 4
    return network


def make_model(text: str = CHARACTERS, network: LanguageModel | None = None, **data: Any) -> Model:
    """Return a model that has read a text, without n-grams, and learned nothing."""
    vocabulary = Vocabulary.from_text(text)
    network = network or make_network(len(vocabulary))
    config = Config(model=network.config, data=DataConfig(**{"ngram": 0, **data}))
    return Model(config, vocabulary, network.params, {}, Progress())


MODEL, LINES = make_model(), make_model(separator="\n")


def write(
    model: Model = MODEL, length: int | None = 40, *, random_seed: int = 0, **settings: Any
) -> tuple[str, str]:
    """Return a text that obeys these settings, without a prompt, and why it ended."""
    settings = {"random_seed": random_seed, "min_length": 0, **settings}
    stream, text = model.stream("", length, **settings), ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value
