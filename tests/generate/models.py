"""Small models with random weights, and texts that they write under controls."""

from typing import Any

import numpy as np

from charrnn import LanguageModel, ModelConfig, SamplingConfig, Vocabulary
from charrnn.config import ControlConfig
from charrnn.generate.controls import Controls
from charrnn.generate.sample import Sampler

CHARACTERS = "".join(sorted("\n .abcABC019!?。”"))


def make_model(characters: str = CHARACTERS, number: int = 0, **settings: Any) -> LanguageModel:
    config = ModelConfig(hidden_size=12, **settings)
    model = LanguageModel(config, len(characters)).init(np.random.default_rng(number))
    model.flat *= 4  # sharper than an untrained model's
    return model


VOCABULARY, MODEL = Vocabulary(CHARACTERS), make_model()


def write(
    length: int | None = 40,
    *,
    random_seed: int = 0,
    sampling: SamplingConfig | None = None,
    model: LanguageModel = MODEL,
    vocabulary: Vocabulary = VOCABULARY,
    end: str | None = None,
    **rules: Any,
) -> tuple[str, str]:
    """Return a text that obeys these rules, and why it ended."""
    controls = Controls(ControlConfig(**rules), vocabulary, length, end=end)
    sampler = Sampler.of(model, np.array([0]), sampling or SamplingConfig(), random_seed)
    return read_stream(sampler, controls)


def read_stream(sampler: Sampler, controls: Controls, sample: int = 0) -> tuple[str, str]:
    """Return the text of a sample, and why it ended."""
    stream, text = sampler.stream(controls, sample), ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value


def controlled(length: int | None = 40, **settings: Any) -> str:
    """Return a text that obeys these rules."""
    return write(length, **settings)[0]
