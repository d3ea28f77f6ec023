"""Update rules, clipping and schedules."""

import json

import numpy as np
import pytest

from charrnn import OptimizerConfig
from charrnn.training import optimizers
from charrnn.training.optimizers import (
    OPTIMIZERS,
    learning_rate,
    make_slots,
    schedule,
    update_parameters,
)
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


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_decaying_schedules_fall_from_one_to_zero(name: str) -> None:
    factors = [schedule(name, progress) for progress in np.linspace(0, 1, 50)]  # type: ignore[arg-type]
    assert factors[0] == 1
    assert factors[-1] == pytest.approx(0)
    assert factors == sorted(factors, reverse=True)
    assert schedule(name, 0.5) == pytest.approx(0.5)  # type: ignore[arg-type]


def test_the_warm_up_rises_to_the_peak_and_takes_a_tenth_of_a_run_at_most() -> None:
    config = OptimizerConfig(learning_rate=1.0, schedule="constant", warmup=100)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.01)
    assert learning_rate(config, 49, 0.0) == pytest.approx(0.5)
    assert learning_rate(config, 99, 0.0) == 1
    assert learning_rate(config, 5, 0.1) == 1
    assert learning_rate(OptimizerConfig(learning_rate=1.0, warmup=0), 0, 0.0) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimizer_descends_a_bowl_in_place(name: str, dtype: str) -> None:
    params = np.array([3.0, -2.0], dtype)
    config = OptimizerConfig(name=name)
    slots = make_slots(name, params)
    for step in range(1, 2001):
        update_parameters(config, params, 2 * params, slots, rate=0.05, count=step)
    assert np.abs(params).max() < 0.3
    assert params.dtype == dtype
    assert all(slot.dtype == dtype for slot in slots.values())
