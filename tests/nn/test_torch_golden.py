"""Our arithmetic against golden values from PyTorch (see golden/make_torch_golden.py)."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from charrnn.config import OptimizerConfig
from charrnn.nn.cell import Cell, Params, State
from charrnn.nn.gru import GRUCell
from charrnn.nn.kernels import Array
from charrnn.nn.loss import softmax_cross_entropy
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.recurrent import backpropagate, unroll
from charrnn.nn.rnn import RNNCell
from charrnn.training.optimizers import make_slots, update_parameters
from tests.support import ROOT

GOLDEN = ROOT / "tests" / "golden"

OPTIMIZERS = {
    "sgd": OptimizerConfig(name="sgd"),
    "adagrad": OptimizerConfig(name="adagrad"),
    "rmsprop": OptimizerConfig(name="rmsprop"),
    "adam": OptimizerConfig(name="adam"),
    "adamw": OptimizerConfig(name="adam", weight_decay=0.1),
}
CELLS: dict[str, Cell] = {
    "rnn-tanh": RNNCell("tanh"),
    "rnn-relu": RNNCell("relu"),
    "lstm": LSTMCell(),
    "gru": GRUCell(),
}
every_cell = pytest.mark.parametrize("name", CELLS)
one_and_two_layers = pytest.mark.parametrize("layers", [1, 2])


def load(file: str, *keys: str) -> Any:
    values = json.loads((GOLDEN / file).read_text(encoding="utf-8"))
    for key in keys:
        values = values[key]
    return values


def assert_matches(actual: ArrayLike, expected: ArrayLike) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == np.float64
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def layer_params(case: dict[str, Any], layer: int) -> Params:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {name: np.array(case["weights"][f"{name}_l{layer}"]) for name in names}


def forward(cell: Cell, layers: int, case: dict[str, Any]) -> tuple[Array, list[State], list[Any]]:
    """Run stacked layers; return the outputs of the last, and final state and cache of each."""
    outputs, initial = np.array(case["inputs"]), np.array(case["initial_states"])
    final_states, caches = [], []
    for layer in range(layers):
        state = tuple(initial[:, layer])
        outputs, final_state, cache = unroll(cell, layer_params(case, layer), outputs, state)
        final_states.append(final_state)
        caches.append(cache)
    return outputs, final_states, caches


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_matches_torch_at_every_step(name: str) -> None:
    case = load("optimizers.json", name)
    params = np.array(case["start"])
    config = OPTIMIZERS[name]
    slots = make_slots(config.name, params)
    steps = zip(case["gradients"], case["learning_rates"], case["params_after_step"], strict=True)
    for step, (gradient, rate, expected) in enumerate(steps, 1):
        update_parameters(config, params, np.array(gradient), slots, rate=rate, count=step)
        assert_matches(params, expected)
    assert step == 5


@every_cell
@one_and_two_layers
def test_cell_outputs_and_final_states_match_torch(name: str, layers: int) -> None:
    case = load("cells.json", "cells", f"{name}-{layers}")
    outputs, final_states, _ = forward(CELLS[name], layers, case)
    assert_matches(outputs, case["outputs"])
    # ours: layer by layer; torch's: all h, then all c
    assert_matches(np.stack(final_states, axis=1), case["final_states"])


@every_cell
@one_and_two_layers
def test_cell_gradients_match_torch(name: str, layers: int) -> None:
    cell, case = CELLS[name], load("cells.json", "cells", f"{name}-{layers}")
    _, _, caches = forward(cell, layers, case)
    d_outputs, d_final = np.array(case["d_outputs"]), np.array(case["d_final_states"])
    d_initial = np.full_like(d_final, np.nan)
    compared = set()
    for layer in reversed(range(layers)):
        d_params, d_inputs, d_state = backpropagate(
            cell, layer_params(case, layer), caches[layer], d_outputs, tuple(d_final[:, layer])
        )
        for param, gradient in d_params.items():
            assert_matches(gradient, case["d_weights"][f"{param}_l{layer}"])
            compared.add(f"{param}_l{layer}")
        d_initial[:, layer] = d_state
        assert d_inputs is not None
        d_outputs = d_inputs
    assert compared == case["d_weights"].keys()
    assert_matches(d_outputs, case["d_inputs"])
    assert_matches(d_initial, case["d_initial_states"])


def test_cross_entropy_and_its_gradient_match_torch_even_with_a_huge_logit() -> None:
    case = load("cells.json", "cross_entropy")
    logits = np.array(case["logits"])
    assert logits.max() == 1000
    loss, d_logits = softmax_cross_entropy(logits, np.array(case["targets"]))
    assert_matches(loss, case["loss"])
    assert_matches(d_logits, case["d_logits"])
