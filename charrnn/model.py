"""The model: stacked recurrent layers and a linear output layer over the vocabulary.

    ids (T, B) -> layer 0 -> dropout -> layer 1 -> ... -> dropout -> h W_out^T + b_out -> logits

All parameters live in one flat array, and each name is a view into it: an optimiser, a checkpoint
or another process handles a single array, while cells see named matrices.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.cells import Array, Params, State, Workspace, init_params, make_cell
from charrnn.config import ModelConfig
from charrnn.loss import softmax_cross_entropy, target_log_probabilities

# States of all layers, bottom first.
ModelState = list[State]


class ModelCache(NamedTuple):
    """What backward needs of forward, layer by layer.

    cells          what the cell kept
    params         the parameters it used, some of the recurrent weights dropped
    weight_masks   what the recurrent weights were multiplied with; None without weight drop
    masks          what the outputs were multiplied with; None without dropout
    top            outputs of the last layer, after dropout (T, B, H)
    """

    cells: list[Any]
    params: list[Params]
    weight_masks: list[Array | None]
    masks: list[Array | None]
    top: Array


def param_shapes(config: ModelConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every parameter, in the order in which they are stored."""
    H, rows = config.hidden_size, make_cell(config).gates * config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(config.layers):
        shapes |= {
            f"weight_ih_l{layer}": (rows, H if layer else vocab_size),
            f"weight_hh_l{layer}": (rows, H),
            f"bias_ih_l{layer}": (rows,),
            f"bias_hh_l{layer}": (rows,),
        }
    return shapes | {"output.weight": (vocab_size, H), "output.bias": (vocab_size,)}


def views(flat: Array, shapes: dict[str, tuple[int, ...]]) -> Params:
    """Return named views into a flat array, one behind the other."""
    params, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        params[name] = flat[start : start + size].reshape(shape)
        start += size
    return params


class Model:
    """A character-level language model.

    config       its shape
    vocab_size   characters it knows (V)
    flat         all parameters in one array, the caller's if given; zero until ``init`` draws them
    params       named views into ``flat``, after torch.nn: weight_ih_l0 ..., output.weight
    layers       the same, layer by layer and without the layer's number: weight_ih ...
    """

    def __init__(self, config: ModelConfig, vocab_size: int, flat: Array | None = None) -> None:
        self.config, self.vocab_size = config, vocab_size
        self.cell = make_cell(config)
        self.shapes = param_shapes(config, vocab_size)
        self.flat: Array = np.zeros(self.size, config.dtype) if flat is None else flat
        self.params = views(self.flat, self.shapes)
        self.layers: list[Params] = [
            {
                name: self.params[f"{name}_l{layer}"]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            for layer in range(config.layers)
        ]

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def init(self, rng: np.random.Generator, frequencies: Array | None = None) -> "Model":
        """Draw initial weights, the output layer's as torch.nn.Linear does. Returns the model.

        frequencies   share of each character in the text (V,). With them, the output bias starts at
                      their logarithms: the first steps need not learn how often each character
                      occurs, for which they would drive the hidden units into saturation
        """
        H = self.config.hidden_size
        for number, layer in enumerate(self.layers):
            drawn = init_params(self.cell, H if number else self.vocab_size, H, rng)
            for name, values in drawn.items():
                layer[name][...] = values
        bound = 1 / np.sqrt(H)
        for name in ("output.weight", "output.bias"):
            self.params[name][...] = rng.uniform(-bound, bound, self.shapes[name])
        if frequencies is not None:
            self.params["output.bias"][...] = np.log(frequencies)
        return self

    def zero_state(self, batch_size: int) -> ModelState:
        """Return a state of zeros for every layer."""
        shape = (batch_size, self.config.hidden_size)
        names = self.cell.state_names
        return [tuple(np.zeros(shape, self.flat.dtype) for _ in names) for _ in self.layers]

    def workspaces(self) -> list[Workspace]:
        """Return fresh scratch memory for forward, one for each layer and one for the output."""
        return [Workspace() for _ in range(self.config.layers + 1)]

    def forward(
        self,
        ids: NDArray[np.integer[Any]],
        state: ModelState,
        *,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState, ModelCache]:
        """Run the model over ids (T, B).

        Returns logits (T, B, V), the final state and a cache for backward. Dropout is on when a
        random source for it is given, that is: while training.
        """
        workspaces = workspaces or self.workspaces()
        inputs: NDArray[Any] = ids
        final_state: ModelState = []
        cells, params, weight_masks, masks = [], [], [], []
        # strict=False: the last workspace is the output layer's
        for weights, before, workspace in zip(self.layers, state, workspaces, strict=False):
            layer, recurrent = weights, weights["weight_hh"]
            mask = drop_mask(recurrent, self.config.weight_drop, dropout_rng)
            if mask is not None:
                layer = weights | {"weight_hh": recurrent * mask}
            params.append(layer)
            weight_masks.append(mask)
            inputs, after, kept = self.cell.forward(layer, inputs, before, workspace)
            cells.append(kept)
            final_state.append(after)
            mask = drop_mask(inputs, self.config.dropout, dropout_rng)
            if mask is not None:
                inputs = inputs * mask
            masks.append(mask)
        weight = self.params["output.weight"]
        logits = workspaces[-1].array("logits", (*ids.shape, self.vocab_size), weight.dtype)
        np.dot(_rows(inputs), weight.T, out=_rows(logits))
        logits += self.params["output.bias"]
        return logits, final_state, ModelCache(cells, params, weight_masks, masks, inputs)

    def backward(self, cache: ModelCache, d_logits: Array, grads: Params | None = None) -> Params:
        """Return the gradient by every parameter, same keys as ``params``.

        grads   arrays to write them to; new ones if None
        """
        grads = grads or {name: np.empty_like(param) for name, param in self.params.items()}
        rows = _rows(d_logits)
        np.dot(rows.T, _rows(cache.top), out=grads["output.weight"])
        rows.sum(axis=0, out=grads["output.bias"])
        d_outputs: Array = np.dot(rows, self.params["output.weight"]).reshape(cache.top.shape)
        no_gradient = self.zero_state(d_logits.shape[1])
        for number in reversed(range(self.config.layers)):
            mask = cache.masks[number]
            if mask is not None:
                d_outputs *= mask
            layer = {name: grads[f"{name}_l{number}"] for name in self.layers[number]}
            _, d_inputs, _ = self.cell.backward(
                cache.params[number], cache.cells[number], d_outputs, no_gradient[number], layer
            )
            mask = cache.weight_masks[number]
            if mask is not None:
                layer["weight_hh"] *= mask
            if d_inputs is not None:
                d_outputs = d_inputs
        return grads

    def loss_and_gradients(  # noqa: PLR0913
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: ModelState,
        *,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
        grads: Params | None = None,
        count: int | None = None,
    ) -> tuple[float, Params, ModelState]:
        """Return the mean cross-entropy in nats per character, its gradients, the final state.

        grads   arrays for the gradients; new ones if None
        count   how many targets the mean is over, if these are a share of a larger batch
        """
        logits, final_state, cache = self.forward(
            inputs, state, dropout_rng=dropout_rng, workspaces=workspaces
        )
        loss, d_logits = softmax_cross_entropy(logits, targets, count)
        return loss, self.backward(cache, d_logits, grads), final_state

    def log_probabilities(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: ModelState | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState]:
        """Return log p of each target (T, B) in nats, and the final state."""
        state = state or self.zero_state(inputs.shape[1])
        logits, final_state, _ = self.forward(inputs, state, workspaces=workspaces)
        return target_log_probabilities(logits, targets), final_state


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


def _rows(steps: Array) -> Array:
    """Return a view (T*B, N) of steps (T, B, N)."""
    return steps.reshape(-1, steps.shape[-1])
