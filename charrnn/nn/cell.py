"""The interface of a recurrent cell: one time step, forward and backward, and its parameters.

A cell holds neither weights nor state: both are arguments of its two methods, so that training,
sampling and gradient checks run the same code.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Params = dict[str, Array]
State = tuple[Array, ...]

# A Python float would take NumPy twice as long, which matters for a single sample.
HALF = {np.dtype(name): np.array(0.5, name) for name in ("float32", "float64")}


class TimeStep(NamedTuple):
    """The arrays of one time step.

    gates       W_ih x_t and biases before the step, the gates' activations after it, (G, B, H)
    recurrent   W_hh h_(t-1), (G, B, H); may be overwritten
    before      the state at t-1, (B, H) each
    after       the state at t, (B, H) each; may be the same arrays
    saved       what ``backward`` needs besides the gates, (B, H)

    ``gates`` and ``recurrent`` are scaled by ``Cell.scale``. A decoder that stacks M networks has
    one axis more before B.
    """

    gates: Array
    recurrent: Array
    before: Sequence[Array]
    after: Sequence[Array]
    saved: Array


class Cell:
    """One recurrent layer in one direction; see ``recurrent`` for its loop over time.

    gates         number of gates G, and
    gate_names    what each is called, if it is not the state itself
    state_names   names of the arrays that are carried from step to step
    sigmoids      gates with a sigmoid; the others have tanh
    gradients     number of gradient arrays per time step: first those for W_hh, gate by gate
    input_side    which of these arrays are those for W_ih, gate by gate
    skips         True if part of a gradient reaches the state before without passing through W_hh
    """

    gates: ClassVar[int]
    gate_names: ClassVar[tuple[str, ...]] = ()
    state_names: ClassVar[tuple[str, ...]]
    sigmoids: ClassVar[tuple[int, ...]] = ()
    gradients: ClassVar[int]
    input_side: ClassVar[tuple[int, ...]]
    skips: ClassVar[bool] = False

    def forward(self, params: Params, at: TimeStep) -> None:
        """Compute the state after one time step, in place."""
        raise NotImplementedError

    def backward(
        self, params: Params, at: TimeStep, d_state: Sequence[Array], d_gates: Array, scratch: Array
    ) -> None:
        """Backpropagate through ``forward``, in place.

        d_state   gradients of the state at t, (B, H) each; after the step those of the state at
                  t-1, without the part that passes through W_hh
        d_gates   receives the gradients of the pre-activations, (``gradients``, B, H); may share
                  the memory of the gates
        scratch   (G + 1, B, H)
        """
        raise NotImplementedError

    def param_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of each parameter of a layer."""
        rows = self.gates * hidden_size
        return {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }

    def further_gradients(self, d_gates: Array, states: State, grads: Params) -> None:
        """Write the gradients of the parameters that only this cell has.

        d_gates   gradients of all time steps, (``gradients``, T*B, H)
        states    states after each time step, (T*B, H) each
        """

    def scale(self, dtype: np.dtype[Any]) -> Array:
        """Return the factor on each gate's pre-activation, (G, 1, 1): 1/2 for a sigmoid, else 1."""
        scale = np.ones((self.gates, 1, 1), dtype)
        scale[list(self.sigmoids)] = 0.5
        return scale

    def input_bias(self, params: Params) -> Array:
        """Return the biases to add to the input projection, (G*H,): by default both."""
        return params["bias_ih"] + params["bias_hh"]


def draw_weights(params: Params, hidden_size: int, rng: np.random.Generator) -> None:
    """Draw parameters in place, from U(-1/sqrt(H), 1/sqrt(H)) as torch.nn does."""
    bound = 1 / math.sqrt(hidden_size)
    for values in params.values():
        values[...] = rng.uniform(-bound, bound, values.shape)


def activate(gates: Array, sigmoids: Sequence[Array]) -> None:
    """Apply tanh to all gates in place, then turn those in ``sigmoids`` into sigmoids.

    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2 cannot overflow, and one call of tanh covers all gates.
    The input is not halved here: the factor 1/2 is folded into the weights by ``Cell.scale``.
    """
    np.tanh(gates, out=gates)
    half = HALF[gates.dtype]
    for gate in sigmoids:
        np.multiply(gate, half, out=gate)
        np.add(gate, half, out=gate)


def split_gates(weight: Array, gates: int) -> Array:
    """Return a view (..., G, H, I) of weights (..., G*H, I)."""
    return weight.reshape(*weight.shape[:-2], gates, -1, weight.shape[-1])
