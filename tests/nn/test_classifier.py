"""The sequence classifier: gradients, the seeds' task, variable lengths, splits and figures."""

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import (
    ClassifierConfig,
    ClassifierDataConfig,
    ClassifierModelConfig,
    CorpusError,
    Event,
    Examples,
    OptimizerConfig,
    RunConfig,
    SequenceClassifier,
    SequenceLabels,
    TrainingState,
    Vocabulary,
    split_examples,
    train_events,
)
from charrnn.inference.metrics import class_reports, confusion_matrix
from charrnn.inference.prediction import log_probabilities
from charrnn.nn.loss import sigmoid_cross_entropy
from charrnn.text.sequences import SequenceBatches
from charrnn.training.sequence_labels import initial_state
from tests.gradcheck import assert_gradient, numeric_gradient

T, B, I, H = 5, 4, 3, 4  # noqa: E741


def config(run: dict[str, Any] | None = None, **model: Any) -> ClassifierConfig:
    return ClassifierConfig(
        model=ClassifierModelConfig(
            **{"hidden_size": H, "dropout": 0.0, "weight_drop": 0.0, **model}
        ),
        optimizer=OptimizerConfig(learning_rate=0.01),
        run=RunConfig(**{"seconds": None, "epochs": 10, "random_seed": 1, **(run or {})}),
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("dense", "dropout"), [(True, 0.0), (False, 0.4)])
def test_gradients_equal_numeric_ones(
    cell: str, bidirectional: bool, classes: int, dense: bool, dropout: float
) -> None:
    shape = config(
        cell=cell, bidirectional=bidirectional, layers=2, dropout=dropout, dtype="float64"
    )
    rng = np.random.default_rng(3)
    model = SequenceClassifier(shape.model, I, classes).init(rng)
    inputs = rng.standard_normal((T, B, I)) if dense else rng.integers(I, size=(T, B))
    mask, targets = np.arange(T)[:, None] < [T, 1, 3, 0], rng.integers(classes, size=B)

    def loss() -> float:
        drawn = np.random.default_rng(0)
        return model.loss_and_gradients(inputs, targets, mask, dropout_rng=drawn)[0]

    _, grads = model.loss_and_gradients(inputs, targets, mask, dropout_rng=np.random.default_rng(0))
    assert grads.keys() == model.params.keys()
    for name, param in model.params.items():
        assert_gradient(name, grads[name], numeric_gradient(loss, param))


def test_binary_cross_entropy_is_that_of_two_classes_and_never_overflows() -> None:
    logits, targets = np.array([0.5, -2.0, 1000.0, -1000.0]), np.array([1, 0, 1, 0])
    loss, d_logits = sigmoid_cross_entropy(logits, targets)
    p = 1 / (1 + np.exp(-logits[:2]))
    assert loss == pytest.approx((-np.log(p[0]) - np.log(1 - p[1])) / 4)
    numeric = numeric_gradient(lambda: sigmoid_cross_entropy(logits[:2], targets[:2])[0], logits)
    assert_gradient("logits", d_logits[:2] * 2, numeric[:2])
    wrong, _ = sigmoid_cross_entropy(logits, 1 - targets)
    assert wrong == pytest.approx(500, rel=0.01)


def sums(count: int, seed: int) -> Examples:
    """Return the seeds' task: ten standard normals each, and whether their sum is positive."""
    values = np.random.default_rng(seed).standard_normal((count, 10, 1))
    return Examples.of([*values], values.sum(axis=(1, 2)) > 0)


@pytest.mark.parametrize(
    ("model", "rate", "clip_norm", "batch_size"),
    [
        ({"cell": "rnn"}, 0.004, None, 16),
        ({"cell": "rnn", "nonlinearity": "relu", "bidirectional": False}, 0.03, 1.0, 64),
        ({"cell": "lstm", "bidirectional": False}, 0.01, None, 16),
    ],
)
def test_the_seeds_task_is_learned_in_ten_epochs(
    model: dict[str, Any], rate: float, clip_norm: float | None, batch_size: int
) -> None:
    shape = replace(
        config(hidden_size=32, **model),
        optimizer=OptimizerConfig(learning_rate=rate, warmup=0, clip_norm=clip_norm),
        data=ClassifierDataConfig(batch_size=batch_size),
    )
    state, unseen = initial_state(shape, 1, 2), sums(1000, 1)
    (*_, last) = train_labels(state, shape, sums(1000, 0), unseen.select(np.arange(0)))
    assert last.epoch == 10
    predicted = log_probabilities(state.network, unseen).argmax(axis=-1)
    assert np.mean(predicted == unseen.labels) >= 0.98


def train_labels(
    state: TrainingState[Any], config: ClassifierConfig, train: Examples, held_out: Examples
) -> Generator[Event, None, None]:
    return train_events(state, SequenceLabels(config, train, held_out), config)


def words(seed: int) -> Examples:
    """Return texts of many lengths, told apart by whether they end in their first letter."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice([*"abc"], rng.integers(1, 9))) for _ in range(300)]
    return Examples.of_texts(
        texts, [int(t[0] == t[-1]) for t in texts], Vocabulary.from_text("abc"), 20
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_texts_of_many_lengths_are_learned_by_one_or_two_processes(workers: int) -> None:
    shape = config({"epochs": 25, "workers": workers}, cell="lstm", hidden_size=24)
    shape = replace(shape, data=ClassifierDataConfig(batch_size=16))
    train, held_out = words(0), words(1)
    state = initial_state(shape, 4, 2)
    (*_, last) = train_labels(state, shape, train, held_out)
    assert last.val_loss is not None
    log_p = log_probabilities(state.network, held_out)
    assert np.mean(log_p.argmax(axis=-1) == held_out.labels) > 0.95
    expected = -log_p[np.arange(len(held_out)), held_out.labels].mean()
    assert last.val_loss == pytest.approx(expected, rel=1e-4)


def test_two_workers_take_the_gradient_of_the_whole_batch() -> None:
    states = []
    for workers in (1, 2):
        shape = config({"epochs": None, "steps": 3, "workers": workers}, dtype="float64")
        state = initial_state(shape, 1, 2)
        deque = list(train_labels(state, shape, sums(200, 0), sums(1, 1)))
        states.append((state.network.flat.copy(), [event.train_loss for event in deque]))
    (alone, losses), (shared, shared_losses) = states
    np.testing.assert_allclose(shared, alone, atol=1e-9)
    assert shared_losses == pytest.approx(losses)


def test_the_same_text_gets_the_same_probability_in_any_company() -> None:
    shape = config(hidden_size=16)
    model = SequenceClassifier(shape.model, 4, 3).init(np.random.default_rng(0))
    vocabulary, texts = Vocabulary.from_text("abc"), ["a", "", "abcabcab", "cab?", "b" * 40]
    together = log_probabilities(model, Examples.of_texts(texts, [0] * 5, vocabulary, 30))
    for number, text in enumerate(texts):
        alone = Examples.of_texts([text], [0], vocabulary, 30)
        np.testing.assert_allclose(log_probabilities(model, alone)[-1], together[number], atol=1e-6)
    np.testing.assert_allclose(np.exp(together).sum(axis=-1), 1, rtol=1e-6)


def test_unknown_characters_have_an_id_of_their_own_that_is_trained() -> None:
    examples = Examples.of_texts(["ab€", "b"], [0, 1], Vocabulary.from_text("ab"), 20)
    assert examples.values[:4].tolist() == [0, 1, 2, 1]
    assert examples.unknown == 2
    shape = config({"epochs": 60})
    state = initial_state(shape, 4, 2)
    before = state.network.params["weight_ih_l0"][:, 3].copy()
    train = words(0)
    assert train.values.max() == 2
    for _ in train_labels(state, shape, train, train.select(np.arange(0))):
        pass
    assert np.abs(state.network.params["weight_ih_l0"][:, 3] - before).max() > 0.01


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=80),
    fraction=st.floats(0, 0.9),
    distinct=st.integers(1, 80),
)
def test_a_split_is_stratified_keeps_copies_together_and_loses_nothing(
    labels: list[int], fraction: float, distinct: int
) -> None:
    sequences = [np.array([1 + i % distinct, 7 * labels[i % distinct % len(labels)]])
                 for i in range(len(labels))]  # fmt: skip
    # copies have the label of the first
    labels = [labels[i % distinct % len(labels)] for i in range(len(labels))]
    examples = Examples.of(sequences, labels)
    train, held_out = split_examples(examples, fraction, 0)

    def contents(part: Examples) -> Counter[tuple[int, ...]]:
        rows = zip(part.starts, part.lengths, part.labels, strict=True)
        return Counter((*part.values[s : s + n].tolist(), int(label)) for s, n, label in rows)

    assert contents(train) + contents(held_out) == contents(examples)
    assert not contents(train).keys() & contents(held_out).keys()
    assert set(train.labels) == set(labels)
    if distinct >= len(labels):
        for label, count in Counter(labels).items():
            held = int((held_out.labels == label).sum())
            wanted = max(round(fraction * count), 1) if fraction else 0
            assert held == min(wanted, count - 1)


def test_an_epoch_of_batches_has_every_sequence_once_and_like_lengths_together() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, size=101)
    # every sequence has its number as its label
    examples = Examples.of([np.zeros(n, np.uint8) for n in lengths], np.arange(101))
    batches = SequenceBatches(examples, 10, random_seed=0)
    assert batches.steps_per_epoch == 10
    first = np.concatenate([batches.at(step).targets for step in range(10)])
    assert len(set(first.tolist())) == 100
    spread = np.mean([np.ptp(lengths[batches.at(step).targets]) for step in range(10)])
    assert spread < 10
    second = np.concatenate([batches.at(step).targets for step in range(10, 20)])
    assert first.tolist() != second.tolist()
    again = np.concatenate([batches.at(step).targets for step in range(10)])
    np.testing.assert_array_equal(first, again)


def test_figures_of_a_known_confusion() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    confusion = confusion_matrix(labels, predicted, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    reports = class_reports(confusion)
    figures = [(r.precision, r.recall, r.f1, r.count) for r in reports]
    assert figures[0] == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert figures[1] == pytest.approx((2 / 3, 1, 0.8, 2))
    assert (reports[2].f1, reports[3].f1, reports[3].count) == (0, 0, 0)


def test_a_single_class_is_refused() -> None:
    shape, examples = config(), Examples.of([np.zeros(3, np.uint8)] * 4, [1] * 4)
    with pytest.raises(CorpusError, match="two classes"):
        next(train_labels(initial_state(shape, 1, 2), shape, examples, examples))
    conflicting = Examples.of([[1], [1], [2]], [0, 1, 0])
    for seed in range(6):  # copies with two labels leave something of each class all the same
        train, _ = split_examples(conflicting, 0.3, seed)
        assert set(train.labels) == {0, 1}
    outside = Examples.of([[0], [5]], [0, 1])
    with pytest.raises(CorpusError, match="ids must be from 0 to 0"):
        next(train_labels(initial_state(shape, 1, 2), shape, outside, outside))
    assert Examples.of([[], [1, 2], [3]], [0, 1, 0]).values.tolist() == [1, 2, 3]
    with pytest.raises(CorpusError, match="empty"):
        Examples.of([[], []], [0, 1])
    with pytest.raises(CorpusError, match="do not fit"):
        Examples.of([[1]], [0, 1])
