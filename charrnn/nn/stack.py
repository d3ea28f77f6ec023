"""Stacked recurrent layers, unidirectional or bidirectional.

    inputs -> layer 0 -> dropout -> layer 1 -> dropout -> ... -> layer L-1 -> outputs (T, B, D*H)

The language model, the classifier and the layers compatible with torch.nn all use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.config import CellName, Nonlinearity
from charrnn.nn.cell import Cell, Params, State
from charrnn.nn.gru import GRUCell
from charrnn.nn.kernels import Array, Workspace
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.recurrent import Cache, Mask, backpropagate, unroll
from charrnn.nn.rnn import RNNCell

CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}

Shapes = dict[str, tuple[int, ...]]

# States of all layers, bottom first.
LayerStates = list[State]


def make_cell(name: CellName, nonlinearity: Nonlinearity = "tanh") -> Cell:
    """Return the cell of this name; only the plain RNN uses the nonlinearity."""
    return RNNCell(nonlinearity) if name == "rnn" else CELLS[name]()


def drop_mask(array: Array, chance: float, rng: np.random.Generator | None) -> Array | None:
    """Return an inverted-dropout mask for an array, or None without dropout.

    The elements kept are scaled up, so that nothing needs rescaling at inference.
    """
    if rng is None or not chance:
        return None
    # One random byte per element: the probability is rounded to a multiple of 1/256.
    kept = min(max(round(256 * (1 - chance)), 1), 255)
    mask: Array = (rng.integers(256, size=array.shape, dtype=np.uint8) < kept).astype(array.dtype)
    mask *= 256 / kept
    return mask


class StackCache(NamedTuple):
    """What ``Stack.backward`` needs from ``Stack.forward``: one item per pass, or per layer.

    passes         what each pass of a cell saved
    params         the parameters it used, after weight drop
    weight_masks   masks of the recurrent weights; None without weight drop
    drop_masks     masks of the inputs of each layer; None without dropout
    """

    passes: list[Cache]
    params: list[Params]
    weight_masks: list[Array | None]
    drop_masks: list[Array | None]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Stacked recurrent layers. A stack holds neither weights nor state.

    With two directions, each layer reads its inputs forward and backward (Schuster & Paliwal 1997),
    and its outputs are the two concatenated. The L*D passes are in the order of torch.nn: layer by
    layer, the forward direction first.

    cell           the cell of all layers
    input_size     number of input features (I), or of distinct ids
    hidden_size    hidden units per layer and direction (H)
    layers         number of stacked layers (L)
    bidirectional  if True, also read the sequence backward
    bias           if False, biases are zero and not among the parameters
    dropout        probability of dropping an output between layers
    weight_drop    probability of dropping a recurrent weight (Wan et al. 2013)
    """

    cell: Cell
    input_size: int
    hidden_size: int
    layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    dropout: float = 0.0
    weight_drop: float = 0.0

    @property
    def directions(self) -> int:
        """The number of directions (D)."""
        return 2 if self.bidirectional else 1

    @property
    def passes(self) -> list[str]:
        """The suffix of torch.nn's parameter names for each pass: l0, l0_reverse, l1 ..."""
        endings = ("", "_reverse")[: self.directions]
        return [f"l{layer}{ending}" for layer in range(self.layers) for ending in endings]

    @property
    def shapes(self) -> Shapes:
        """The name and shape of every parameter, in the order of torch.nn."""
        return {
            f"{name}_{suffix}": shape
            for number, suffix in enumerate(self.passes)
            for name, shape in self._pass_shapes(number).items()
            if self.bias or not name.startswith("bias_")
        }

    def _pass_shapes(self, number: int) -> Shapes:
        below = self.input_size if number < self.directions else self.directions * self.hidden_size
        return self.cell.param_shapes(below, self.hidden_size)

    def split(self, params: Params) -> list[Params]:
        """Return the parameters of each pass, named as the cell names them.

        They are views, except for zeros in place of the biases of a stack without biases.
        """
        dtype = next(iter(params.values())).dtype
        return [
            {
                name: params[f"{name}_{suffix}"]
                if self.bias or not name.startswith("bias_")
                else np.zeros(shape, dtype)
                for name, shape in self._pass_shapes(number).items()
            }
            for number, suffix in enumerate(self.passes)
        ]

    def init(self, params: Params, rng: np.random.Generator) -> None:
        """Draw all parameters from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does."""
        for layer in self.split(params):
            drawn = self.cell.init(layer["weight_ih"].shape[1], self.hidden_size, rng)
            for name, values in drawn.items():
                layer[name][...] = values

    def zero_state(self, batch_size: int, dtype: DTypeLike) -> LayerStates:
        """Return a zero state, (B, H) arrays, for every pass."""
        shape, names = (batch_size, self.hidden_size), self.cell.state_names
        return [tuple(np.zeros(shape, dtype) for _ in names) for _ in self.passes]

    def workspaces(self) -> list[Workspace]:
        """Return new scratch memory for ``forward``, one workspace per pass."""
        return [Workspace() for _ in self.passes]

    def forward(
        self,
        layers: Sequence[Params],
        inputs: NDArray[Any],
        state: Sequence[State],
        *,
        starts: Mask | None = None,
        rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, LayerStates, StackCache]:
        """Run all layers over a sequence.

        layers       parameters of each pass, as returned by ``split``
        inputs       ids (T, B), standing for one-hot vectors, or features (T, B, I)
        state        initial state of every pass
        starts       (T, B), True where a sample begins, from a zero state; one direction only
        rng          source of the dropout masks; None: no dropout
        workspaces   one per pass. Outputs and cache live in them and are valid until the next
                     forward pass with the same workspaces

        Returns outputs (T, B, D*H), the final state of every pass, and a cache for ``backward``.
        """
        workspaces = workspaces or self.workspaces()
        cache, final_state, D = StackCache([], [], [], []), [], self.directions
        outputs: NDArray[Any] = inputs
        for layer in range(self.layers):
            drop = drop_mask(outputs, self.dropout, rng) if layer else None
            below = outputs if drop is None else outputs * drop
            cache.drop_masks.append(drop)
            halves = []
            for number in range(layer * D, layer * D + D):
                order = slice(None, None, -1 if number > layer * D else 1)
                params, mask = layers[number], None
                mask = drop_mask(params["weight_hh"], self.weight_drop, rng)
                if mask is not None:
                    params = params | {"weight_hh": params["weight_hh"] * mask}
                half, after, saved = unroll(
                    self.cell, params, below[order], state[number], workspaces[number], starts
                )
                cache.passes.append(saved)
                cache.params.append(params)
                cache.weight_masks.append(mask)
                final_state.append(after)
                halves.append(half[order])
            outputs = np.concatenate(halves, axis=-1) if self.bidirectional else halves[0]
        return outputs, final_state, cache

    def backward(
        self,
        cache: StackCache,
        d_outputs: Array | None,
        d_state: Sequence[State],
        grads: Sequence[Params] | None = None,
    ) -> tuple[list[Params], Array | None, LayerStates]:
        """Backpropagate through time, from the top layer to the bottom layer.

        d_outputs   gradient of the loss with respect to the outputs, (T, B, D*H); None: zeros
        d_state     gradient with respect to the final state of every pass
        grads       arrays for the gradients of each pass, as returned by ``split``; None: new ones

        Returns the gradients of the parameters of each pass, of the inputs, (T, B, I) or None for
        ids, and of the initial state. Consumes the cache.
        """
        D, H = self.directions, self.hidden_size
        grads = grads or [{n: np.empty_like(p) for n, p in used.items()} for used in cache.params]
        d_initial: LayerStates = [()] * len(d_state)
        for layer in reversed(range(self.layers)):
            d_inputs: list[Array] = []
            for direction in range(D):
                number, order = layer * D + direction, slice(None, None, -1 if direction else 1)
                d_half = None
                if d_outputs is not None:
                    d_half = d_outputs[order, :, direction * H : (direction + 1) * H]
                params, saved = cache.params[number], cache.passes[number]
                _, d_below, d_initial[number] = backpropagate(
                    self.cell, params, saved, d_half, d_state[number], grads[number]
                )
                if (mask := cache.weight_masks[number]) is not None:
                    grads[number]["weight_hh"] *= mask
                if d_below is not None:
                    d_inputs.append(d_below[order])
            d_outputs = sum(d_inputs[1:], d_inputs[0]) if d_inputs else None
            drop = cache.drop_masks[layer]
            if drop is not None and d_outputs is not None:
                d_outputs = d_outputs * drop
        return list(grads), d_outputs, d_initial
