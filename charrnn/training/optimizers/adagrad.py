"""Adagrad (Duchi, Hazan & Singer 2011)."""

import numpy as np

from charrnn.nn.cells import Array
from charrnn.training.optimizers.optimizer import Optimizer, scaled_update


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011): params -= lr * grad / (sqrt(sum of grad^2) + eps)."""

    slot_names = ("square_sum",)
    epsilon = 1e-10

    def _update(  # noqa: PLR0913, PLR0917
        self,
        params: Array,
        grad: Array,
        slots: list[Array],
        rate: float,
        steps: int,  # noqa: ARG002
        scratch: Array,
    ) -> None:
        (total,) = slots
        np.multiply(grad, grad, out=scratch)
        total += scratch
        scaled_update(params, grad, total, rate, self.epsilon, scratch)
