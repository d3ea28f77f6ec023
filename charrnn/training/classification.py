"""Training a sequence classifier, and saying how good it is."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ClassifierConfig
from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.cells import Array, Params
from charrnn.nn.classifier import SequenceClassifier
from charrnn.parallel.group import Group, make_group
from charrnn.randomness import Purpose, generator
from charrnn.text.sequences import Batches, Examples
from charrnn.training.loop import Event, events
from charrnn.training.optimizers import make_optimizer
from charrnn.training.state import RunState
from charrnn.training.step import Share

# Sequences that are read at once when nothing is learnt from them.
AT_ONCE = 256
STEPS_AT_ONCE = 1 << 16

# Share of the characters that are shown as unknown while training, so that it is known what to make
# of one.
UNKNOWN_SHARE = 0.01


@dataclass
class ClassifierState(RunState):
    """Everything that changes while a classifier is trained."""

    model: SequenceClassifier

    @classmethod
    def start(cls, config: ClassifierConfig, input_size: int, classes: int) -> Self:
        """Return the state before the first step, with weights drawn from the random seed."""
        model = SequenceClassifier(config.model, input_size, classes)
        model.init(generator(config.run.random_seed, Purpose.WEIGHTS))
        return cls(model, make_optimizer(model.flat, config.optimizer))


class SequenceShare(Share):
    """A share of learning labelled sequences."""

    def __init__(
        self,
        state: ClassifierState,
        config: ClassifierConfig,
        train: Examples,
        held_out: Examples,
        group: Group,
    ) -> None:
        self.batches = Batches(train, config.data.batch_size, config.run.random_seed)
        if group.size > self.batches.batch_size:
            raise ConfigError(f"{group.size} workers are more than a batch has sequences")
        super().__init__(state, config.optimizer, self.batches.batch_size, group)
        self.examples, self.judges = train, held_out
        self.random_seed, model = config.run.random_seed, config.model
        self.draws = bool(train.unknown is not None or model.dropout or model.weight_drop)
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.step_size = max(1, int(train.lengths.mean() * self.batch_size))
        self.held_out = int(held_out.lengths.sum())
        self.model = state.model
        self.workspaces = self.model.stack.workspaces()
        group.start(self.work)

    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """See ``Share.gradients``."""
        inputs, mask, targets = self.examples.take(self.batches.at(step)[samples])
        rank, ranks = self.group.rank, self.group.size
        rng = None
        if self.draws:
            rng = generator(self.random_seed, Purpose.DROPOUT, step * ranks + rank)
        if rng is not None and self.examples.unknown is not None:
            forgotten = rng.random(inputs.shape, np.float32) < UNKNOWN_SHARE
            inputs = np.where(forgotten, self.examples.unknown, inputs)
        loss, _ = self.model.loss_and_gradients(
            inputs,
            targets,
            mask,
            dropout_rng=rng,
            workspaces=self.workspaces,
            grads=grads,
            count=self.batch_size,
        )
        return loss

    def evaluate(self) -> tuple[float, int]:
        """See ``Share.evaluate``: nats and sequences."""
        mine = np.arange(len(self.judges))[self.group.rank :: self.group.size]
        judges = self.judges.select(mine)
        log_p = log_probabilities(self.model, judges)
        right = log_p[np.arange(len(judges)), judges.labels]
        return -float(right.sum(dtype=np.float64)), len(judges)


def train_classifier(
    state: ClassifierState, config: ClassifierConfig, train: Examples, held_out: Examples
) -> Generator[Event, None, None]:
    """Train until the config's limits, yielding an Event after every step; see ``training.train``.

    The losses are in nats per sequence. Raises CorpusError without two classes to tell apart, and
    for labels or ids that the model does not have.
    """
    present = np.unique(train.labels)
    if len(present) < 2:  # noqa: PLR2004
        raise CorpusError("there must be at least two classes to tell apart")
    for examples in (train, held_out):
        _require_range("labels", examples.labels, state.model.classes)
        if np.issubdtype(examples.values.dtype, np.integer):
            _require_range("ids", examples.values, state.model.input_size)
    group = make_group(config.run.workers or 1)
    try:
        share = SequenceShare(state, config, train, held_out, group)
        yield from events(state, share, config.optimizer, config.run)
    finally:
        group.close()


def _require_range(what: str, numbers: NDArray[Any], end: int) -> None:
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= end):
        raise CorpusError(f"{what} must be from 0 to {end - 1}")


def fit_classifier_config(config: ClassifierConfig, size: int) -> ClassifierConfig:
    """Return the config with batches no larger than there are sequences to train on."""
    batch_size = max(1, min(config.data.batch_size, size))
    return replace(config, data=replace(config.data, batch_size=batch_size))


def log_probabilities(model: SequenceClassifier, examples: Examples) -> Array:
    """Return log p of every class for each sequence in nats, (S, K)."""
    result: Array = np.empty((len(examples), model.classes), model.flat.dtype)
    order = np.argsort(examples.lengths, kind="stable")
    start = 0
    while start < len(order):
        count = min(AT_ONCE, len(order) - start)
        while count > 1 and count * examples.lengths[order[start + count - 1]] > STEPS_AT_ONCE:
            count //= 2
        which = order[start : start + count]
        inputs, mask, _ = examples.take(which)
        result[which] = model.log_probabilities(inputs, mask)
        start += count
    return result


@dataclass(frozen=True)
class ClassReport:
    """How well a class is told from the others.

    precision   share of those taken for this class that are of it
    recall      share of those of this class that were taken for it
    f1          harmonic mean of the two
    count       how many are of this class
    """

    precision: float
    recall: float
    f1: float
    count: int


def confusion_matrix(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int
) -> NDArray[np.int64]:
    """Return how many of each class (rows) were taken for each class (columns), (K, K)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_reports(confusion: NDArray[np.int64]) -> list[ClassReport]:
    """Return the figures of every class; 0 for what is undefined."""
    reports = []
    for number, row in enumerate(confusion):
        right, count, taken = int(row[number]), int(row.sum()), int(confusion[:, number].sum())
        precision, recall = right / max(taken, 1), right / max(count, 1)
        f1 = 2 * right / max(count + taken, 1)
        reports.append(ClassReport(precision, recall, f1, count))
    return reports
