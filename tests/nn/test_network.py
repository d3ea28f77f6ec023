"""The whole network: gradients through layers, output and loss, names, dropout, new beginnings."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from charrnn import LanguageModel, ModelConfig
from charrnn.nn.network import softmax_cross_entropy
from tests.gradcheck import assert_gradient, numeric_gradient
from tests.support import ROOT

V, T, B, H = 5, 4, 3, 4


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_gradients_equal_numeric_ones(cell: str, layers: int, drop: float) -> None:
    shape = {"cell": cell, "layers": layers, "hidden_size": H, "dtype": "float64"}
    config = ModelConfig(**shape, dropout=drop, weight_drop=drop)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    model = LanguageModel(config, V).init(rng)
    inputs, targets = rng.integers(V, size=(2, T, B))
    state: Any = [tuple(rng.normal(size=part.shape) for part in it) for it in model.zero_state(B)]

    def loss() -> float:
        # the same dropout mask for every evaluation
        masks = np.random.default_rng(0)
        logits, _, _ = model.forward(inputs, state, dropout_rng=masks)
        return softmax_cross_entropy(logits, targets)[0]

    value, grads, _ = model.loss_and_gradients(
        inputs, targets, state, dropout_rng=np.random.default_rng(0)
    )
    assert value == pytest.approx(loss())
    assert grads.keys() == model.params.keys()
    for name, param in model.params.items():
        assert_gradient(name, grads[name], numeric_gradient(loss, param))


def test_loss_and_gradient_are_those_of_torch_even_with_a_huge_logit() -> None:
    case = json.loads((ROOT / "tests" / "golden" / "torch.json").read_text())["cross_entropy"]
    logits, targets = np.array(case["logits"]), np.array(case["targets"])
    assert logits.max() == 1000
    loss, d_logits = softmax_cross_entropy(logits, targets)
    assert loss == pytest.approx(case["loss"], rel=1e-10)
    np.testing.assert_allclose(d_logits, case["d_logits"], rtol=1e-10, atol=1e-12)
    _, single = softmax_cross_entropy(10 * logits.astype(np.float32), targets)
    assert single.dtype == np.float32
    assert np.isfinite(single).all()


def test_dropout_drops_its_share_keeps_the_mean_and_rests_when_not_training() -> None:
    config = ModelConfig(hidden_size=64, dropout=0.25)
    model = LanguageModel(config, V).init(np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(V, size=(50, 20))
    plain, _, (whole,) = model.forward(ids, model.zero_state(20))
    again, _, _ = model.forward(ids, model.zero_state(20))
    np.testing.assert_array_equal(plain, again)
    _, _, (found,) = model.forward(ids, model.zero_state(20), dropout_rng=np.random.default_rng(2))
    assert np.mean(found.outputs == 0) == pytest.approx(0.25, abs=0.01)
    kept = found.outputs != 0
    np.testing.assert_allclose(found.outputs[kept], whole.outputs[kept] / 0.75, rtol=1e-6)


def test_weight_drop_drops_its_share_of_the_recurrent_weights_and_nothing_else() -> None:
    config = ModelConfig(hidden_size=64, weight_drop=0.5)
    model = LanguageModel(config, V).init(np.random.default_rng(0))
    before, ids = model.flat.copy(), np.random.default_rng(1).integers(V, size=(8, 4))
    _, _, cache = model.forward(ids, model.zero_state(4), dropout_rng=np.random.default_rng(2))
    used, whole = cache[0].params, model.layers[0]
    assert np.mean(used["weight_hh"] == 0) == pytest.approx(0.5, abs=0.02)
    kept = used["weight_hh"] != 0
    np.testing.assert_allclose(used["weight_hh"][kept], 2 * whole["weight_hh"][kept], rtol=1e-6)
    assert all(used[name] is whole[name] for name in used if name != "weight_hh")
    np.testing.assert_array_equal(model.flat, before)


def test_the_first_output_bias_is_the_frequency_of_the_characters_and_forget_gates_are_open() -> (
    None
):
    frequencies = np.array([0.5, 0.3, 0.1, 0.05, 0.05])
    model = LanguageModel(ModelConfig(hidden_size=H), V).init(np.random.default_rng(0), frequencies)
    np.testing.assert_allclose(np.exp(model.params["output.bias"]), frequencies, rtol=1e-6)
    bias = model.layers[0]["bias_ih"] + model.layers[0]["bias_hh"]
    assert ((bias == 1) == (np.arange(4 * H) // H == 1)).all()


# Rows of steps; True where something new begins. The first row goes on from the state before it.
STARTS = np.array([[0, 0, 0, 1, 0, 0, 1], [1, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], bool).T


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_samples_end_to_end_in_a_row_have_the_gradients_of_the_samples_alone(
    cell: str, layers: int
) -> None:
    config = ModelConfig(cell=cell, layers=layers, hidden_size=6, dtype="float64")
    model = LanguageModel(config, V).init(np.random.default_rng(1))
    rng = np.random.default_rng(2)
    inputs, targets = rng.integers(V, size=(2, *STARTS.shape))
    state: Any = [tuple(rng.normal(size=part.shape) for part in run) for run in model.zero_state(3)]
    loss, grads, final = model.loss_and_gradients(inputs, targets, state, starts=STARTS)
    total, sums = 0.0, {name: np.zeros_like(grad) for name, grad in grads.items()}
    for row in range(3):
        edges = [0, *np.flatnonzero(STARTS[1:, row]) + 1, len(STARTS)]
        alone: Any = [tuple(part[[row]] for part in run) for run in state]
        for first, end in pairwise(edges):
            if STARTS[first, row]:
                alone = model.zero_state(1)
            part, part_grads, alone = model.loss_and_gradients(
                inputs[first:end, [row]], targets[first:end, [row]], alone, count=inputs.size
            )
            total += part
            for name, grad in part_grads.items():
                sums[name] += grad
        for ours, theirs in zip(final, alone, strict=True):
            for our, their in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(our[[row]], their, atol=1e-12)
    assert loss == pytest.approx(total)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, sums[name], atol=1e-12, err_msg=name)
