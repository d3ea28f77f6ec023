"""Softmax cross-entropy: its value, its gradient and its stability."""

import json

import numpy as np
import pytest

from charrnn.nn.loss import log_softmax, softmax_cross_entropy, target_log_probabilities
from tests.gradcheck import assert_gradient, numeric_gradient
from tests.support import ROOT

T, V, B = 3, 5, 2


def test_gradient_equals_the_numeric_one() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((T, B, V)), rng.integers(V, size=(T, B))
    _, d_logits = softmax_cross_entropy(logits, targets)
    numeric = numeric_gradient(lambda: softmax_cross_entropy(logits, targets)[0], logits)
    assert_gradient("logits", d_logits, numeric)


def test_loss_and_gradient_are_those_of_torch_even_with_a_huge_logit() -> None:
    case = json.loads((ROOT / "tests" / "golden" / "torch.json").read_text())["cross_entropy"]
    logits = np.array(case["logits"])
    assert logits.max() == 1000
    loss, d_logits = softmax_cross_entropy(logits, np.array(case["targets"]))
    assert loss == pytest.approx(case["loss"], rel=1e-10)
    np.testing.assert_allclose(d_logits, case["d_logits"], rtol=1e-10, atol=1e-12)


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
