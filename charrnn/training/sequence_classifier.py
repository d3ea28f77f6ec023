"""A classifier of whole sequences: ``fit``, ``predict``, ``predict_proba``.

    x_1 ... x_T -> recurrent layers -> h_T        a = W h_T + b

    p = softmax(a)      loss = -log p_y      d loss / d a = p - one_hot(y)

Two classes share one logit: softmax(0, a) = (1 - sigmoid(a), sigmoid(a)), so that the loss is the
binary cross-entropy. Sequences of unequal length are padded at the end. The layers run on through
the padding, and h_T is read at the last real step, which the padding after it cannot change.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import (
    CellName,
    DTypeName,
    Nonlinearity,
    OptimizerConfig,
    OptimizerName,
    require,
)
from charrnn.errors import ConfigError, CorpusError, TrainingError
from charrnn.nn.cell import Array, Params
from charrnn.nn.layers import GRU, LSTM, RNN
from charrnn.nn.network import log_softmax, softmax_cross_entropy
from charrnn.training.optimizers import clip_factor, make_slots, update_parameters

_LAYERS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
# Sequences per batch at inference.
_PREDICTED_TOGETHER = 256


@dataclass(eq=False)
class SequenceClassifier:
    """A classifier of sequences: recurrent layers, and a linear layer on the last output.

        classifier = SequenceClassifier("lstm", epochs=10).fit(X, y)
        classifier.predict(X)           # (S,)
        classifier.predict_proba(X)     # (S, K), in the order of classes_

    X is S sequences, each of T steps, where T may differ: features (T, I), numbers (T,), which are
    one feature, or integer ids (T,), which stand for one-hot vectors. An array (S, T) or (S, T, I)
    holds sequences of equal length. y is S class labels.

    cell            "rnn", "lstm" or "gru"
    nonlinearity    activation of an "rnn": "tanh" or "relu"
    hidden_size     hidden units per layer (H)
    layers          number of stacked layers
    epochs          passes over the sequences, in an order drawn anew for each
    batch_size      sequences per update
    optimizer       "adam", "sgd", "rmsprop" or "adagrad"
    learning_rate   initial step size, which falls linearly to zero; None: the optimizer's default
    clip_norm       largest Euclidean norm of a gradient; None: no limit
    dtype           "float32" or "float64", for weights and arithmetic
    random_state    seed or NumPy generator for weights and order; None: a fresh seed

    Attributes after ``fit``: ``classes_``, the K labels, sorted; ``params_``, the weights: those of
    the layers, named as in torch.nn, and of the linear layer; ``loss_curve_``, mean loss of each
    epoch in nats per sequence.
    """

    cell: CellName = "gru"
    _: KW_ONLY
    nonlinearity: Nonlinearity = "tanh"
    hidden_size: int = 32
    layers: int = 1
    epochs: int = 10
    batch_size: int = 32
    optimizer: OptimizerName = "adam"
    learning_rate: float | None = 0.01
    clip_norm: float | None = 1.0
    dtype: DTypeName = "float32"
    random_state: int | np.random.Generator | None = None

    def fit(self, X: Sequence[ArrayLike], y: ArrayLike) -> Self:
        """Learn from the beginning. Returns the classifier.

        Raises CorpusError for sequences and labels that cannot be learned, ConfigError for settings
        out of range, TrainingError if the loss is no longer finite.
        """
        for name in ("epochs", "batch_size"):
            count = getattr(self, name)
            require(count >= 1, f"{name} must be at least 1, not {count}")
        sequences = _read(X)
        self.classes_, targets = np.unique(y, return_inverse=True)
        if targets.shape != (len(sequences),) or len(self.classes_) < 2:
            raise CorpusError("there must be a label for each sequence, of at least two classes")
        config = OptimizerConfig(
            name=self.optimizer, learning_rate=self.learning_rate, clip_norm=self.clip_norm
        )
        rng, step = self._draw_weights(sequences), 0
        self.loss_curve_: list[float] = []
        slots = {name: make_slots(config.name, it.ravel()) for name, it in self.params_.items()}
        updates = self.epochs * -(-len(sequences) // self.batch_size)
        for _ in range(self.epochs):
            order, total = rng.permutation(len(sequences)), 0.0
            for start in range(0, len(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                rate = config.peak_learning_rate * (1 - step / updates)
                step += 1
                loss, grads = self._loss_and_gradients([sequences[i] for i in rows], targets[rows])
                total += loss * len(rows)
                norm = float(np.sqrt(sum(np.vdot(grad, grad) for grad in grads.values())))
                for name, param in self.params_.items():
                    grad = grads[name].reshape(-1) * clip_factor(norm, self.clip_norm)
                    update_parameters(
                        config, param.reshape(-1), grad, slots[name], rate=rate, count=step
                    )
            if not np.isfinite(total):
                raise TrainingError("the loss is not finite", hint="try a smaller learning_rate")
            self.loss_curve_.append(total / len(sequences))
        return self

    def predict(self, X: Sequence[ArrayLike]) -> NDArray[Any]:
        """Return the most probable label of each sequence, (S,)."""
        best = self.predict_proba(X).argmax(axis=-1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: Sequence[ArrayLike]) -> Array:
        """Return the probability of each class for each sequence, (S, K), after ``fit``.

        Raises CorpusError for sequences unlike those of ``fit``, ConfigError for unknown ids.
        """
        if not hasattr(self, "params_"):
            raise ConfigError("the classifier has learned nothing yet", hint="call fit first")
        sequences, size = _read(X), _PREDICTED_TOGETHER
        batches = (sequences[start : start + size] for start in range(0, len(sequences), size))
        logits = [self._forward(batch)[0] for batch in batches]
        return np.exp(log_softmax(np.concatenate(logits)))

    def _draw_weights(self, sequences: list[NDArray[Any]]) -> np.random.Generator:
        """Draw the weights, from U(-1/sqrt(H), 1/sqrt(H)) as torch.nn does; return the source."""
        if self.cell not in _LAYERS:
            raise ConfigError(f"cell must be rnn, lstm or gru, not {self.cell}")
        first, rng = sequences[0], np.random.default_rng(self.random_state)
        self._reads_ids = first.ndim == 1
        width = 1 + max(map(np.max, sequences)) if self._reads_ids else first.shape[1]
        own = {"nonlinearity": self.nonlinearity} if self.cell == "rnn" else {}
        self._layer = _LAYERS[self.cell](
            int(width), self.hidden_size, self.layers, dtype=self.dtype, rng=rng, **own
        )
        # The first of two classes needs no logit: it is 0.
        self._free = slice(int(len(self.classes_) == 2), None)
        shape = len(self.classes_[self._free]), self.hidden_size
        bound = 1 / math.sqrt(self.hidden_size)
        weight: Array = rng.uniform(-bound, bound, shape).astype(self.dtype)
        bias: Array = np.zeros(shape[0], self.dtype)
        self.params_ = {**self._layer.params, "output.weight": weight, "output.bias": bias}
        return rng

    def _forward(self, sequences: list[NDArray[Any]]) -> tuple[Array, Callable[[Array], Params]]:
        """Return logits (B, K), and a function from their gradient to those of ``params_``."""
        first = sequences[0]
        if (first.ndim == 1) != self._reads_ids:
            raise CorpusError("ids and features do not mix: give what fit was given")
        lengths = np.array([len(sequence) for sequence in sequences])
        inputs = np.zeros((lengths.max(), len(sequences), *first.shape[1:]), first.dtype)
        for number, sequence in enumerate(sequences):
            inputs[: len(sequence), number] = sequence
        output, _, cache = self._layer.forward(inputs)
        last = lengths - 1, np.arange(len(sequences))
        features: Array = output[last]
        logits = np.zeros((len(sequences), len(self.classes_)), self.dtype)
        weight, bias = self.params_["output.weight"], self.params_["output.bias"]
        logits[:, self._free] = features @ weight.T + bias

        def backward(d_logits: Array) -> Params:
            d_free, d_output = d_logits[:, self._free], np.zeros_like(output)
            d_output[last] = d_free @ weight
            grads, _, _ = self._layer.backward(cache, d_output)
            head = {"output.weight": d_free.T @ features, "output.bias": d_free.sum(axis=0)}
            return {**grads, **head}

        return logits, backward

    def _loss_and_gradients(
        self, sequences: list[NDArray[Any]], targets: NDArray[np.intp]
    ) -> tuple[float, Params]:
        """Return the mean loss in nats per sequence, and its gradients, named as ``params_``."""
        logits, backward = self._forward(sequences)
        loss, d_logits = softmax_cross_entropy(logits, targets)
        return loss, backward(d_logits)


def _read(X: Sequence[ArrayLike]) -> list[NDArray[Any]]:
    """Return the sequences as ids (T,) or features (T, I). Raises CorpusError for others."""
    sequences = [np.asarray(sequence) for sequence in X]
    if not all(each.ndim == 1 and each.dtype.kind in "iu" for each in sequences):
        sequences = [np.asarray(each, np.float64) for each in sequences]
        sequences = [each[:, None] if each.ndim == 1 else each for each in sequences]
    is_valid = all(each.size and np.isfinite(each).all() for each in sequences)
    if not is_valid or len({each.shape[1:] for each in sequences}) != 1:
        raise CorpusError("there must be sequences of one width, none of them empty, all finite")
    return sequences
