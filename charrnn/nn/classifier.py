"""The sequence classifier: recurrent layers, and a linear layer on the last hidden state.

    x_1 ... x_T -> recurrent layers -> h_T -> dropout -> W_out h_T + b_out -> logits

With two directions, h_T is the last state of both side by side, each having read the whole
sequence. For two classes there is one logit, and p(class 1) = sigmoid(logit); for more, softmax.
Their losses are binary cross-entropy and cross-entropy, with gradients by the logits of p - target.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ClassifierModelConfig
from charrnn.nn.cells import Array, Mask, Params, Workspace, make_cell, remember_by_default
from charrnn.nn.loss import log_softmax, sigmoid_cross_entropy, softmax_cross_entropy
from charrnn.nn.stack import Stack, StackCache, drop_mask, views

BINARY = 2


class ClassifierCache(NamedTuple):
    """What backward needs of forward.

    stack   what the recurrent layers kept
    mask    what the last hidden state was multiplied with; None without dropout
    last    the last hidden state, after dropout (B, D*H)
    """

    stack: StackCache
    mask: Array | None
    last: Array


def make_stack(config: ClassifierModelConfig, input_size: int) -> Stack:
    """Return the recurrent layers that a config asks for."""
    return Stack(
        cell=make_cell(config.cell, config.nonlinearity),
        input_size=input_size,
        hidden_size=config.hidden_size,
        layers=config.layers,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        weight_drop=config.weight_drop,
    )


def param_shapes(
    config: ClassifierModelConfig, input_size: int, classes: int
) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every parameter, in the order in which they are stored."""
    stack, logits = make_stack(config, input_size), 1 if classes == BINARY else classes
    output = {
        "output.weight": (logits, stack.directions * config.hidden_size),
        "output.bias": (logits,),
    }
    return stack.shapes | output


class SequenceClassifier:
    """Says to which class a sequence belongs.

    config       its shape
    input_size   features of a step, or how many ids there are (I)
    classes      how many classes there are (K), at least 2
    flat         all parameters in one array, the caller's if given; zero until ``init`` draws them
    params       named views into ``flat``, after torch.nn: weight_ih_l0 ..., output.weight
    """

    def __init__(
        self,
        config: ClassifierModelConfig,
        input_size: int,
        classes: int,
        flat: Array | None = None,
    ) -> None:
        self.config, self.input_size, self.classes = config, input_size, classes
        self.stack = make_stack(config, input_size)
        self.shapes = param_shapes(config, input_size, classes)
        size = sum(math.prod(shape) for shape in self.shapes.values())
        self.flat: Array = np.zeros(size, config.dtype) if flat is None else flat
        self.params = views(self.flat, self.shapes)
        self.layers = self.stack.split(self.params)

    def on(self, flat: Array) -> "SequenceClassifier":
        """Return the same model with its parameters in another array."""
        return SequenceClassifier(self.config, self.input_size, self.classes, flat)

    def init(self, rng: np.random.Generator) -> "SequenceClassifier":
        """Draw initial weights, as torch.nn does. Returns the model."""
        self.stack.init(self.params, rng)
        for layer in self.layers:
            remember_by_default(self.stack.cell, layer)
        bound = 1 / math.sqrt(self.shapes["output.weight"][1])
        for name in ("output.weight", "output.bias"):
            self.params[name][...] = rng.uniform(-bound, bound, self.shapes[name])
        return self

    def forward(
        self,
        inputs: NDArray[Any],
        mask: Mask | None = None,
        *,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ClassifierCache]:
        """Read sequences.

        inputs   ids (T, B) or features (T, B, I)
        mask     (T, B), False behind the end of a sequence; None if all are equally long

        Returns logits, (B, 1) for two classes and (B, K) for more, and a cache for backward.
        """
        if np.issubdtype(inputs.dtype, np.floating):
            inputs = inputs.astype(self.flat.dtype, copy=False)
        state = self.stack.zero_state(inputs.shape[1], self.flat.dtype)
        _, final_state, kept = self.stack.forward(
            self.layers, inputs, state, mask=mask, rng=dropout_rng, workspaces=workspaces
        )
        top = final_state[-self.stack.directions :]
        last = np.concatenate([state[0] for state in top], axis=-1)
        drop = drop_mask(last, self.config.dropout, dropout_rng)
        if drop is not None:
            last *= drop
        logits = np.dot(last, self.params["output.weight"].T)
        logits += self.params["output.bias"]
        return logits, ClassifierCache(kept, drop, last)

    def backward(self, cache: ClassifierCache, d_logits: Array, grads: Params) -> None:
        """Write the gradient by every parameter; same keys as ``params``."""
        np.dot(d_logits.T, cache.last, out=grads["output.weight"])
        d_logits.sum(axis=0, out=grads["output.bias"])
        d_last: Array = np.dot(d_logits, self.params["output.weight"])
        if cache.mask is not None:
            d_last *= cache.mask
        D, H = self.stack.directions, self.config.hidden_size
        d_state = self.stack.zero_state(len(d_last), d_last.dtype)
        for direction, state in enumerate(d_state[-D:]):
            state[0][...] = d_last[:, direction * H : (direction + 1) * H]
        self.stack.backward(cache.stack, None, d_state, self.stack.split(grads))

    def loss_and_gradients(  # noqa: PLR0913
        self,
        inputs: NDArray[Any],
        targets: NDArray[np.integer[Any]],
        mask: Mask | None = None,
        *,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
        grads: Params | None = None,
        count: int | None = None,
    ) -> tuple[float, Params]:
        """Return the mean cross-entropy in nats per sequence, and its gradients.

        targets   class of each sequence, (B,)
        grads     arrays for the gradients; new ones if None
        count     how many sequences the mean is over, if these are a share of a larger batch
        """
        logits, cache = self.forward(inputs, mask, dropout_rng=dropout_rng, workspaces=workspaces)
        grads = grads or {name: np.empty_like(param) for name, param in self.params.items()}
        if self.classes == BINARY:
            loss, d_logits = sigmoid_cross_entropy(logits[:, 0], targets, count)
            d_logits = d_logits[:, None]
        else:
            loss, d_logits = softmax_cross_entropy(logits, targets, count)
        self.backward(cache, d_logits, grads)
        return loss, grads

    def log_probabilities(self, inputs: NDArray[Any], mask: Mask | None = None) -> Array:
        """Return log p of every class in nats, (B, K)."""
        logits, _ = self.forward(inputs, mask)
        if self.classes == BINARY:
            # softmax over (0, x) is (1 - sigmoid(x), sigmoid(x))
            logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
        return log_softmax(logits)

    def probabilities(self, inputs: NDArray[Any], mask: Mask | None = None) -> Array:
        """Return the probability of every class, (B, K)."""
        return np.exp(self.log_probabilities(inputs, mask))
