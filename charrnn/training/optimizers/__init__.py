"""Optimizers, one file each: update rules with the formulas and defaults of torch.optim.

A new one is a file here with a subclass of ``Optimizer``, and its name in ``config.choices``.
"""

from charrnn.config import DEFAULT_LEARNING_RATES, OptimizerConfig
from charrnn.extras import class_in
from charrnn.training.optimizers.optimizer import Optimizer, Slots

OPTIMIZERS: dict[str, type[Optimizer]] = {
    name: class_in(f"{__name__}.{name}", Optimizer) for name in DEFAULT_LEARNING_RATES
}

__all__ = ["OPTIMIZERS", "Optimizer", "Slots", "make_optimizer"]


def make_optimizer(config: OptimizerConfig) -> Optimizer:
    """Return the optimizer that a config names."""
    return OPTIMIZERS[config.name](config)
