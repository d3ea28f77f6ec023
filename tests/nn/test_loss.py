"""Softmax cross-entropy: its value, its gradient and its stability."""

import numpy as np
import pytest

from charrnn.nn.loss import log_softmax, softmax_cross_entropy, target_log_probabilities
from tests.gradcheck import assert_gradient, numeric_gradient

T, V, B = 3, 5, 2


def test_gradient_equals_the_numeric_one() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((T, B, V)), rng.integers(V, size=(T, B))
    _, d_logits = softmax_cross_entropy(logits, targets)
    numeric = numeric_gradient(lambda: softmax_cross_entropy(logits, targets)[0], logits)
    assert_gradient("logits", d_logits, numeric)


def test_uniform_logits_cost_the_log_of_the_vocabulary() -> None:
    loss, _ = softmax_cross_entropy(np.zeros((T, B, V)), np.zeros((T, B), np.uint8))
    assert loss == pytest.approx(np.log(V))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_give_finite_numbers(dtype: str) -> None:
    logits = np.zeros((1, 1, V), dtype)
    logits[0, 0, 0] = 1e4
    for target, expected in ((0, 0.0), (1, 1e4)):
        loss, d_logits = softmax_cross_entropy(logits, np.array([[target]]))
        assert loss == pytest.approx(expected)
        assert np.isfinite(d_logits).all()
        assert d_logits.dtype == dtype


def test_log_probabilities_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    logits, targets = rng.standard_normal((T, B, V)), rng.integers(V, size=(T, B))
    log_p = target_log_probabilities(logits, targets)
    assert log_p.shape == (T, B)
    assert -log_p.mean() == pytest.approx(softmax_cross_entropy(logits, targets)[0])
    np.testing.assert_allclose(np.exp(log_softmax(logits)).sum(axis=-1), 1)
