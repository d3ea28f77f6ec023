"""Small models with random weights, and texts that they write under controls."""

from typing import Any

import numpy as np

from charrnn import Config, DataConfig, LanguageModel, Model, ModelConfig, Vocabulary
from charrnn.training.state import Progress

CHARACTERS = "".join(sorted("\n .abcABC019!?。”"))


def make_network(characters: str = CHARACTERS, number: int = 0, **settings: Any) -> LanguageModel:
    config = ModelConfig(**{"hidden_size": 12, **settings})
    network = LanguageModel(config, len(characters)).init(np.random.default_rng(number))
    network.flat *= 4  # sharper than an untrained one's
    return network


def model_of(network: LanguageModel, characters: str = CHARACTERS, **data: Any) -> Model:
    """Return the model that is this network alone."""
    config = Config(model=network.config, data=DataConfig(ngram=0, **data))
    return Model(config, Vocabulary(characters), network.params, {}, Progress())


def make_model(characters: str = CHARACTERS, number: int = 0, **data: Any) -> Model:
    return model_of(make_network(characters, number), characters, **data)


MODEL, LINES = make_model(), make_model(separator="\n")


def write(
    model: Model = MODEL, length: int | None = 40, *, random_seed: int = 0, **settings: Any
) -> tuple[str, str]:
    """Return a text that obeys these settings, without a prompt, and why it ended."""
    stream, text = model.stream("", length, random_seed=random_seed, **settings), ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value
