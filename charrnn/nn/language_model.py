"""The language model: a network that predicts each next character.

ids (T, B) -> layer 0 -> dropout -> layer 1 -> ... -> dropout -> h W_out^T + b_out -> logits
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ModelConfig
from charrnn.nn.cells import Array, Params, State, Workspace
from charrnn.nn.ensemble import member_loss
from charrnn.nn.loss import softmax_cross_entropy, target_log_probabilities
from charrnn.nn.network import Network, NetworkCache, network_shapes
from charrnn.nn.parameters import Shapes

# States of all layers, bottom first.
ModelState = list[State]


def param_shapes(config: ModelConfig, vocab_size: int) -> Shapes:
    """Return name and shape of every parameter, in the order in which they are stored."""
    return network_shapes(config, vocab_size, vocab_size)


class LanguageModel(Network):
    """A character-level language model (Mikolov et al. 2010, on characters).

        model = LanguageModel(ModelConfig(cell="gru", hidden_size=64), vocab_size=50).init(rng)
        logits, state, cache = model.forward(ids, model.zero_state(B))

    config       its shape
    vocab_size   characters it knows (V)
    flat         all parameters in one array, the caller's if given; zero until ``init`` draws them
    params       named views into ``flat``, after torch.nn: weight_ih_l0 (G*H, V), weight_hh_l0
                 (G*H, H), bias_ih_l0, bias_hh_l0 (G*H,) ..., output.weight (V, H), output.bias (V,)
    layers       the same, layer by layer and without the layer's number: weight_ih ...
    """

    def __init__(self, config: ModelConfig, vocab_size: int, flat: Array | None = None) -> None:
        super().__init__(config, vocab_size, vocab_size, flat)
        self.vocab_size = vocab_size

    def on(self, flat: Array) -> "LanguageModel":
        """Return the same model with its parameters in another array."""
        return LanguageModel(self.config, self.vocab_size, flat)

    def init(self, rng: np.random.Generator, frequencies: Array | None = None) -> "LanguageModel":
        """Draw initial weights, the output layer's as torch.nn.Linear does. Returns the model.

        frequencies   share of each character in the text (V,). With them, the output bias starts at
                      their logarithms: the first steps need not learn how often each character
                      occurs, for which they would drive the hidden units into saturation
        """
        super().init(rng)
        if frequencies is not None:
            self.params["output.bias"][...] = np.log(frequencies)
        return self

    def forward(
        self,
        ids: NDArray[np.integer[Any]],
        state: ModelState,
        *,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState, NetworkCache]:
        """Run the model over ids (T, B), each from 0 to V - 1.

        Returns logits (T, B, V), the final state and a cache for backward. Dropout is on when a
        random source for it is given, that is: while training.
        """
        workspaces = workspaces or self.workspaces()
        top, final_state, saved = self.stack.forward(
            self.layers, ids, state, rng=dropout_rng, workspaces=workspaces[:-1]
        )
        logits, mask, features = self.head(top, dropout_rng, workspaces[-1])
        return logits, final_state, NetworkCache(saved, mask, features)

    def backward(self, cache: NetworkCache, d_logits: Array, grads: Params | None = None) -> Params:
        """Return the gradient by every parameter, same keys as ``params``.

        grads   arrays to write them to; new ones if None
        """
        grads = grads or self.new_grads()
        self._backward_layers(cache, self.head_backward(cache, d_logits, grads), grads)
        return grads

    def _backward_layers(self, cache: NetworkCache, d_outputs: Array, grads: Params) -> None:
        no_gradient = self.zero_state(d_outputs.shape[1])
        self.stack.backward(cache.stack, d_outputs, no_gradient, self.stack.split(grads))

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

        Of an ensemble it is the mean of what the members reach alone; see ``ensemble``.

        grads   arrays for the gradients; new ones if None
        count   how many targets the mean is over, if these are a share of a larger batch
        """
        logits, final_state, cache = self.forward(
            inputs, state, dropout_rng=dropout_rng, workspaces=workspaces
        )
        if self.config.members == 1:
            loss, d_logits = softmax_cross_entropy(logits, targets, count)
            return loss, self.backward(cache, d_logits, grads), final_state
        grads = grads or self.new_grads()
        members = self.config.members
        loss, d_outputs = member_loss(cache.features, self.params, targets, count, members, grads)
        if cache.mask is not None:
            d_outputs *= cache.mask
        self._backward_layers(cache, d_outputs, grads)
        return loss, grads, final_state

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
