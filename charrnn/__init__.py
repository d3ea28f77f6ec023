"""charrnn: character-level text generation with recurrent networks in NumPy.

The public names below are imported when first used, so that ``import charrnn`` and
``charrnn --help`` cost next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn._version import __version__
    from charrnn.config import (
        ClassifierConfig,
        ClassifierDataConfig,
        ClassifierModelConfig,
        Config,
        DataConfig,
        ModelConfig,
        OptimizerConfig,
        RunConfig,
        SamplingConfig,
    )
    from charrnn.errors import (
        CharRNNError,
        CheckpointError,
        ConfigError,
        CorpusError,
        TrainingError,
        VocabularyError,
    )
    from charrnn.inference.prediction import log_probabilities
    from charrnn.inference.sampling import generate
    from charrnn.inference.scoring import Score, score
    from charrnn.models import load
    from charrnn.models.classifier import Classifier
    from charrnn.models.model import Model
    from charrnn.models.train import train
    from charrnn.nn.classifier import SequenceClassifier
    from charrnn.nn.language_model import LanguageModel
    from charrnn.nn.layers import GRU, LSTM, RNN
    from charrnn.text.corpus import Corpus, read_corpus
    from charrnn.text.reading import read_text
    from charrnn.text.sequences import Examples, split_examples
    from charrnn.text.split import split
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.training.loop import Event, fit_config, train_events
    from charrnn.training.next_character import NextCharacter
    from charrnn.training.sequence_labels import SequenceLabels
    from charrnn.training.state import Progress, TrainingState

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CharRNNError",
    "CheckpointError",
    "Classifier",
    "ClassifierConfig",
    "ClassifierDataConfig",
    "ClassifierModelConfig",
    "Config",
    "ConfigError",
    "Corpus",
    "CorpusError",
    "DataConfig",
    "Event",
    "Examples",
    "LanguageModel",
    "Model",
    "ModelConfig",
    "NextCharacter",
    "OptimizerConfig",
    "Progress",
    "RunConfig",
    "SamplingConfig",
    "Score",
    "SequenceClassifier",
    "SequenceLabels",
    "TrainingError",
    "TrainingState",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "fit_config",
    "generate",
    "load",
    "log_probabilities",
    "read_corpus",
    "read_text",
    "score",
    "split",
    "split_examples",
    "train",
    "train_events",
]

_HOMES = {
    "_version": ["__version__"],
    "models": ["load"],
    "models.model": ["Model"],
    "models.classifier": ["Classifier"],
    "models.train": ["train"],
    "config": [
        "ClassifierConfig",
        "ClassifierDataConfig",
        "ClassifierModelConfig",
        "Config",
        "DataConfig",
        "ModelConfig",
        "OptimizerConfig",
        "RunConfig",
        "SamplingConfig",
    ],
    "text.corpus": ["Corpus", "read_corpus"],
    "text.reading": ["read_text"],
    "text.split": ["split"],
    "text.vocabulary": ["Vocabulary"],
    "text.sequences": ["Examples", "split_examples"],
    "errors": [
        "CharRNNError",
        "CheckpointError",
        "ConfigError",
        "CorpusError",
        "TrainingError",
        "VocabularyError",
    ],
    "nn.layers": ["GRU", "LSTM", "RNN"],
    "nn.language_model": ["LanguageModel"],
    "nn.classifier": ["SequenceClassifier"],
    "inference.sampling": ["generate"],
    "inference.scoring": ["Score", "score"],
    "inference.prediction": ["log_probabilities"],
    "training.state": ["Progress", "TrainingState"],
    "training.loop": ["Event", "fit_config", "train_events"],
    "training.next_character": ["NextCharacter"],
    "training.sequence_labels": ["SequenceLabels"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562
    if name not in _HOME_OF:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    return getattr(import_module(f"charrnn.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
