"""The sequence classifier: gradients, the seeds' task, unequal lengths, and scikit-learn."""

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
    loss, grads = model.loss_and_gradients(X, y)
    picked = model.predict_proba(X)[np.arange(6), y]
    assert loss == pytest.approx(-np.log(picked).mean())
    assert grads.keys() == model.params_.keys()
    for name, param in model.params_.items():
        numeric = numeric_gradient(lambda: model.loss_and_gradients(X, y)[0], param)
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
    assert model.score(*sums(1000, 1)) >= 0.98


def test_a_sequence_gets_the_same_probability_in_any_company() -> None:
    X = [RNG(n).standard_normal((1 + n % 7 * 9, 2)) for n in range(600)]
    model = SequenceClassifier(epochs=1, random_state=0).fit(X, np.arange(600) % 3)
    together = model.predict_proba(X)
    for number in (0, 1, 255, 256, 599):
        alone = model.predict_proba([X[number]])[0]
        np.testing.assert_allclose(alone, together[number], atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=-1), 1, rtol=1e-6)


def test_the_same_random_state_gives_the_same_weights_and_a_copy_predicts_the_same() -> None:
    X, y = sums(50, 0)
    one, other = (SequenceClassifier(epochs=1, random_state=5).fit(X, y) for _ in range(2))
    for name, param in one.params_.items():
        np.testing.assert_array_equal(param, other.params_[name])
    np.testing.assert_array_equal(copy.deepcopy(one).predict_proba(X), one.predict_proba(X))
    another = SequenceClassifier(epochs=1, random_state=6).fit(X, y)
    assert not np.array_equal(another.predict_proba(X), one.predict_proba(X))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([], [], "no sequences"),
        ([[1], []], [0, 1], "sequence 1 is empty"),
        ([np.ones((2, 1)), np.ones((2, 2))], [0, 1], "sequence 1 is empty, or of another width"),
        ([[1.0], [np.nan]], [0, 1], "sequence 1 has values that are not finite"),
        ([[1], [2]], [0, 0], "two classes"),
        ([[1], [2]], [0, 1, 1], "2 sequences"),
    ],
)
def test_what_cannot_be_learned_is_refused(X: Any, y: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        SequenceClassifier().fit(X, y)


def test_what_was_not_learned_and_settings_out_of_range_are_refused() -> None:
    with pytest.raises(CorpusError, match="learned nothing"):
        SequenceClassifier().predict([[1]])
    model = SequenceClassifier(epochs=1).fit([[0], [1]], [0, 1])
    with pytest.raises(CorpusError, match="do not mix"):
        model.predict([[0.5]])
    with pytest.raises(ConfigError, match="ids must be from 0 to 1"):
        model.predict([[2]])
    with pytest.raises(ConfigError, match="unknown parameter sise"):
        model.set_params(sise=3)
    wrong: tuple[dict[str, Any], ...] = (
        {"epochs": 0}, {"batch_size": 0}, {"cell": "x"}, {"hidden_size": 0}, {"learning_rate": 0},
    )  # fmt: skip
    for settings in wrong:
        with pytest.raises(ConfigError):
            SequenceClassifier(**settings).fit([[0], [1]], [0, 1])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_ends_the_fit() -> None:
    model = SequenceClassifier("rnn", nonlinearity="relu", optimizer="sgd", clip_norm=None)
    with pytest.raises(TrainingError, match="not finite"):
        model.set_params(learning_rate=1e30).fit(*sums(100, 0))


def test_scikit_learn_clones_it_and_validates_it_across_folds() -> None:
    base = pytest.importorskip("sklearn.base", reason="an extra: pip install '.[test]'")
    selection = pytest.importorskip("sklearn.model_selection")
    model = SequenceClassifier("lstm", random_state=0)
    twin = base.clone(model)
    assert twin is not model
    assert twin.get_params() == model.get_params()
    X, y = sums(300, 0)
    # sorted by class: only folds that are drawn from each class can be learned
    order = np.argsort(y)
    scores = selection.cross_val_score(twin, [X[at] for at in order], y[order], cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.8
