"""The language model: a network that predicts the next character at every step.

ids (T, B) -> layer 0 -> dropout -> layer 1 -> ... -> dropout -> h W_out^T + b_out -> logits
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ModelConfig
from charrnn.nn.cells import Array, Mask, Params, State, Workspace
from charrnn.nn.ensemble import member_loss
from charrnn.nn.loss import softmax_cross_entropy, target_log_probabilities
from charrnn.nn.network import Network, NetworkCache, network_shapes
from charrnn.nn.parameters import Shapes
from charrnn.nn.stack import StackCache

# States of all layers, bottom first.
ModelState = list[State]


def param_shapes(config: ModelConfig, vocab_size: int) -> Shapes:
    """Return the name and shape of every parameter, in storage order."""
    return network_shapes(config, vocab_size, vocab_size)


class LanguageModel(Network):
    """A recurrent language model (Mikolov et al. 2010), on characters.

        model = LanguageModel(ModelConfig(cell="gru", hidden_size=64), vocab_size=50).init(rng)
        logits, state, cache = model.forward(ids, model.zero_state(B))

    config       cell, sizes and dropout of the network
    vocab_size   number of characters in the vocabulary (V)
    flat         array to keep all parameters in, as views; None: a new one, of zeros until ``init``

    Attributes: ``flat``, all parameters in one array; ``params``, a dict of named views into it,
    named as in torch.nn: weight_ih_l0 (G*H, V), weight_hh_l0 (G*H, H), bias_ih_l0 and bias_hh_l0
    (G*H,), ..., output.weight (V, H), output.bias (V,); ``layers``, the recurrent ones as one dict
    per layer, without the layer number in the names. G is the number of gates (rnn 1, gru 3, lstm
    4), H the hidden size. Of K members, weight_hh_l0 is (G*H, H/K); see ``ensemble``.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, flat: Array | None = None) -> None:
        super().__init__(config, vocab_size, vocab_size, flat)
        self.vocab_size = vocab_size

    def on(self, flat: Array) -> "LanguageModel":
        """Return the same network with its parameters in another array."""
        return LanguageModel(self.config, self.vocab_size, flat)

    def init(self, rng: np.random.Generator, frequencies: Array | None = None) -> "LanguageModel":
        """Draw initial weights as torch.nn does, open forget gates (bias 1), and return the model.

        rng           source of the weights
        frequencies   share of each character in the text, (V,). If given, the output bias starts at
                      their logarithms. Otherwise the first steps would learn the frequencies by
                      driving the hidden units into saturation
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
        starts: Mask | None = None,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState, NetworkCache]:
        """Run the model over a batch of sequences.

        ids           (T, B), each from 0 to V - 1
        state         initial hidden state of every layer, from ``zero_state`` or an earlier call
        starts        (T, B), True where the state before a step is zero; None: nowhere
        dropout_rng   source of the dropout masks; None: no dropout
        workspaces    scratch memory from ``workspaces``; None: new

        Returns logits (T, B, V), the final state and a cache for ``backward``.
        """
        workspaces = workspaces or self.workspaces()
        top, final_state, saved = self.stack.forward(
            self.layers, ids, state, starts=starts, rng=dropout_rng, workspaces=workspaces[:-1]
        )
        logits, mask, features = self.head(top, dropout_rng, workspaces[-1])
        return logits, final_state, NetworkCache(saved, mask, features)

    def backward(self, cache: NetworkCache, d_logits: Array, grads: Params | None = None) -> Params:
        """Return the gradient with respect to every parameter, with the keys of ``params``.

        cache      from ``forward``; consumed by this call
        d_logits   gradient of the loss with respect to the logits, (T, B, V)
        grads      arrays for the gradients; new ones if None
        """
        grads = grads or self.new_grads()
        self._backward_layers(cache.stack, self.head_backward(cache, d_logits, grads), grads)
        return grads

    def _backward_layers(self, saved: StackCache, d_outputs: Array, grads: Params) -> None:
        no_gradient = self.zero_state(d_outputs.shape[1])
        self.stack.backward(saved, d_outputs, no_gradient, self.stack.split(grads))

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
        starts: Mask | None = None,
    ) -> tuple[float, Params, ModelState]:
        """Return the mean cross-entropy in nats per character, its gradients, the final state.

        inputs    ids (T, B)
        targets   ids (T, B); targets[t] is the character that follows inputs[t]
        grads     arrays for the gradients; new ones if None
        count     number of targets to average over, if these are part of a larger batch

        For an ensemble, the loss is the mean of the members' losses; see ``ensemble``. The other
        arguments are those of ``forward``.
        """
        if self.config.members == 1:
            logits, final_state, cache = self.forward(
                inputs, state, starts=starts, dropout_rng=dropout_rng, workspaces=workspaces
            )
            loss, d_logits = softmax_cross_entropy(logits, targets, count)
            return loss, self.backward(cache, d_logits, grads), final_state
        workspaces, grads = workspaces or self.workspaces(), grads or self.new_grads()
        top, final_state, saved = self.stack.forward(
            self.layers, inputs, state, starts=starts, rng=dropout_rng, workspaces=workspaces[:-1]
        )
        features, mask = self.dropped(top, dropout_rng)
        loss, d_outputs = member_loss(
            features, self.params, targets, self.config.members, grads, count
        )
        if mask is not None:
            d_outputs *= mask
        self._backward_layers(saved, d_outputs, grads)
        return loss, grads, final_state

    def log_probabilities(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: ModelState | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState]:
        """Return log p of each target (T, B) in nats, and the final state.

        inputs, targets   ids (T, B); targets[t] is the character that follows inputs[t]
        state             initial hidden state of every layer; None: zeros
        """
        state = state or self.zero_state(inputs.shape[1])
        logits, final_state, _ = self.forward(inputs, state, workspaces=workspaces)
        return target_log_probabilities(logits, targets), final_state
