"""A classifier of whole sequences, in the manner of scikit-learn.

    x_1 ... x_T -> recurrent layers -> h_T        a = W h_T + b

    p = softmax(a)      loss = -log p_y      d loss / d a = p - one_hot(y)

Two classes share one logit: softmax(0, a) = (1 - sigmoid(a), sigmoid(a)), so that the loss is the
binary cross-entropy. Sequences of unequal length are padded at the end. The layers run on through
the padding, and h_T is read at the last real step, which the padding after it cannot change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.config import CellName, DTypeName, Nonlinearity, OptimizerConfig, OptimizerName
from charrnn.errors import ConfigError, CorpusError, TrainingError
from charrnn.nn.cell import Array, Params
from charrnn.nn.layers import GRU, LSTM, RNN, LayerCache
from charrnn.nn.network import log_softmax, softmax_cross_entropy
from charrnn.training.optimizers import clip_factor, make_slots, update_parameters

_LAYERS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
_BINARY = 2
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

    Attributes after ``fit``: ``classes_``, the K labels, sorted; ``params_``, named views of the
    weights; ``loss_curve_``, mean loss of each epoch in nats per sequence.
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002
        """Return the constructor arguments by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments. Raises ConfigError for an unknown one."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ConfigError(f"unknown parameter {name}")
            setattr(self, name, value)
        return self

    def fit(self, X: Sequence[ArrayLike], y: ArrayLike) -> Self:
        """Learn from the beginning. Returns the classifier.

        Raises CorpusError for sequences and labels that cannot be learned, ConfigError for settings
        out of range, TrainingError if the loss is no longer finite.
        """
        sequences, (self.classes_, targets) = _read(X), np.unique(y, return_inverse=True)
        if targets.shape != (len(sequences),):
            raise CorpusError(f"{len(sequences)} sequences and labels {targets.shape} do not fit")
        if len(self.classes_) < _BINARY:
            raise CorpusError("there must be at least two classes")
        config = OptimizerConfig(
            name=self.optimizer, learning_rate=self.learning_rate, clip_norm=self.clip_norm
        )
        rng, step, self.loss_curve_ = self._init(sequences), 0, list[float]()
        slots = {name: make_slots(config.name, it.ravel()) for name, it in self.params_.items()}
        updates = self.epochs * -(-len(sequences) // self.batch_size)
        for _ in range(self.epochs):
            order, total = rng.permutation(len(sequences)), 0.0
            for rows in _batches(order, self.batch_size):
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
        """Return the probability of each class for each sequence, (S, K).

        Raises CorpusError before ``fit``, and for sequences unlike those of ``fit``.
        """
        self._require_fitted()
        sequences = _read(X)
        batches = _batches(np.arange(len(sequences)), _PREDICTED_TOGETHER)
        logits = [self._forward([sequences[i] for i in rows])[0] for rows in batches]
        return np.exp(log_softmax(np.concatenate(logits)))

    def score(self, X: Sequence[ArrayLike], y: ArrayLike) -> float:
        """Return the accuracy: the share of the sequences with the right label."""
        return float(np.mean(self.predict(X) == np.asarray(y)))

    def __sklearn_tags__(self) -> SimpleNamespace:
        """Return what scikit-learn asks of an estimator: that it is a classifier."""
        every = SimpleNamespace(pairwise=False)
        return SimpleNamespace(estimator_type="classifier", input_tags=every)

    def loss_and_gradients(self, X: Sequence[ArrayLike], y: ArrayLike) -> tuple[float, Params]:
        """Return the mean loss in nats per sequence, and its gradients, named as ``params_``."""
        self._require_fitted()
        return self._loss_and_gradients(_read(X), np.searchsorted(self.classes_, y))

    @property
    def params_(self) -> Params:
        """The weights: those of the layers, named as in torch.nn, and of the linear layer."""
        return {**self._layer.params, "output.weight": self._weight, "output.bias": self._bias}

    def _init(self, sequences: list[NDArray[Any]]) -> np.random.Generator:
        """Draw the weights, from U(-1/sqrt(H), 1/sqrt(H)) as torch.nn does."""
        if self.cell not in _LAYERS or min(self.epochs, self.batch_size) < 1:
            raise ConfigError("cell must be rnn, lstm or gru; epochs and batch_size 1 or more")
        first, rng = sequences[0], np.random.default_rng(self.random_state)
        self._reads_ids = first.ndim == 1
        width = 1 + max(map(np.max, sequences)) if self._reads_ids else first.shape[1]
        own = {"nonlinearity": self.nonlinearity} if self.cell == "rnn" else {}
        self._layer = _LAYERS[self.cell](
            int(width), self.hidden_size, self.layers, dtype=self.dtype, rng=rng, **own
        )
        # The first of two classes needs no logit: it is 0.
        self._free = slice(int(len(self.classes_) == _BINARY), None)
        shape = len(self.classes_[self._free]), self.hidden_size
        bound = 1 / np.sqrt(self.hidden_size)
        self._weight: Array = rng.uniform(-bound, bound, shape).astype(self.dtype)
        self._bias: Array = np.zeros(shape[0], self.dtype)
        return rng

    def _forward(
        self, sequences: list[NDArray[Any]]
    ) -> tuple[Array, Array, LayerCache, tuple[NDArray[Any], NDArray[Any]]]:
        """Return logits (B, K), features h_T (B, H), the cache, and where in (T, B) they are."""
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
        logits[:, self._free] = features @ self._weight.T + self._bias
        return logits, features, cache, last

    def _loss_and_gradients(
        self, sequences: list[NDArray[Any]], targets: NDArray[np.intp]
    ) -> tuple[float, Params]:
        logits, features, cache, last = self._forward(sequences)
        loss, d_logits = softmax_cross_entropy(logits, targets)
        d_logits = d_logits[:, self._free]
        d_output = np.zeros(cache.shape, logits.dtype)
        d_output[last] = d_logits @ self._weight
        grads, _, _ = self._layer.backward(cache, d_output)
        head = {"output.weight": d_logits.T @ features, "output.bias": d_logits.sum(axis=0)}
        return loss, {**grads, **head}

    def _require_fitted(self) -> None:
        if not hasattr(self, "_layer"):
            raise CorpusError("the classifier has learned nothing yet", hint="call fit first")


def _batches(order: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    return (order[start : start + size] for start in range(0, len(order), size))


def _read(X: Sequence[ArrayLike]) -> list[NDArray[Any]]:
    """Return the sequences as ids (T,) or features (T, I). Raises CorpusError for others."""
    if not len(X):
        raise CorpusError("there are no sequences")
    sequences = [np.asarray(sequence) for sequence in X]
    if not all(each.ndim == 1 and each.dtype.kind in "iu" for each in sequences):
        sequences = [np.asarray(each, np.float64) for each in sequences]
        sequences = [each[:, None] if each.ndim == 1 else each for each in sequences]
    for number, each in enumerate(sequences):
        if each.shape[1:] != sequences[0].shape[1:] or not each.size:
            raise CorpusError(f"sequence {number} is empty, or of another width than the first")
        if not np.isfinite(each).all():
            raise CorpusError(f"sequence {number} has values that are not finite")
    return sequences
