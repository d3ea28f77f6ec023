"""charrnn: character-level text generation with recurrent networks in NumPy.

The public names below are imported when first used, so that ``import charrnn`` and
``charrnn --help`` cost next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn._version import __version__
    from charrnn.checkpoint import Checkpoint, load, save
    from charrnn.classification import ClassifierState, train_classifier
    from charrnn.classifier import SequenceClassifier
    from charrnn.classifier_checkpoint import (
        ClassifierCheckpoint,
        load_classifier,
        save_classifier,
    )
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
    from charrnn.corpus import Corpus, read_corpus, read_text
    from charrnn.errors import (
        CharRNNError,
        CheckpointError,
        ConfigError,
        CorpusError,
        TrainingError,
        VocabularyError,
    )
    from charrnn.examples import Examples, split_examples
    from charrnn.layers import GRU, LSTM, RNN
    from charrnn.model import Model
    from charrnn.sampling import generate
    from charrnn.scoring import Score, score
    from charrnn.state import TrainingState
    from charrnn.training import Event, fit_config, train
    from charrnn.validation import split
    from charrnn.vocabulary import Vocabulary

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CharRNNError",
    "Checkpoint",
    "CheckpointError",
    "ClassifierCheckpoint",
    "ClassifierConfig",
    "ClassifierDataConfig",
    "ClassifierModelConfig",
    "ClassifierState",
    "Config",
    "ConfigError",
    "Corpus",
    "CorpusError",
    "DataConfig",
    "Event",
    "Examples",
    "Model",
    "ModelConfig",
    "OptimizerConfig",
    "RunConfig",
    "SamplingConfig",
    "Score",
    "SequenceClassifier",
    "TrainingError",
    "TrainingState",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "fit_config",
    "generate",
    "load",
    "load_classifier",
    "read_corpus",
    "read_text",
    "save",
    "save_classifier",
    "score",
    "split",
    "split_examples",
    "train",
    "train_classifier",
]

_HOMES = {
    "_version": ["__version__"],
    "checkpoint": ["Checkpoint", "load", "save"],
    "classification": ["ClassifierState", "train_classifier"],
    "classifier": ["SequenceClassifier"],
    "classifier_checkpoint": ["ClassifierCheckpoint", "load_classifier", "save_classifier"],
    "config": [name for name in __all__ if name.endswith("Config")],
    "corpus": ["Corpus", "read_corpus", "read_text"],
    "errors": [name for name in __all__ if name.endswith("Error")],
    "examples": ["Examples", "split_examples"],
    "layers": ["GRU", "LSTM", "RNN"],
    "model": ["Model"],
    "sampling": ["generate"],
    "scoring": ["Score", "score"],
    "state": ["TrainingState"],
    "training": ["Event", "fit_config", "train"],
    "validation": ["split"],
    "vocabulary": ["Vocabulary"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562
    if name not in _HOME_OF:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    return getattr(import_module(f"charrnn.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
