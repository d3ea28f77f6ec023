"""RMSprop (Tieleman & Hinton 2012)."""

import numpy as np

from charrnn.nn.cells import Array
from charrnn.training.optimizers.optimizer import Optimizer, scaled_update


class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012): Adagrad with a running mean instead of a sum."""

    slot_names = ("square_mean",)
    decay = 0.99
    epsilon = 1e-8

    def _update(  # noqa: PLR0913, PLR0917
        self,
        params: Array,
        grad: Array,
        slots: list[Array],
        rate: float,
        steps: int,  # noqa: ARG002
        scratch: Array,
    ) -> None:
        (mean,) = slots
        np.multiply(grad, grad, out=scratch)
        scratch *= 1 - self.decay
        mean *= self.decay
        mean += scratch
        scaled_update(params, grad, mean, rate, self.epsilon, scratch)
