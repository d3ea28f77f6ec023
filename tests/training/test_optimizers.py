"""Update rules, and the learning rate."""

import json

import numpy as np
import pytest

from charrnn import OptimizerConfig
from charrnn.training import optimizers
from charrnn.training.optimizers import OPTIMIZERS, learning_rate, make_slots, update_parameters
from tests.support import ROOT

GOLDEN = json.loads((ROOT / "tests" / "golden" / "torch.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("piece", [3, 1 << 15])
def test_every_step_is_that_of_torch_in_pieces_of_any_size(
    name: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizers, "PIECE", piece)
    case, decay = GOLDEN[name], 0.1 if name == "adamw" else 0.0
    config = OptimizerConfig(name=name.removesuffix("w"), weight_decay=decay)
    params = np.array(case["start"])
    slots = make_slots(config.name, params)
    steps = zip(case["gradients"], case["learning_rates"], case["params_after_step"], strict=True)
    for step, (gradient, rate, expected) in enumerate(steps, 1):
        update_parameters(config, params, np.array(gradient), slots, rate=rate, count=step)
        np.testing.assert_allclose(params, expected, rtol=1e-10, atol=1e-12)
    assert step == 5


def test_the_rate_rises_to_its_peak_in_a_tenth_of_a_run_at_most_and_falls_to_zero() -> None:
    config = OptimizerConfig(learning_rate=1.0, schedule="constant", warmup=100)
    rates = [learning_rate(config, *at) for at in ((0, 0.0), (49, 0.0), (99, 0.0), (5, 0.1))]
    assert rates == pytest.approx([0.01, 0.5, 1, 1])
    for schedule in ("cosine", "linear"):
        config = OptimizerConfig(learning_rate=1.0, schedule=schedule, warmup=0)
        rates = [learning_rate(config, 0, done) for done in np.linspace(0, 1, 51)]
        assert rates == sorted(rates, reverse=True)
        assert (rates[0], rates[25], rates[-1]) == pytest.approx((1, 0.5, 0))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_descends_a_bowl_in_place(name: str) -> None:
    params = np.array([3.0, -2.0], np.float32)
    config, slots = OptimizerConfig(name=name), make_slots(name, params)
    for step in range(1, 2001):
        update_parameters(config, params, 2 * params, slots, rate=0.05, count=step)
    assert np.abs(params).max() < 0.3
    assert all(array.dtype == np.float32 for array in (params, *slots.values()))
