"""An ensemble in one network: its members stay apart, and their mean is an ordinary network."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from charrnn import ConfigError, LanguageModel, ModelConfig
from charrnn.config import CELLS
from charrnn.nn.decoder import Decoder
from charrnn.nn.ensemble import expanded, narrowed, narrowed_flat, separate_members
from charrnn.nn.loss import softmax_cross_entropy
from tests.gradcheck import assert_gradient, numeric_gradient

VOCABULARY, MEMBERS, HIDDEN, STEPS, SAMPLES = 5, 4, 8, 6, 3


def ensemble(**settings: Any) -> LanguageModel:
    config = ModelConfig(**{"hidden_size": HIDDEN, "members": MEMBERS, **settings}, dtype="float64")
    return LanguageModel(config, VOCABULARY).init(np.random.default_rng(1))


def batch() -> Any:
    rng = np.random.default_rng(2)
    return rng.integers(VOCABULARY, size=(2, STEPS, SAMPLES))


def member(whole: LanguageModel, number: int) -> LanguageModel:
    """Return one member as a network of its own, cut out of the whole."""
    size = HIDDEN // MEMBERS
    units = np.arange(number * size, (number + 1) * size)
    rows = (np.arange(whole.cell.gates)[:, None] * HIDDEN + units).ravel()
    alone = LanguageModel(replace(whole.config, hidden_size=size, members=1), VOCABULARY)
    for name, values in whole.params.items():
        cut = values
        if name.startswith(("weight", "bias")):
            cut = cut[rows]  # whose columns are those of the member alone
        if name == "output.weight":
            cut = cut[:, units]
        alone.params[name][...] = cut
    return alone


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_are_those_of_numeric_differences(cell: str, layers: int) -> None:
    model = ensemble(cell=cell, layers=layers, dropout=0.3, weight_drop=0.3)
    inputs, targets = batch()

    def loss() -> float:
        rng, state = np.random.default_rng(3), model.zero_state(SAMPLES)
        return model.loss_and_gradients(inputs, targets, state, dropout_rng=rng)[0]

    rng = np.random.default_rng(3)
    _, grads, _ = model.loss_and_gradients(
        inputs, targets, model.zero_state(SAMPLES), dropout_rng=rng
    )
    for name, param in model.params.items():
        assert_gradient(name, grads[name], numeric_gradient(loss, param))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_prediction_is_the_mean_of_the_members_logits(cell: str, layers: int) -> None:
    model = ensemble(cell=cell, layers=layers)
    inputs, _ = batch()
    alone = [
        one.forward(inputs, one.zero_state(SAMPLES))[0]
        for one in (member(model, number) for number in range(MEMBERS))
    ]
    assert not np.allclose(alone[0], alone[1])
    together, _, _ = model.forward(inputs, model.zero_state(SAMPLES))
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_loss_is_the_mean_of_what_the_members_reach_alone(layers: int) -> None:
    model = ensemble(layers=layers)
    inputs, targets = batch()
    alone = [
        one.loss_and_gradients(inputs, targets, one.zero_state(SAMPLES))[0]
        for one in (member(model, number) for number in range(MEMBERS))
    ]
    loss, grads, _ = model.loss_and_gradients(inputs, targets, model.zero_state(SAMPLES))
    assert loss == pytest.approx(np.mean(alone))
    _, own, _ = member(model, 1).loss_and_gradients(
        inputs, targets, member(model, 1).zero_state(SAMPLES)
    )
    units = slice(HIDDEN // MEMBERS, 2 * HIDDEN // MEMBERS)
    np.testing.assert_allclose(grads["output.weight"][:, units] * MEMBERS, own["output.weight"])


def test_the_merged_network_needs_no_members() -> None:
    model = ensemble()
    plain = LanguageModel(replace(model.config, members=1), VOCABULARY)
    plain.set_merged(model.merged_params())
    inputs, _ = batch()
    ours, theirs = (net.forward(inputs, net.zero_state(SAMPLES))[0] for net in (model, plain))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    again = ensemble().set_merged(plain.params)
    np.testing.assert_array_equal(again.flat, model.flat)


@pytest.mark.parametrize("layers", [1, 2])
def test_what_is_stored_is_what_is_within_a_member(layers: int) -> None:
    model = ensemble(layers=layers)
    whole = expanded(model.params, MEMBERS)
    owner = np.arange(HIDDEN) * MEMBERS // HIDDEN
    for name in ["weight_hh_l0", "weight_hh_l1", "weight_ih_l1"][: 2 * layers - 1]:
        gates = whole[name].reshape(-1, HIDDEN, HIDDEN)
        np.testing.assert_array_equal(gates != 0, [owner[:, None] == owner] * len(gates))
    for name, values in narrowed(whole, MEMBERS).items():
        np.testing.assert_array_equal(values, model.params[name])
    flat = np.concatenate([values.ravel() for values in whole.values()])
    shapes = {name: values.shape for name, values in whole.items()}
    np.testing.assert_array_equal(narrowed_flat(flat, shapes, MEMBERS), model.flat)
    assert separate_members(whole, MEMBERS) == MEMBERS
    whole["weight_hh_l0"][0, -1] = 1e-6
    assert separate_members(whole, MEMBERS) == 1


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("count", [1, 5, 9])
def test_step_by_step_is_the_same(cell: str, layers: int, count: int) -> None:
    model = ensemble(cell=cell, layers=layers, hidden_size=32)
    ids = np.random.default_rng(4).integers(VOCABULARY, size=(STEPS, count))
    expected, _, _ = model.forward(ids, model.zero_state(count))
    decoder = Decoder(model, count)
    decoder.start(model.zero_state(count))
    for step, row in enumerate(ids):
        np.testing.assert_allclose(decoder.feed(row), expected[step], atol=1e-12)


def test_the_gradient_of_the_mean_is_right_too() -> None:
    model = ensemble()
    inputs, targets = batch()

    def loss() -> float:
        logits, _, _ = model.forward(inputs, model.zero_state(SAMPLES))
        return softmax_cross_entropy(logits, targets)[0]

    logits, _, cache = model.forward(inputs, model.zero_state(SAMPLES))
    grads = model.backward(cache, softmax_cross_entropy(logits, targets)[1])
    for name in ("output.weight", "weight_ih_l0"):
        assert_gradient(name, grads[name], numeric_gradient(loss, model.params[name]))


@pytest.mark.parametrize(("units", "members"), [(8, 3), (10, 4), (8, 0)])
def test_members_that_do_not_divide_the_units_are_refused(units: int, members: int) -> None:
    with pytest.raises(ConfigError, match="member"):
        ModelConfig(hidden_size=units, members=members)
