"""Optimizers, one file each: update rules with the formulas and defaults of torch.optim."""

from charrnn.config import OptimizerConfig
from charrnn.training.optimizers.adagrad import Adagrad
from charrnn.training.optimizers.adam import Adam
from charrnn.training.optimizers.optimizer import Optimizer, Slots
from charrnn.training.optimizers.rmsprop import RMSprop
from charrnn.training.optimizers.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "sgd": SGD,
}

__all__ = ["OPTIMIZERS", "Optimizer", "Slots", "make_optimizer"]


def make_optimizer(config: OptimizerConfig) -> Optimizer:
    """Return the optimizer that a config names."""
    return OPTIMIZERS[config.name](config)
