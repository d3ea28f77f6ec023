"""The settings of a training run of a classifier."""

from dataclasses import dataclass

from charrnn.config.choices import CellName, Normalization
from charrnn.config.generator import ModelConfig, OptimizerConfig, RunConfig
from charrnn.config.settings import Parts, Settings, check, check_normalization, check_whole


@dataclass(frozen=True, kw_only=True)
class ClassifierModelConfig(ModelConfig):
    """The shape of a sequence classifier: that of ModelConfig, with other defaults.

    cell, hidden_size, layers, dropout, weight_drop, nonlinearity, dtype   as in ModelConfig
    bidirectional   if True, read sequences in both directions (Schuster & Paliwal 1997)

    Raises ConfigError for a setting out of range.
    """

    cell: CellName = "gru"
    hidden_size: int = 128
    dropout: float = 0.2
    weight_drop: float = 0.3
    bidirectional: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check(isinstance(self.bidirectional, bool), "bidirectional must be true or false")
        check(self.members == 1, "a classifier has one member")


@dataclass(frozen=True, kw_only=True)
class ClassifierDataConfig(Settings):
    """How the labeled examples are split, truncated and batched.

    batch_size    sequences trained on at once (B)
    max_length    characters of a text that are read, counted from its beginning
    val_fraction  share of each class that is held out
    normalize     Unicode normalization of all texts

    Raises ConfigError for a setting out of range.
    """

    batch_size: int = 32
    max_length: int = 256
    val_fraction: float = 0.1
    normalize: Normalization = "none"

    def __post_init__(self) -> None:
        check_whole("batch-size", self.batch_size, 1)
        check_whole("max-length", self.max_length, 1)
        check(
            0 <= self.val_fraction < 1,
            f"val-fraction must be at least 0 and below 1, not {self.val_fraction}",
        )
        check_normalization(self.normalize)


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(Parts):
    """All settings of a training run of a classifier, except the examples.

    model       cell, sizes and regularization of the network; see ClassifierModelConfig
    data        mini-batches and held-out examples; see ClassifierDataConfig
    optimizer   optimizer, learning rate and gradient clipping; see OptimizerConfig
    run         when training stops, random seed, workers; see RunConfig

    The config is immutable; ``dataclasses.replace`` returns a changed copy. Each part raises
    ConfigError for a setting out of range.
    """

    model: ClassifierModelConfig = ClassifierModelConfig()
    data: ClassifierDataConfig = ClassifierDataConfig()
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=0.01)
    run: RunConfig = RunConfig(seconds=60.0)
