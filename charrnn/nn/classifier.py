"""The sequence classifier: recurrent layers, and a linear layer on the last hidden state.

    x_1 ... x_T -> recurrent layers -> h_T -> dropout -> W_out h_T + b_out -> logits

With two directions, h_T is the concatenation of their final states, each of which has seen the
whole sequence. Two classes share one logit, with p(class 1) = sigmoid(logit) and binary
cross-entropy as the loss; more classes use softmax and cross-entropy. In both cases the gradient
with respect to the logits is p - target.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ClassifierModelConfig
from charrnn.nn.cells import Array, Mask, Params, Workspace
from charrnn.nn.loss import log_softmax, sigmoid_cross_entropy, softmax_cross_entropy
from charrnn.nn.network import Network, NetworkCache, network_shapes
from charrnn.nn.parameters import Shapes

BINARY = 2


def _logits(classes: int) -> int:
    return 1 if classes == BINARY else classes


def param_shapes(config: ClassifierModelConfig, input_size: int, classes: int) -> Shapes:
    """Return the name and shape of every parameter, in storage order."""
    return network_shapes(config, input_size, _logits(classes))


class SequenceClassifier(Network):
    """A sequence classifier: recurrent layers, and a linear layer on the last hidden state.

        net = SequenceClassifier(ClassifierModelConfig(), input_size=1, classes=2).init(rng)
        net.probabilities(features)          # features (T, B, 1) -> (B, 2)

    Two classes share one logit (sigmoid, binary cross-entropy); more use softmax. With two
    directions (Schuster & Paliwal 1997) the linear layer sees both final states, concatenated.

    config       cell, sizes, dropout and directions of the network
    input_size   number of input features per step, or of distinct ids (I)
    classes      number of classes (K), at least 2
    flat         array to keep all parameters in, as views; None: a new one, of zeros until ``init``

    Attributes: ``flat``, all parameters in one array; ``params``, a dict of named views into it,
    named as in torch.nn: weight_ih_l0 (G*H, I), weight_hh_l0 (G*H, H), ..., output.weight. G is
    the number of gates (rnn 1, gru 3, lstm 4), H the hidden size.
    """

    config: ClassifierModelConfig

    def __init__(
        self,
        config: ClassifierModelConfig,
        input_size: int,
        classes: int,
        flat: Array | None = None,
    ) -> None:
        super().__init__(config, input_size, _logits(classes), flat)
        self.classes = classes

    def on(self, flat: Array) -> "SequenceClassifier":
        """Return the same network with its parameters in another array."""
        return SequenceClassifier(self.config, self.input_size, self.classes, flat)

    def forward(
        self,
        inputs: NDArray[Any],
        mask: Mask | None = None,
        *,
        dropout_rng: np.random.Generator | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, NetworkCache]:
        """Run the network over a batch of sequences.

        inputs        ids (T, B) or features (T, B, I)
        mask          (T, B), False at padded steps; None if all sequences have the same length
        dropout_rng   source of the dropout masks; None: no dropout
        workspaces    scratch memory from ``workspaces``; None: new

        Returns logits, (B, 1) for two classes or (B, K) for more, and a cache for ``backward``.
        """
        if np.issubdtype(inputs.dtype, np.floating):
            inputs = inputs.astype(self.flat.dtype, copy=False)
        workspaces = workspaces or self.workspaces()
        _, final_state, saved = self.stack.forward(
            self.layers,
            inputs,
            self.zero_state(inputs.shape[1]),
            mask=mask,
            rng=dropout_rng,
            workspaces=workspaces[:-1],
        )
        top = final_state[-self.stack.directions :]
        last = np.concatenate([state[0] for state in top], axis=-1)
        logits, drop, features = self.head(last, dropout_rng, workspaces[-1])
        return logits, NetworkCache(saved, drop, features)

    def backward(self, cache: NetworkCache, d_logits: Array, grads: Params) -> None:
        """Write the gradient with respect to every parameter to ``grads`` (keys of ``params``)."""
        d_last = self.head_backward(cache, d_logits, grads)
        D, H = self.stack.directions, self.config.hidden_size
        d_state = self.zero_state(len(d_last))
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
        count     number of sequences to average over, if these are part of a larger batch

        The other arguments are those of ``forward``.
        """
        logits, cache = self.forward(inputs, mask, dropout_rng=dropout_rng, workspaces=workspaces)
        grads = grads or self.new_grads()
        if self.classes == BINARY:
            loss, d_logits = sigmoid_cross_entropy(logits[:, 0], targets, count)
            d_logits = d_logits[:, None]
        else:
            loss, d_logits = softmax_cross_entropy(logits, targets, count)
        self.backward(cache, d_logits, grads)
        return loss, grads

    def log_probabilities(self, inputs: NDArray[Any], mask: Mask | None = None) -> Array:
        """Return log p of every class in nats, (B, K); the inputs are those of ``forward``."""
        logits, _ = self.forward(inputs, mask)
        if self.classes == BINARY:
            # softmax over (0, x) is (1 - sigmoid(x), sigmoid(x))
            logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
        return log_softmax(logits)

    def probabilities(self, inputs: NDArray[Any], mask: Mask | None = None) -> Array:
        """Return the probability of every class, (B, K); the inputs are those of ``forward``."""
        return np.exp(self.log_probabilities(inputs, mask))
