"""Stacked recurrent layers, unidirectional or bidirectional.

    inputs -> layer 0 -> dropout -> layer 1 -> dropout -> ... -> layer L-1 -> outputs (T, B, D*H)

The language model, the classifier and the layers compatible with torch.nn all use it. Like a cell,
a stack holds neither weights nor state.

D is the number of directions, 1 or 2. With two, each layer reads its inputs forward and backward
(Schuster & Paliwal 1997), and its outputs are the two concatenated. A run is one pass of the cell
in one layer and direction. The L*D runs are in the order of torch.nn: layer by layer, the forward
direction first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.nn.cells import Array, Cell, Mask, Params, State, Workspace, init_params


class StackCache(NamedTuple):
    """What ``backward`` needs from ``forward``: lists with one item per run, or per layer.

    cells          what the cell saved, per run
    params         the parameters it used, after weight drop, per run
    weight_masks   what some of the weights were multiplied with, by name, per run
    drop_masks     dropout mask of the inputs, per layer; None without dropout
    mask           as passed to ``forward``
    """

    cells: list[Any]
    params: list[Params]
    weight_masks: list[Params]
    drop_masks: list[Array | None]
    mask: Mask | None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The configuration of stacked layers, and their forward and backward passes.

    cell           the cell of all layers
    input_size     number of input features (I)
    hidden_size    hidden units per layer and direction (H)
    layers         number of stacked layers (L)
    bidirectional  if True, also read the sequence backward
    bias           if False, biases are zero and not among the parameters
    dropout        probability of dropping an output between layers
    weight_drop    probability of dropping a recurrent weight (Wan et al. 2013)
    members        networks that the units are divided among; each unit is connected to those of its
                   own member
    """

    cell: Cell
    input_size: int
    hidden_size: int
    layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    dropout: float = 0.0
    weight_drop: float = 0.0
    members: int = 1

    @property
    def directions(self) -> int:
        """The number of directions (D)."""
        return 2 if self.bidirectional else 1

    @property
    def runs(self) -> list[str]:
        """The suffix of torch.nn's parameter names for each run: l0, l0_reverse."""
        endings = ("", "_reverse")[: self.directions]
        return [f"l{layer}{ending}" for layer in range(self.layers) for ending in endings]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every parameter, in the order of torch.nn."""
        return {
            f"{name}_{run}": shape
            for number, run in enumerate(self.runs)
            for name, shape in self._run_shapes(number).items()
            if self.bias or not _is_bias(name)
        }

    def _run_shapes(self, number: int) -> dict[str, tuple[int, ...]]:
        own = self.hidden_size // self.members
        below = self.input_size if number < self.directions else self.directions * own
        return self.cell.param_shapes(below, self.hidden_size, own)

    def split(self, params: Params) -> list[Params]:
        """Return the parameters of each run, named as the cell names them.

        They are views, except for zeros in place of the biases of a stack without biases.
        """
        dtype = next(iter(params.values())).dtype
        return [
            {
                name: params[f"{name}_{run}"]
                if self.bias or not _is_bias(name)
                else np.zeros(shape, dtype)
                for name, shape in self._run_shapes(number).items()
            }
            for number, run in enumerate(self.runs)
        ]

    def init(self, params: Params, rng: np.random.Generator) -> None:
        """Draw all parameters from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does."""
        for layer in self.split(params):
            own = self.hidden_size // self.members
            drawn = init_params(self.cell, layer["weight_ih"].shape[1], self.hidden_size, rng, own)
            for name, values in drawn.items():
                layer[name][...] = values

    def zero_state(self, batch_size: int, dtype: DTypeLike) -> list[State]:
        """Return a zero state, (B, H) arrays, for every run."""
        shape, names = (batch_size, self.hidden_size), self.cell.state_names
        return [tuple(np.zeros(shape, dtype) for _ in names) for _ in self.runs]

    def workspaces(self) -> list[Workspace]:
        """Return new scratch memory for ``forward``, one workspace per run."""
        return [Workspace() for _ in self.runs]

    def forward(  # noqa: PLR0913
        self,
        layers: Sequence[Params],
        inputs: NDArray[Any],
        state: Sequence[State],
        *,
        mask: Mask | None = None,
        starts: Mask | None = None,
        rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, list[State], StackCache]:
        """Run all layers over a sequence.

        layers       parameters of each run, as returned by ``split``
        inputs       ids (T, B), standing for one-hot vectors, or features (T, B, I)
        state        initial state of every run
        mask         (T, B), False where a sample has ended: there its state no longer changes and
                     its outputs are zero
        starts       (T, B), True where a sample begins anew, from a zero state; forward only
        rng          source of the dropout masks; None: no dropout
        workspaces   one per run. Outputs and cache live in them and are valid until the next
                     forward pass with the same workspaces

        Returns outputs (T, B, D*H), the final state of every run, and a cache for ``backward``.
        """
        workspaces = workspaces or self.workspaces()
        cache, final_state, D = StackCache([], [], [], [], mask), [], self.directions
        reversed_mask = None if mask is None else mask[::-1]
        outputs: NDArray[Any] = inputs
        if mask is not None and inputs.ndim > mask.ndim:
            # Zero times NaN is NaN: values in the padding must not reach a gradient.
            outputs = np.where(mask[..., None], inputs, inputs.dtype.type(0))
        for layer in range(self.layers):
            drop = drop_mask(outputs, self.dropout, rng) if layer else None
            below = outputs if drop is None else outputs * drop
            cache.drop_masks.append(drop)
            halves = []
            for run in range(layer * D, layer * D + D):
                backwards = run > layer * D
                params = self._masked(layers[run], rng, cache)
                half, after, saved = self.cell.forward(
                    params,
                    below[::-1] if backwards else below,
                    state[run],
                    workspaces[run],
                    reversed_mask if backwards else mask,
                    starts,
                    self.members,
                )
                cache.cells.append(saved)
                final_state.append(after)
                halves.append(half[::-1] if backwards else half)
            outputs = np.concatenate(halves, axis=-1) if self.bidirectional else halves[0]
        if mask is not None:
            outputs = outputs * mask[..., None]
        return outputs, final_state, cache

    def backward(
        self,
        cache: StackCache,
        d_outputs: Array | None,
        d_state: Sequence[State],
        grads: Sequence[Params] | None = None,
    ) -> tuple[list[Params], Array | None, list[State]]:
        """Backpropagate through time, from the top layer to the bottom layer.

        d_outputs   gradient of the loss with respect to the outputs, (T, B, D*H); None: zeros
        d_state     gradient with respect to the final state of every run
        grads       arrays for the gradients of each run, as returned by ``split``; None: new ones

        Returns the gradients with respect to the parameters of each run, to the inputs, (T, B, I)
        or None for ids, and to the initial state. Consumes the cache; does not change the other
        arguments.
        """
        D, H = self.directions, self.hidden_size
        grads = grads or [{n: np.empty_like(p) for n, p in used.items()} for used in cache.params]
        d_initial: list[State] = [()] * len(d_state)
        if d_outputs is not None and cache.mask is not None:
            d_outputs = d_outputs * cache.mask[..., None]
        for layer in reversed(range(self.layers)):
            d_inputs: list[Array] = []
            for direction in range(D):
                run, order = layer * D + direction, slice(None, None, -1 if direction else 1)
                d_half = None
                if d_outputs is not None:
                    d_half = d_outputs[order, :, direction * H : (direction + 1) * H]
                _, d_below, d_initial[run] = self.cell.backward(
                    cache.params[run], cache.cells[run], d_half, d_state[run], grads[run]
                )
                for name, weight_mask in cache.weight_masks[run].items():
                    grads[run][name] *= weight_mask
                if d_below is not None:
                    d_inputs.append(d_below[order])
            d_outputs = sum(d_inputs[1:], d_inputs[0]) if d_inputs else None
            drop = cache.drop_masks[layer]
            if drop is not None and d_outputs is not None:
                d_outputs = d_outputs * drop
        return list(grads), d_outputs, d_initial

    def _masked(self, params: Params, rng: np.random.Generator | None, cache: StackCache) -> Params:
        """Return the parameters after weight drop, and add parameters and masks to the cache."""
        drop = drop_mask(params["weight_hh"], self.weight_drop, rng)
        if drop is not None:
            params = params | {"weight_hh": params["weight_hh"] * drop}
        cache.params.append(params)
        cache.weight_masks.append({} if drop is None else {"weight_hh": drop})
        return params


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


def _is_bias(name: str) -> bool:
    return name.startswith("bias_")
