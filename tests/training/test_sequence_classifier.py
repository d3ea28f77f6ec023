"""The sequence classifier: gradients, the seeds' task, unequal lengths, and what it refuses."""

import copy
from typing import Any

import numpy as np
import pytest

from charrnn import ConfigError, CorpusError, SequenceClassifier, TrainingError
from tests.gradcheck import assert_gradient, numeric_gradient

RNG = np.random.default_rng
UNEQUAL = [5, 1, 3, 2, 4, 1]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("classes", "ids"), [(2, False), (3, True)])
def test_gradients_equal_numeric_ones(cell: Any, classes: int, ids: bool) -> None:
    rng, y = RNG(3), np.arange(6) % classes
    X = [rng.integers(3, size=n) if ids else rng.standard_normal((n, 3)) for n in UNEQUAL]
    model = SequenceClassifier(
        cell, hidden_size=4, layers=2, epochs=1, dtype="float64", random_state=1
    ).fit(X, y)
    loss, grads = model._loss_and_gradients(X, y)
    picked = model.predict_proba(X)[np.arange(6), y]
    assert loss == pytest.approx(-np.log(picked).mean())
    assert grads.keys() == model.params_.keys()
    for name, param in model.params_.items():
        numeric = numeric_gradient(lambda: model._loss_and_gradients(X, y)[0], param)
        assert_gradient(name, grads[name], numeric)


def sums(count: int, seed: int) -> tuple[Any, Any]:
    """Return the seeds' task: ten standard normals each, and whether their sum is positive."""
    values = RNG(seed).standard_normal((count, 10, 1))
    return values, np.where(values.sum(axis=(1, 2)) > 0, "positive", "negative")


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "rnn", "nonlinearity": "relu", "learning_rate": 0.03, "batch_size": 64},
        {"cell": "lstm", "batch_size": 16},
    ],
)
def test_the_seeds_task_is_learned_in_ten_epochs(settings: dict[str, Any]) -> None:
    model = SequenceClassifier(**settings, random_state=0).fit(*sums(1000, 0))
    assert len(model.loss_curve_) == 10
    assert model.classes_.tolist() == ["negative", "positive"]
    unseen, expected = sums(1000, 1)
    assert np.mean(model.predict(unseen) == expected) >= 0.98
    twin = SequenceClassifier(**settings, random_state=0).fit(*sums(1000, 0))
    for same in (twin, copy.deepcopy(model)):
        np.testing.assert_array_equal(same.predict_proba(unseen), model.predict_proba(unseen))


def test_a_sequence_gets_the_same_probability_in_any_company() -> None:
    X = [RNG(n).standard_normal((1 + n % 7 * 9, 2)) for n in range(600)]
    model = SequenceClassifier(epochs=1, random_state=0).fit(X, np.arange(600) % 3)
    together = model.predict_proba(X)
    for number in (0, 1, 255, 256, 599):
        alone = model.predict_proba([X[number]])[0]
        np.testing.assert_allclose(alone, together[number], atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([], [], "none of them empty"),
        ([[1], []], [0, 1], "none of them empty"),
        ([np.ones((2, 1)), np.ones((2, 2))], [0, 1], "of one width"),
        ([[1.0], [np.nan]], [0, 1], "all finite"),
        ([[1], [2]], [0, 0], "two classes"),
        ([[1], [2]], [0, 1, 1], "a label for each"),
    ],
)
def test_what_cannot_be_learned_is_refused(X: Any, y: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        SequenceClassifier().fit(X, y)


def test_what_was_not_learned_and_settings_out_of_range_are_refused() -> None:
    model = SequenceClassifier(epochs=1).fit([[0], [1]], [0, 1])
    with pytest.raises(CorpusError, match="do not mix"):
        model.predict([[0.5]])
    with pytest.raises(ConfigError, match="ids must be from 0 to 1"):
        model.predict([[2]])
    with pytest.raises(ConfigError, match="has learned nothing yet"):
        SequenceClassifier().predict([[0]])
    wrong: tuple[dict[str, Any], ...] = (
        {"cell": "x"}, {"hidden_size": 0}, {"learning_rate": 0}, {"epochs": 0}, {"batch_size": 0},
        {"batch_size": -1},
    )  # fmt: skip
    for settings in wrong:
        with pytest.raises(ConfigError):
            SequenceClassifier(**settings).fit([[0], [1]], [0, 1])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_ends_the_fit() -> None:
    settings: Any = {"nonlinearity": "relu", "optimizer": "sgd", "learning_rate": 1e30}
    with pytest.raises(TrainingError, match="not finite"):
        SequenceClassifier("rnn", clip_norm=None, **settings).fit(*sums(100, 0))
