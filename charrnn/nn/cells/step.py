"""One step of a cell: its parameters, and the element-wise arithmetic and derivative of a step.

This is all that differs between the cells. The loop over time is the same for all: see ``Cell``.
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from charrnn.nn.kernels import Array

Params = dict[str, Array]
State = tuple[Array, ...]


class CellStep(ABC):
    """One step of a recurrent layer in one direction.

    The parameters of a layer are named as in torch.nn (the model appends the layer number):

        weight_ih  (G*H, I)     weight_hh  (G*H, H)     bias_ih, bias_hh  (G*H,)

    A cell can add more in ``param_shapes``.
    """

    gates: ClassVar[int]
    # What each gate is called, if its activation is not the state itself.
    gate_names: ClassVar[tuple[str, ...]] = ()
    state_names: ClassVar[tuple[str, ...]]
    sigmoid_gates: ClassVar[tuple[int, ...]] = ()

    # The number of gradient arrays per step, and the indices of those for the input weights, gate
    # by gate. The first G are always those for the recurrent weights.
    gradients: ClassVar[int]
    input_side: ClassVar[tuple[int, ...]]
    # True if part of the gradient reaches the previous state without passing through W_hh.
    skips: ClassVar[bool] = False

    @abstractmethod
    def step(  # noqa: PLR0913, PLR0917
        self,
        params: Params,
        gates: Array,
        recurrent: Array,
        before: Sequence[Array],
        after: Sequence[Array],
        saved: Array,
    ) -> None:
        """Compute the state after one step from the two terms of its gates, in place.

        gates          input projection, biases included, (G, B, H); on return the gate activations
        recurrent      recurrent projection W_hh h_(t-1), (G, B, H); may be overwritten
        before, after  the state to read and the state to write; may be the same arrays
        saved          (B, H), receives what ``step_backward`` needs besides

        Both projections are already scaled for ``activate``.
        """

    @abstractmethod
    def step_backward(  # noqa: PLR0913, PLR0917
        self,
        params: Params,
        gates: Array,
        saved: Array,
        before: Sequence[Array],
        d_state: Sequence[Array],
        d_gates: Array,
        scratch: Array,
    ) -> None:
        """Backpropagate through ``step``, from the gradient of its state to those of its gates.

        params, gates, saved, before   as ``step`` left them
        d_state   gradients with respect to the state after the step, (B, H) each. On return those
                  with respect to the state before it, without the part that passes through W_hh
        d_gates   receives the gradients with respect to the pre-activations, (gradients, B, H);
                  may share the memory of ``gates``
        scratch   (G + 1, B, H)
        """

    def param_shapes(
        self, input_size: int, hidden_size: int, own: int | None = None
    ) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of each parameter of a layer.

        own   hidden units that each unit is connected to, in place of H: those of its member
        """
        rows = self.gates * hidden_size
        return {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, own or hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }

    def further_gradients(self, d_gates: Array, states: State, grads: Params) -> None:  # noqa: B027
        """Write the gradients of the parameters that only this cell has; the default has none.

        d_gates   gradients of all steps, (gradients, T*B, H)
        states    states after each step, (T*B, H) each
        """

    def open_forget_gate(self, params: Params) -> None:  # noqa: B027
        """Set the biases of a forget gate, in place, so that it starts open; none by default."""

    def scale(self, dtype: np.dtype[Any]) -> Array:
        """Return the factor on each gate's pre-activation, (G, 1, 1): 1/2 for a sigmoid, else 1."""
        return _scale(self.gates, self.sigmoid_gates, dtype)

    def input_bias(self, params: Params) -> Array:
        """Return the biases to add to the input projection, (G*H,): by default both."""
        return params["bias_ih"] + params["bias_hh"]


@functools.cache
def _scale(gates: int, sigmoid_gates: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    scale = np.ones((gates, 1, 1), dtype)
    scale[list(sigmoid_gates)] = 0.5
    return scale


def init_params(
    cell: CellStep,
    input_size: int,
    hidden_size: int,
    rng: np.random.Generator,
    fan_in: int | None = None,
) -> Params:
    """Draw a layer's parameters in float64 from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does.

    fan_in   hidden units that each unit is connected to, in place of H: of an ensemble
    """
    bound = 1 / math.sqrt(fan_in or hidden_size)
    shapes = cell.param_shapes(input_size, hidden_size, fan_in)
    return {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
