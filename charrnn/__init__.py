"""charrnn: character-level text generation with recurrent networks in NumPy.

The public names below are imported when first used, so that ``import charrnn`` and
``charrnn --help`` cost next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn._version import __version__
    from charrnn.checkpoint.classifier import (
        ClassifierCheckpoint,
        load_classifier,
        save_classifier,
    )
    from charrnn.checkpoint.language_model import Checkpoint, load, save
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
    from charrnn.inference.sampling import generate
    from charrnn.inference.scoring import Score, score
    from charrnn.nn.classifier import SequenceClassifier
    from charrnn.nn.language_model import Model
    from charrnn.nn.layers import GRU, LSTM, RNN
    from charrnn.text.corpus import Corpus, read_corpus, read_text
    from charrnn.text.sequences import Examples, split_examples
    from charrnn.text.split import split
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.training.classification import ClassifierState, train_classifier
    from charrnn.training.loop import Event, fit_config, train
    from charrnn.training.state import TrainingState

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
    "checkpoint.language_model": ["Checkpoint", "load", "save"],
    "training.classification": ["ClassifierState", "train_classifier"],
    "nn.classifier": ["SequenceClassifier"],
    "checkpoint.classifier": ["ClassifierCheckpoint", "load_classifier", "save_classifier"],
    "config": [name for name in __all__ if name.endswith("Config")],
    "text.corpus": ["Corpus", "read_corpus", "read_text"],
    "errors": [name for name in __all__ if name.endswith("Error")],
    "text.sequences": ["Examples", "split_examples"],
    "nn.layers": ["GRU", "LSTM", "RNN"],
    "nn.language_model": ["Model"],
    "inference.sampling": ["generate"],
    "inference.scoring": ["Score", "score"],
    "training.state": ["TrainingState"],
    "training.loop": ["Event", "fit_config", "train"],
    "text.split": ["split"],
    "text.vocabulary": ["Vocabulary"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562
    if name not in _HOME_OF:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    return getattr(import_module(f"charrnn.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
