"""The whole network: gradients through layers and output, names, dropout."""

import numpy as np
import pytest

from charrnn import LanguageModel, ModelConfig
from charrnn.nn.loss import softmax_cross_entropy
from charrnn.nn.stack import LayerStates
from tests.gradcheck import assert_gradient, numeric_gradient

V, T, B, H = 5, 4, 3, 4


def random_state(model: LanguageModel, rng: np.random.Generator) -> LayerStates:
    return [
        tuple(rng.standard_normal(part.shape).astype(part.dtype) for part in layer)
        for layer in model.zero_state(B)
    ]


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_gradients_equal_numeric_ones(cell: str, layers: int, drop: float) -> None:
    shape = {"cell": cell, "layers": layers, "hidden_size": H, "dtype": "float64"}
    config = ModelConfig(**shape, dropout=drop, weight_drop=drop)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    model = LanguageModel(config, V).init(rng)
    inputs, targets = rng.integers(V, size=(2, T, B))
    state = random_state(model, rng)

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


def test_dropout_drops_its_share_keeps_the_mean_and_rests_when_not_training() -> None:
    config = ModelConfig(hidden_size=64, dropout=0.25)
    model = LanguageModel(config, V).init(np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(V, size=(50, 20))
    plain, _, cache = model.forward(ids, model.zero_state(20))
    again, _, _ = model.forward(ids, model.zero_state(20))
    np.testing.assert_array_equal(plain, again)
    _, _, dropped = model.forward(ids, model.zero_state(20), dropout_rng=np.random.default_rng(2))
    assert np.mean(dropped.features == 0) == pytest.approx(0.25, abs=0.01)
    kept = dropped.features != 0
    np.testing.assert_allclose(dropped.features[kept], cache.features[kept] / 0.75, rtol=1e-6)


def test_weight_drop_drops_its_share_of_the_recurrent_weights_and_nothing_else() -> None:
    config = ModelConfig(hidden_size=64, weight_drop=0.5)
    model = LanguageModel(config, V).init(np.random.default_rng(0))
    before, ids = model.flat.copy(), np.random.default_rng(1).integers(V, size=(8, 4))
    state = model.zero_state(4)
    _, _, cache = model.forward(ids, state, dropout_rng=np.random.default_rng(2))
    used, whole = cache.stack.params[0], model.layers[0]
    assert np.mean(used["weight_hh"] == 0) == pytest.approx(0.5, abs=0.02)
    kept = used["weight_hh"] != 0
    np.testing.assert_allclose(used["weight_hh"][kept], 2 * whole["weight_hh"][kept], rtol=1e-6)
    assert all(used[name] is whole[name] for name in used if name != "weight_hh")
    # The dropped weights learn nothing, and none of them is lost.
    _, grads, _ = model.loss_and_gradients(ids, ids, state, dropout_rng=np.random.default_rng(2))
    assert not grads["weight_hh_l0"][~kept].any()
    assert grads["weight_hh_l0"][kept].all()
    np.testing.assert_array_equal(model.flat, before)
    plain, _, _ = model.forward(ids, state)
    other = LanguageModel(ModelConfig(hidden_size=64), V, before)
    np.testing.assert_array_equal(plain, other.forward(ids, state)[0])


def test_the_first_output_bias_is_the_frequency_of_the_characters() -> None:
    frequencies = np.array([0.5, 0.3, 0.1, 0.05, 0.05])
    model = LanguageModel(ModelConfig(hidden_size=H), V).init(np.random.default_rng(0), frequencies)
    np.testing.assert_allclose(np.exp(model.params["output.bias"]), frequencies, rtol=1e-6)
