"""The public names of charrnn, each where it is made.

``charrnn`` imports this module when the first of them is used. An alias makes a name public.
"""

from charrnn._version import __version__ as __version__
from charrnn.config import Config as Config
from charrnn.config import ControlConfig as ControlConfig
from charrnn.config import DataConfig as DataConfig
from charrnn.config import ModelConfig as ModelConfig
from charrnn.config import OptimizerConfig as OptimizerConfig
from charrnn.config import PieceConfig as PieceConfig
from charrnn.config import RunConfig as RunConfig
from charrnn.config import SamplingConfig as SamplingConfig
from charrnn.errors import CharRNNError as CharRNNError
from charrnn.errors import CheckpointError as CheckpointError
from charrnn.errors import ConfigError as ConfigError
from charrnn.errors import CorpusError as CorpusError
from charrnn.errors import TrainingError as TrainingError
from charrnn.errors import VocabularyError as VocabularyError
from charrnn.generate.sample import sample_steps as sample_steps
from charrnn.models import load as load
from charrnn.models.model import Model as Model
from charrnn.models.train import train as train
from charrnn.nn.layers import GRU as GRU
from charrnn.nn.layers import LSTM as LSTM
from charrnn.nn.layers import RNN as RNN
from charrnn.nn.network import LanguageModel as LanguageModel
from charrnn.scoring.likelihood import Score as Score
from charrnn.scoring.likelihood import score as score
from charrnn.scoring.line_scorer import LineScore as LineScore
from charrnn.text.corpus import Corpus as Corpus
from charrnn.text.corpus import read_corpus as read_corpus
from charrnn.text.reading import read_text as read_text
from charrnn.text.split import split as split
from charrnn.text.vocabulary import Vocabulary as Vocabulary
from charrnn.text.windows import fit_config as fit_config
from charrnn.training.loop import Event as Event
from charrnn.training.loop import train_events as train_events
from charrnn.training.sequence_classifier import SequenceClassifier as SequenceClassifier
from charrnn.training.state import Progress as Progress
from charrnn.training.state import TrainingState as TrainingState
from charrnn.training.state import initial_state as initial_state
from charrnn.training.step import Trainer as Trainer
