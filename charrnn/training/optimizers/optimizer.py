"""What all optimizers share: an update rule applied to flat arrays, piece by piece.

An optimizer knows arrays, not models, and remembers nothing itself: its memory is a dict of arrays
as long as the parameters, the slots, which the caller keeps together with the count of steps.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from charrnn.config import OptimizerConfig
from charrnn.nn.cells import Array

# An update goes through the arrays a dozen times: in pieces, all of which stay in the cache.
PIECE = 1 << 15

Slots = dict[str, Array]


class Optimizer(ABC):
    """An update rule.

    slot_names   what it remembers of each parameter
    """

    slot_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: OptimizerConfig) -> None:
        self.config = config

    def slots(self, params: Array) -> Slots:
        """Return the memory before the first step: zeros."""
        return {name: np.zeros_like(params) for name in self.slot_names}

    def step(
        self, params: Array, grad: Array, slots: Slots, *, learning_rate: float, steps: int
    ) -> None:
        """Update parameters and slots in place.

        params, grad   (N,)
        slots          as from ``slots``, (N,) each
        steps          how many updates these parameters have had, this one included
        """
        scratch = np.empty_like(params[:PIECE])
        for start in range(0, params.size, PIECE):
            piece = slice(start, start + PIECE)
            parts = [slots[name][piece] for name in self.slot_names]
            rows = params[piece]
            self._update(rows, grad[piece], parts, learning_rate, steps, scratch[: rows.size])

    @abstractmethod
    def _update(  # noqa: PLR0913, PLR0917
        self,
        params: Array,
        grad: Array,
        slots: list[Array],
        rate: float,
        steps: int,
        scratch: Array,
    ) -> None:
        """Update some of the parameters in place; ``slots`` in the order of ``slot_names``."""


def scaled_update(  # noqa: PLR0913, PLR0917
    params: Array, grad: Array, square: Array, rate: float, epsilon: float, scratch: Array
) -> None:
    """Do params -= rate * grad / (sqrt(square) + epsilon) without a new array."""
    np.sqrt(square, out=scratch)
    scratch += epsilon
    np.divide(grad, scratch, out=scratch)
    scratch *= rate
    params -= scratch
