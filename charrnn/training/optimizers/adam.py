"""Adam (Kingma & Ba 2015)."""

import math

import numpy as np

from charrnn.nn.cells import Array
from charrnn.training.optimizers.optimizer import Optimizer, scaled_update


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with decoupled weight decay (Loshchilov & Hutter 2019) on request.

    m = b1 m + (1 - b1) grad         v = b2 v + (1 - b2) grad^2
    params -= lr * (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay * params)
    """

    slot_names = ("mean", "square_mean")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8

    def _update(  # noqa: PLR0913, PLR0917
        self,
        params: Array,
        grad: Array,
        slots: list[Array],
        rate: float,
        steps: int,
        scratch: Array,
    ) -> None:
        mean, square = slots
        if self.config.weight_decay:
            params *= 1 - rate * self.config.weight_decay
        np.multiply(grad, 1 - self.beta1, out=scratch)
        mean *= self.beta1
        mean += scratch
        np.multiply(grad, grad, out=scratch)
        scratch *= 1 - self.beta2
        square *= self.beta2
        square += scratch
        # Both corrections for the start at zero are scalars: fold them into rate and epsilon.
        correction = math.sqrt(1 - self.beta2**steps)
        rate *= correction / (1 - self.beta1**steps)
        scaled_update(params, mean, square, rate, self.epsilon * correction, scratch)
