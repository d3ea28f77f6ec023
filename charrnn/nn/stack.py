"""Stacked recurrent layers, in one direction or in both.

    inputs -> layer 0 -> dropout -> layer 1 -> dropout -> ... -> layer L-1 -> outputs (T, B, D*H)

The generator, the layers in the form of torch.nn and the classifier are all made of this. Like a
cell, a stack holds neither weights nor state.

D is the number of directions, 1 or 2. With two, each layer reads its inputs from both ends
(Schuster & Paliwal 1997), and its outputs are those of both side by side. L layers are L*D runs of
the cell, in the order of torch.nn: layer by layer, forward before backward.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.nn.cells import Array, Cell, Mask, Params, State, Workspace, init_params
from charrnn.nn.ensemble import member_mask


class StackCache(NamedTuple):
    """What backward needs of forward: lists with an item for each run, or for each layer.

    cells          what the cell saved
    params         the parameters it used, some of the recurrent weights dropped
    weight_masks   run by run, what weights were multiplied with, by name
    drop_masks     layer by layer, what its inputs were multiplied with; None without dropout
    mask           as given to forward
    """

    cells: list[Any]
    params: list[Params]
    weight_masks: list[Params]
    drop_masks: list[Array | None]
    mask: Mask | None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The shape of stacked layers, and how they work.

    cell           what all layers are made of
    input_size     features of the input (I)
    hidden_size    units per layer and direction (H)
    layers         stacked layers (L)
    bidirectional  read from both ends
    bias           have biases; without, they are zero and not among the parameters
    dropout        chance that an output is dropped on its way to the next layer
    weight_drop    chance that a recurrent weight is dropped (Wan et al. 2013)
    members        the units are divided among this many networks: between the units of two of them
                   every weight is zero, and so is its gradient
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
        """Directions in which each layer reads (D)."""
        return 2 if self.bidirectional else 1

    @property
    def runs(self) -> list[str]:
        """What torch.nn appends to the names of parameters, one for each run: l0, l0_reverse."""
        endings = ("", "_reverse")[: self.directions]
        return [f"l{layer}{ending}" for layer in range(self.layers) for ending in endings]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, in the order of torch.nn."""
        return {
            f"{name}_{run}": shape
            for number, run in enumerate(self.runs)
            for name, shape in self._run_shapes(number).items()
            if self.bias or not _is_bias(name)
        }

    def _run_shapes(self, number: int) -> dict[str, tuple[int, ...]]:
        below = self.input_size if number < self.directions else self.directions * self.hidden_size
        return self.cell.param_shapes(below, self.hidden_size)

    def split(self, params: Params) -> list[Params]:
        """Return the parameters run by run, named as the cell names them.

        They are views, but for zeros in place of biases that the stack does not have.
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
        """Draw all parameters from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does.

        H is the number of units of a member.
        """
        for layer in self.split(params):
            own = self.hidden_size // self.members
            drawn = init_params(self.cell, layer["weight_ih"].shape[1], self.hidden_size, rng, own)
            for name, values in drawn.items():
                layer[name][...] = values
        for run, layer in enumerate(self.split(params)):
            for name, mask in self._member_masks(run, layer).items():
                layer[name] *= mask

    def zero_state(self, batch_size: int, dtype: DTypeLike) -> list[State]:
        """Return a state of zeros, (B, H) each, for every run."""
        shape, names = (batch_size, self.hidden_size), self.cell.state_names
        return [tuple(np.zeros(shape, dtype) for _ in names) for _ in self.runs]

    def workspaces(self) -> list[Workspace]:
        """Return fresh scratch memory for forward, one for each run."""
        return [Workspace() for _ in self.runs]

    def forward(  # noqa: PLR0913
        self,
        layers: Sequence[Params],
        inputs: NDArray[Any],
        state: Sequence[State],
        *,
        mask: Mask | None = None,
        rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, list[State], StackCache]:
        """Run all layers over a sequence.

        layers       parameters, run by run, as ``split`` returns them
        inputs       ids (T, B), standing for one-hot vectors, or features (T, B, I)
        state        initial state of every run
        mask         (T, B), False where a sample has ended: its state stays, its outputs are zero
        rng          what is dropped is drawn from here; None: nothing is
        workspaces   one for each run. Outputs and cache belong to them: they hold until the next
                     forward with the same ones

        Returns outputs (T, B, D*H), the final state of every run, and a cache for backward.
        """
        workspaces = workspaces or self.workspaces()
        cache, final_state, D = StackCache([], [], [], [], mask), [], self.directions
        reversed_mask = None if mask is None else mask[::-1]
        outputs: NDArray[Any] = inputs
        if mask is not None and inputs.ndim > mask.ndim:
            # Zero times NaN is NaN: what is behind the end of a sample must not reach a gradient.
            outputs = np.where(mask[..., None], inputs, inputs.dtype.type(0))
        for layer in range(self.layers):
            drop = drop_mask(outputs, self.dropout, rng) if layer else None
            below = outputs if drop is None else outputs * drop
            cache.drop_masks.append(drop)
            halves = []
            for run in range(layer * D, layer * D + D):
                backwards = run > layer * D
                params = self._masked(run, layers[run], rng, cache)
                half, after, saved = self.cell.forward(
                    params,
                    below[::-1] if backwards else below,
                    state[run],
                    workspaces[run],
                    reversed_mask if backwards else mask,
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
        """Backpropagate through time, from the top layer to the bottom one.

        d_outputs   gradient of the loss by the outputs, (T, B, D*H); None: zero
        d_state     gradient by the final state of every run
        grads       arrays for the gradients, run by run as ``split`` returns them; new ones if None

        Returns gradients by the parameters, run by run; by the inputs, (T, B, I), or None for ids;
        and by the initial state. The cache is used up, the arguments are left as they were.
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

    def _masked(
        self, run: int, params: Params, rng: np.random.Generator | None, cache: StackCache
    ) -> Params:
        """Return the parameters with some recurrent weights dropped, and note it in the cache."""
        masks = self._member_masks(run, params)
        drop = drop_mask(params["weight_hh"], self.weight_drop, rng)
        if drop is not None:
            masks["weight_hh"] = drop * masks.get("weight_hh", 1)
            params = params | {"weight_hh": params["weight_hh"] * drop}
        cache.params.append(params)
        cache.weight_masks.append(masks)
        return params

    def _member_masks(self, run: int, params: Params) -> Params:
        """Return 1 for weights within a member and 0 for those between two, by name."""
        if self.members == 1:
            return {}
        names = ("weight_hh", "weight_ih") if run >= self.directions else ("weight_hh",)
        dtype = params["weight_hh"].dtype.name
        mask = member_mask(self.hidden_size, self.members, self.cell.gates, dtype)
        return dict.fromkeys(names, mask)


def drop_mask(array: Array, chance: float, rng: np.random.Generator | None) -> Array | None:
    """Return what to multiply an array with so that some of it is dropped; None to leave it.

    What is kept is scaled up, so that there is nothing to rescale when sampling.
    """
    if rng is None or not chance:
        return None
    # One byte decides on each element, so the chance is a multiple of 1 / 256, nearly.
    kept = min(max(round(256 * (1 - chance)), 1), 255)
    mask: Array = (rng.integers(256, size=array.shape, dtype=np.uint8) < kept).astype(array.dtype)
    mask *= 256 / kept
    return mask


def _is_bias(name: str) -> bool:
    return name.startswith("bias_")
