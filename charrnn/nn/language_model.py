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

from charrnn.config import ModelConfig
from charrnn.nn.cells import Array, Params, State, Workspace, make_cell, remember_by_default
from charrnn.nn.loss import softmax_cross_entropy, target_log_probabilities
from charrnn.nn.stack import Stack, StackCache, drop_mask, views

# States of all layers, bottom first.
ModelState = list[State]


class ModelCache(NamedTuple):
    """What backward needs of forward.

    stack   what the recurrent layers kept
    mask    what their outputs were multiplied with; None without dropout
    top     their outputs, after dropout (T, B, H)
    """

    stack: StackCache
    mask: Array | None
    top: Array


def make_stack(config: ModelConfig, vocab_size: int) -> Stack:
    """Return the recurrent layers that a config asks for."""
    return Stack(
        cell=make_cell(config.cell, config.nonlinearity),
        input_size=vocab_size,
        hidden_size=config.hidden_size,
        layers=config.layers,
        dropout=config.dropout,
        weight_drop=config.weight_drop,
    )


def param_shapes(config: ModelConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every parameter, in the order in which they are stored."""
    output = {"output.weight": (vocab_size, config.hidden_size), "output.bias": (vocab_size,)}
    return make_stack(config, vocab_size).shapes | output


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
        self.stack = make_stack(config, vocab_size)
        self.cell = self.stack.cell
        self.shapes = param_shapes(config, vocab_size)
        self.flat: Array = np.zeros(self.size, config.dtype) if flat is None else flat
        self.params = views(self.flat, self.shapes)
        self.layers = self.stack.split(self.params)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def on(self, flat: Array) -> "Model":
        """Return the same model with its parameters in another array."""
        return Model(self.config, self.vocab_size, flat)

    def init(self, rng: np.random.Generator, frequencies: Array | None = None) -> "Model":
        """Draw initial weights, the output layer's as torch.nn.Linear does. Returns the model.

        frequencies   share of each character in the text (V,). With them, the output bias starts at
                      their logarithms: the first steps need not learn how often each character
                      occurs, for which they would drive the hidden units into saturation
        """
        self.stack.init(self.params, rng)
        for layer in self.layers:
            remember_by_default(self.cell, layer)
        bound = 1 / math.sqrt(self.config.hidden_size)
        for name in ("output.weight", "output.bias"):
            self.params[name][...] = rng.uniform(-bound, bound, self.shapes[name])
        if frequencies is not None:
            self.params["output.bias"][...] = np.log(frequencies)
        return self

    def zero_state(self, batch_size: int) -> ModelState:
        """Return a state of zeros for every layer."""
        return self.stack.zero_state(batch_size, self.flat.dtype)

    def workspaces(self) -> list[Workspace]:
        """Return fresh scratch memory for forward, one for each layer and one for the output."""
        return [*self.stack.workspaces(), Workspace()]

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
        top, final_state, kept = self.stack.forward(
            self.layers, ids, state, rng=dropout_rng, workspaces=workspaces[:-1]
        )
        mask = drop_mask(top, self.config.dropout, dropout_rng)
        if mask is not None:
            top = top * mask
        weight = self.params["output.weight"]
        logits = workspaces[-1].array("logits", (*ids.shape, self.vocab_size), weight.dtype)
        np.dot(_rows(top), weight.T, out=_rows(logits))
        logits += self.params["output.bias"]
        return logits, final_state, ModelCache(kept, mask, top)

    def backward(self, cache: ModelCache, d_logits: Array, grads: Params | None = None) -> Params:
        """Return the gradient by every parameter, same keys as ``params``.

        grads   arrays to write them to; new ones if None
        """
        grads = grads or {name: np.empty_like(param) for name, param in self.params.items()}
        rows = _rows(d_logits)
        np.dot(rows.T, _rows(cache.top), out=grads["output.weight"])
        rows.sum(axis=0, out=grads["output.bias"])
        d_outputs: Array = np.dot(rows, self.params["output.weight"]).reshape(cache.top.shape)
        if cache.mask is not None:
            d_outputs *= cache.mask
        no_gradient = self.zero_state(d_logits.shape[1])
        self.stack.backward(cache.stack, d_outputs, no_gradient, self.stack.split(grads))
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


def _rows(steps: Array) -> Array:
    """Return a view (T*B, N) of steps (T, B, N)."""
    return steps.reshape(-1, steps.shape[-1])
