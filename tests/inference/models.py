"""Small models with random weights, and texts that they write under controls."""

from typing import Any

import numpy as np

from charrnn import LanguageModel, ModelConfig, SamplingConfig, Vocabulary
from charrnn.config import ControlConfig
from charrnn.inference.controls import Controls
from charrnn.inference.sampling import write_sample

CHARACTERS = "\n .abcABC019!?。”"


def make_model(characters: str = CHARACTERS, number: int = 0, **settings: Any) -> LanguageModel:
    config = ModelConfig(hidden_size=12, **settings)
    model = LanguageModel(config, len(characters)).init(np.random.default_rng(number))
    model.flat *= 4  # sharper than an untrained model's
    return model


def sorted_vocabulary(characters: str = CHARACTERS) -> Vocabulary:
    return Vocabulary("".join(sorted(characters)))


VOCABULARY = sorted_vocabulary()
MODEL = make_model(VOCABULARY.characters)


def controlled(
    length: int | None = 40,
    *,
    random_seed: int = 0,
    sampling: SamplingConfig | None = None,
    model: LanguageModel = MODEL,
    vocabulary: Vocabulary = VOCABULARY,
    **rules: Any,
) -> str:
    """Return a text that obeys these rules."""
    controls = Controls(ControlConfig(**rules), vocabulary, length)
    written = write_sample(
        model, np.array([0]), sampling or SamplingConfig(), controls, random_seed=random_seed
    )
    return "".join(vocabulary.characters[character.id] for character in written)
