"""The public names of charrnn, each where it is made.

``charrnn`` imports this module when the first of them is used.
"""

from charrnn._version import __version__
from charrnn.config import (
    Config,
    ControlConfig,
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
from charrnn.generate.sample import sample_steps
from charrnn.models import load
from charrnn.models.model import Model
from charrnn.models.train import train
from charrnn.nn.layers import GRU, LSTM, RNN
from charrnn.nn.network import LanguageModel
from charrnn.scoring.line_scorer import LineScore
from charrnn.scoring.scores import Score, score
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.reading import read_text
from charrnn.text.split import split
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.loop import Event, fit_config, train_events
from charrnn.training.sequence_classifier import SequenceClassifier
from charrnn.training.state import Progress, TrainingState, initial_state
from charrnn.training.step import Trainer

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CharRNNError",
    "CheckpointError",
    "Config",
    "ConfigError",
    "ControlConfig",
    "Corpus",
    "CorpusError",
    "DataConfig",
    "Event",
    "LanguageModel",
    "LineScore",
    "Model",
    "ModelConfig",
    "OptimizerConfig",
    "Progress",
    "RunConfig",
    "SamplingConfig",
    "Score",
    "SequenceClassifier",
    "Trainer",
    "TrainingError",
    "TrainingState",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "fit_config",
    "initial_state",
    "load",
    "read_corpus",
    "read_text",
    "sample_steps",
    "score",
    "split",
    "train",
    "train_events",
]
