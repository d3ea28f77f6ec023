"""Stochastic gradient descent."""

import numpy as np

from charrnn.nn.cells import Array
from charrnn.training.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Plain gradient descent: params -= lr * grad."""

    def _update(  # noqa: PLR0913, PLR0917
        self,
        params: Array,
        grad: Array,
        slots: list[Array],  # noqa: ARG002
        rate: float,
        steps: int,  # noqa: ARG002
        scratch: Array,
    ) -> None:
        np.multiply(grad, rate, out=scratch)
        params -= scratch
