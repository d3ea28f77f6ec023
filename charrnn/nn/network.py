"""The language model: recurrent layers, an output layer, a loss, and one flat array of parameters.

    ids (T, B) -> layer 0 -> dropout -> layer 1 -> ... -> dropout -> h W_out^T + b_out -> logits

All parameters live in one flat array, and each named parameter is a view into it: optimizers,
checkpoints and other processes handle a single array, cells see named matrices.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ModelConfig
from charrnn.nn.cell import Params
from charrnn.nn.kernels import Array, Workspace
from charrnn.nn.loss import softmax_cross_entropy, target_log_probabilities
from charrnn.nn.recurrent import Mask
from charrnn.nn.stack import LayerStates, Shapes, Stack, StackCache, drop_mask, make_cell


def count_parameters(shapes: Shapes) -> int:
    """Return the total number of elements in these shapes."""
    return sum(math.prod(shape) for shape in shapes.values())


def view_parameters(flat: Array, shapes: Shapes) -> Params:
    """Return named views into a flat array, one after the other."""
    params, start = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        params[name] = flat[start : start + size].reshape(shape)
        start += size
    return params


class NetworkCache(NamedTuple):
    """What ``LanguageModel.backward`` needs from ``LanguageModel.forward``.

    stack      what the recurrent layers saved
    mask       dropout mask of the top layer's outputs; None without dropout
    features   these outputs after dropout, (T, B, H)
    """

    stack: StackCache
    mask: Array | None
    features: Array


def make_stack(config: ModelConfig, input_size: int) -> Stack:
    """Return the recurrent layers that a config describes."""
    return Stack(
        cell=make_cell(config.cell, config.nonlinearity),
        input_size=input_size,
        hidden_size=config.hidden_size,
        layers=config.layers,
        dropout=config.dropout,
        weight_drop=config.weight_drop,
    )


def param_shapes(config: ModelConfig, vocab_size: int) -> Shapes:
    """Return the name and shape of every parameter of a language model, in storage order."""
    output = {"output.weight": (vocab_size, config.hidden_size), "output.bias": (vocab_size,)}
    return make_stack(config, vocab_size).shapes | output


class LanguageModel:
    """A recurrent language model (Mikolov et al. 2010), on characters.

        model = LanguageModel(ModelConfig(cell="gru", hidden_size=64), vocab_size=50).init(rng)
        logits, state, cache = model.forward(ids, model.zero_state(B))

    config       cell, sizes and dropout of the network
    vocab_size   number of characters in the vocabulary (V)
    flat         array to keep all parameters in, as views; None: a new one, of zeros until ``init``

    Attributes: ``flat``, all parameters in one array; ``params``, a dict of named views into it,
    named as in torch.nn: weight_ih_l0 (G*H, V), weight_hh_l0 (G*H, H), bias_ih_l0 and bias_hh_l0
    (G*H,), ..., output.weight (V, H), output.bias (V,); ``layers``, the recurrent ones as one dict
    per layer, without the layer number in the names.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, flat: Array | None = None) -> None:
        self.config, self.vocab_size = config, vocab_size
        self.stack = make_stack(config, vocab_size)
        self.cell = self.stack.cell
        self.shapes = param_shapes(config, vocab_size)
        size = count_parameters(self.shapes)
        self.flat: Array = np.zeros(size, config.dtype) if flat is None else flat
        self.params = view_parameters(self.flat, self.shapes)
        self.layers = self.stack.split(self.params)

    @property
    def networks(self) -> list["LanguageModel"]:
        """This network: an ensemble of one."""
        return [self]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of weights and arithmetic."""
        return self.flat.dtype

    def init(self, rng: np.random.Generator, frequencies: Array | None = None) -> "LanguageModel":
        """Draw initial weights as torch.nn does, open forget gates (bias 1), and return the model.

        rng           source of the weights
        frequencies   share of each character in the text, (V,). If given, the output bias starts at
                      their logarithms. Otherwise the first steps would learn the frequencies by
                      driving the hidden units into saturation
        """
        self.stack.init(self.params, rng)
        for layer in self.layers:
            self.cell.open_forget_gate(layer)
        bound = 1 / math.sqrt(self.config.hidden_size)
        for name in ("output.weight", "output.bias"):
            self.params[name][...] = rng.uniform(-bound, bound, self.shapes[name])
        if frequencies is not None:
            self.params["output.bias"][...] = np.log(frequencies)
        return self

    def zero_state(self, batch_size: int) -> LayerStates:
        """Return a zero state, (B, H) arrays, for every layer, bottom layer first."""
        return self.stack.zero_state(batch_size, self.flat.dtype)

    def workspaces(self) -> list[Workspace]:
        """Return new scratch memory for ``forward``: one per layer and one for the output layer."""
        return [*self.stack.workspaces(), Workspace()]

    def new_grads(self) -> Params:
        """Return uninitialized arrays for the gradients, with the keys of ``params``."""
        return {name: np.empty_like(param) for name, param in self.params.items()}

    def forward(
        self,
        ids: NDArray[np.integer[Any]],
        state: LayerStates,
        *,
        starts: Mask | None = None,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, LayerStates, NetworkCache]:
        """Run the model over a batch of sequences.

        ids           (T, B), each from 0 to V - 1
        state         initial hidden state of every layer, from ``zero_state`` or an earlier call
        starts        (T, B), True where the state before a time step is zero; None: nowhere
        dropout_rng   source of the dropout masks; None: no dropout
        workspaces    scratch memory from ``workspaces``; None: new

        Returns logits (T, B, V), the final state and a cache for ``backward``.
        """
        workspaces = workspaces or self.workspaces()
        features, final_state, saved = self.stack.forward(
            self.layers, ids, state, starts=starts, rng=dropout_rng, workspaces=workspaces[:-1]
        )
        mask = drop_mask(features, self.config.dropout, dropout_rng)
        if mask is not None:
            features = features * mask
        weight, (T, B, H) = self.params["output.weight"], features.shape
        logits = workspaces[-1].array("logits", (T, B, self.vocab_size), weight.dtype)
        np.dot(features.reshape(T * B, H), weight.T, out=logits.reshape(T * B, self.vocab_size))
        logits += self.params["output.bias"]
        return logits, final_state, NetworkCache(saved, mask, features)

    def backward(self, cache: NetworkCache, d_logits: Array, grads: Params | None = None) -> Params:
        """Return the gradient of every parameter, with the keys of ``params``.

        cache      from ``forward``; consumed by this call
        d_logits   gradient of the loss with respect to the logits, (T, B, V)
        grads      arrays for the gradients; new ones if None
        """
        grads = grads or self.new_grads()
        T, B, H = cache.features.shape
        rows = d_logits.reshape(T * B, self.vocab_size)
        np.dot(rows.T, cache.features.reshape(T * B, H), out=grads["output.weight"])
        rows.sum(axis=0, out=grads["output.bias"])
        d_features: Array = np.dot(rows, self.params["output.weight"]).reshape(T, B, H)
        if cache.mask is not None:
            d_features *= cache.mask
        self.stack.backward(cache.stack, d_features, self.zero_state(B), self.stack.split(grads))
        return grads

    def loss_and_gradients(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: LayerStates,
        *,
        starts: Mask | None = None,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
        grads: Params | None = None,
        count: int | None = None,
    ) -> tuple[float, Params, LayerStates]:
        """Return the mean cross-entropy in nats per character, its gradients, the final state.

        inputs    ids (T, B)
        targets   ids (T, B); targets[t] is the character that follows inputs[t]
        grads     arrays for the gradients; new ones if None
        count     number of targets to average over, if these are part of a larger batch

        The other arguments are those of ``forward``.
        """
        logits, final_state, cache = self.forward(
            inputs, state, starts=starts, dropout_rng=dropout_rng, workspaces=workspaces
        )
        loss, d_logits = softmax_cross_entropy(logits, targets, count)
        return loss, self.backward(cache, d_logits, grads), final_state

    def log_probabilities(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: LayerStates | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, LayerStates]:
        """Return log p of each target (T, B) in nats, and the final state.

        inputs, targets   ids (T, B); targets[t] is the character that follows inputs[t]
        state             initial hidden state of every layer; None: zeros
        """
        state = state or self.zero_state(inputs.shape[1])
        logits, final_state, _ = self.forward(inputs, state, workspaces=workspaces)
        return target_log_probabilities(logits, targets), final_state
