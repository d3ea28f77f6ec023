"""All settings, their defaults and their limits.

This is the one home of every default: the command line reads its own from here. Each dataclass is
frozen and checks itself, so a config that exists is a config that is valid. Nothing here imports
NumPy, so that ``charrnn --help`` stays quick.

choices      what there is to choose from: cells, optimizers ..., and the bounds on sizes
settings     what all configs share
generator    a training run of a language model
sampling     new text
"""

from charrnn.config.choices import (
    CELLS,
    DEFAULT_LEARNING_RATES,
    MAX_NGRAM,
    CellName,
    DTypeName,
    Nonlinearity,
    Normalization,
    OptimizerName,
    ScheduleName,
)
from charrnn.config.generator import Config, DataConfig, ModelConfig, OptimizerConfig, RunConfig
from charrnn.config.sampling import ControlConfig, SamplingConfig

__all__ = [
    "CELLS",
    "DEFAULT_LEARNING_RATES",
    "MAX_NGRAM",
    "CellName",
    "Config",
    "ControlConfig",
    "DTypeName",
    "DataConfig",
    "ModelConfig",
    "Nonlinearity",
    "Normalization",
    "OptimizerConfig",
    "OptimizerName",
    "RunConfig",
    "SamplingConfig",
    "ScheduleName",
]
