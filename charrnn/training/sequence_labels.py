"""The objective of a classifier: predict the label of a sequence."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ClassifierConfig
from charrnn.errors import CorpusError
from charrnn.inference.prediction import log_probabilities
from charrnn.nn.cells import Params
from charrnn.nn.classifier import BINARY, SequenceClassifier
from charrnn.parallel.group import Group
from charrnn.randomness import Purpose, generator
from charrnn.text.sequences import Examples, SequenceBatches
from charrnn.training.objective import Objective
from charrnn.training.state import TrainingState

# Share of the characters that are shown as unknown while training, so that the classifier learns
# what to make of one.
UNKNOWN_SHARE = 0.01


class SequenceLabels(Objective[SequenceClassifier]):
    """The objective of a classifier, for ``train_events``: predict the label of a sequence.

    config     all settings of the run
    train      labeled training sequences
    held_out   labeled sequences to validate on; may be empty

    Raises CorpusError if there are fewer than two classes.
    """

    def __init__(self, config: ClassifierConfig, train: Examples, held_out: Examples) -> None:
        if len(np.unique(train.labels)) < BINARY:
            raise CorpusError("there must be at least two classes to tell apart")
        self.config, self.train, self.judged = config, train, held_out
        self.batches = SequenceBatches(train, config.data.batch_size, config.run.random_seed)
        self.step_size = max(1, int(train.lengths.mean() * self.batches.batch_size))
        self.held_out = int(held_out.lengths.sum())
        model = config.model
        self.draws = bool(train.unknown is not None or model.dropout or model.weight_drop)

    def initial_state(self, input_size: int, classes: int) -> TrainingState[SequenceClassifier]:
        """Return the state before the first step, with weights drawn from the random seed."""
        return initial_state(self.config, input_size, classes)

    def attach(self, state: TrainingState[SequenceClassifier], group: Group) -> None:
        """See ``Objective.attach``.

        Raises CorpusError for labels or ids that the network does not have.
        """
        self.group, self.network = group, state.network
        for examples in (self.train, self.judged):
            _require_range("labels", examples.labels, self.network.classes)
            if np.issubdtype(examples.values.dtype, np.integer):
                _require_range("ids", examples.values, self.network.input_size)
        self.workspaces = self.network.workspaces()

    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """See ``Objective.gradients``: in nats per sequence."""
        batch, rng = self.batches.at(step, samples), None
        inputs, unknown = batch.inputs, self.train.unknown
        if self.draws:
            draw = step * self.group.size + self.group.rank
            rng = generator(self.config.run.random_seed, Purpose.DROPOUT, draw)
            if unknown is not None:
                hidden = rng.random(inputs.shape, np.float32) < UNKNOWN_SHARE
                inputs = np.where(hidden, unknown, inputs)
        loss, _ = self.network.loss_and_gradients(
            inputs,
            batch.targets,
            batch.mask,
            dropout_rng=rng,
            workspaces=self.workspaces,
            grads=grads,
            count=self.batches.batch_size,
        )
        return loss

    def evaluate(self) -> tuple[float, int]:
        """See ``Objective.evaluate``: nats and sequences."""
        rows = np.arange(len(self.judged))[self.group.rank :: self.group.size]
        judged = self.judged.select(rows)
        log_p = log_probabilities(self.network, judged)
        right = log_p[np.arange(len(judged)), judged.labels]
        return -float(right.sum(dtype=np.float64)), len(judged)


def initial_state(
    config: ClassifierConfig, input_size: int, classes: int
) -> TrainingState[SequenceClassifier]:
    """Return the state before the first step, with weights drawn from the random seed."""
    network = SequenceClassifier(config.model, input_size, classes)
    network.init(generator(config.run.random_seed, Purpose.WEIGHTS))
    return TrainingState.start(network, config.optimizer)


def fit_classifier_config(config: ClassifierConfig, size: int) -> ClassifierConfig:
    """Return the config with batches no larger than there are sequences to train on."""
    batch_size = max(1, min(config.data.batch_size, size))
    return replace(config, data=replace(config.data, batch_size=batch_size))


def _require_range(what: str, numbers: NDArray[Any], end: int) -> None:
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= end):
        raise CorpusError(f"{what} must be from 0 to {end - 1}")
