"""RNN, LSTM and GRU keep the contract of torch.nn, in numbers, names and shapes."""

import copy
from typing import Any

import numpy as np
import pytest

from charrnn import GRU, LSTM, RNN, ConfigError
from tests.gradcheck import assert_gradient, numeric_gradient
from tests.support import ROOT
from tests.torch_layers import KINDS, RECORDED, by_charrnn

GOLDEN = np.load(ROOT / "tests" / "golden" / "layers.npz")
LAYERS: dict[str, Any] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
every_layer = pytest.mark.parametrize("name", LAYERS)

T, B, I, H = 5, 3, 4, 6


def pair(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("kind", KINDS)
def test_all_numbers_are_those_recorded_from_torch(kind: str) -> None:
    for number, case in enumerate(RECORDED):
        if case.kind != kind:
            continue
        results, recorded, at = by_charrnn(case), GOLDEN[str(number)], 0
        for name in sorted(results):
            expected = recorded[at : at + results[name].size].reshape(results[name].shape)
            np.testing.assert_allclose(
                results[name], expected, rtol=0, atol=1e-10, err_msg=f"{name} of {case}"
            )
            at += expected.size
        assert at == recorded.size


def test_names_and_their_order_are_those_of_torch() -> None:
    layer = GRU(I, H, 2, bidirectional=True)
    assert list(layer.params)[:5] == [
        *("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
        "weight_ih_l0_reverse",
    ]
    assert layer.params["weight_ih_l1_reverse"].shape == (3 * H, 2 * H)
    assert not any("bias" in name for name in LSTM(I, H, bias=False).params)
    assert LSTM(I, H, peephole=True).params["weight_co_l0"].shape == (H, H)


@every_layer
def test_initial_weights_fill_the_bound_of_torch(name: str) -> None:
    layer = LAYERS[name](100, 64, rng=np.random.default_rng(0))
    assert 0.99 / 8 < np.abs(layer.flat).max() <= 1 / 8
    for values in layer.params.values():
        assert abs(values.mean()) < 0.03
        assert values.std() == pytest.approx(1 / 8 / np.sqrt(3), rel=0.1)


@every_layer
def test_batch_first_swaps_the_axes_of_inputs_and_output_and_not_of_the_state(name: str) -> None:
    steps, rng = np.random.default_rng(1).standard_normal((T, B, I)), np.random.default_rng
    layer, swapped = (
        LAYERS[name](I, H, 2, batch_first=first, rng=rng(0)) for first in (False, True)
    )
    output, final, cache = layer.forward(steps)
    other, other_final, other_cache = swapped.forward(steps.transpose(1, 0, 2))
    d_output = rng(2).standard_normal((T, B, H))
    d_inputs = layer.backward(cache, d_output)[1]
    d_other = swapped.backward(other_cache, d_output.transpose(1, 0, 2))[1]
    pairs = zip((other, d_other), (output, d_inputs), strict=True)
    for ours, expected in pairs:
        np.testing.assert_array_equal(ours.transpose(1, 0, 2), expected)
    for ours, expected in zip(pair(other_final), pair(final), strict=True):
        np.testing.assert_array_equal(ours, expected)


@every_layer
def test_a_single_sample_is_a_batch_of_one(name: str) -> None:
    layer = LAYERS[name](I, H, 2, bidirectional=True, batch_first=True)
    steps = np.random.default_rng(1).standard_normal((T, I)).astype(np.float32)
    output, final, cache = layer.forward(steps)
    batch, batch_final, _ = layer.forward(steps[None])
    assert output.shape == (T, 2 * H)
    np.testing.assert_array_equal(output, batch[0])
    for ours, expected in zip(pair(final), pair(batch_final), strict=True):
        assert ours.shape == (4, H)
        np.testing.assert_array_equal(ours, expected[:, 0])
    _, d_inputs, d_initial = layer.backward(cache, np.ones_like(output), final)
    assert d_inputs.shape == steps.shape
    assert pair(d_initial)[0].shape == (4, H)


@every_layer
def test_a_caller_may_change_what_it_gave_and_got_and_copy_a_layer(name: str) -> None:
    layer = LAYERS[name](I, H, dtype="float64")
    twin = copy.deepcopy(layer)
    inputs = np.random.default_rng(0).standard_normal((T, B, I))
    output, final, cache = layer.forward(inputs)
    given = [inputs, d_output := np.ones_like(output), *pair(final)]
    copies = [array.copy() for array in given]
    expected, _, _ = layer.backward(layer.forward(inputs)[2], d_output, final)
    for array, kept in zip(given, copies, strict=True):
        np.testing.assert_array_equal(array, kept)
    output *= 0
    inputs *= 0
    grads, _, _ = layer.backward(cache, d_output, final)
    for key, grad in grads.items():
        np.testing.assert_array_equal(grad, expected[key])
    twin.flat[...] = 0
    assert not twin(np.ones((T, B, I)))[0].any()
    with pytest.raises(ConfigError, match="used up"):
        layer.backward(cache, np.ones_like(output))
    for shape in ((T + 1, B, H), (T, B + 1, H), (T, H)):
        with pytest.raises(ConfigError, match="d_output must have the shape"):
            layer.backward(layer.forward(inputs)[2], np.ones(shape))


def test_dropout_between_layers_reaches_the_gradients() -> None:
    layer = GRU(I, 3, 2, dropout=0.5, bidirectional=True, dtype="float64")
    inputs = np.random.default_rng(0).standard_normal((T, B, I))
    d_output = np.random.default_rng(1).standard_normal((T, B, 6))

    def objective() -> float:
        output, _, _ = layer.forward(inputs, rng=np.random.default_rng(2))
        return float(np.vdot(output, d_output))

    _, _, cache = layer.forward(inputs, rng=np.random.default_rng(2))
    grads, d_inputs, _ = layer.backward(cache, d_output)
    for key, param in layer.params.items():
        assert_gradient(key, grads[key], numeric_gradient(objective, param))
    assert d_inputs is not None
    assert_gradient("inputs", d_inputs, numeric_gradient(objective, inputs))
    without, _, _ = layer.forward(inputs)
    assert np.abs(without - layer.forward(inputs, rng=np.random.default_rng(2))[0]).max() > 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RNN(0, 3), "must be 1 or more"),
        (lambda: LSTM(3, 3, dropout=1.0), "dropout must be"),
        (lambda: RNN(3, 3, nonlinearity="gelu"), "nonlinearity"),  # type: ignore[arg-type]
        (lambda: GRU(3, 3, dtype="int8"), "dtype"),  # type: ignore[arg-type]
        (lambda: GRU(3, 3)(np.zeros((2, 2, 4))), "3 features"),
        (lambda: GRU(3, 3)(np.zeros((0, 2, 3))), "at least 1 of each"),
        (lambda: GRU(3, 3)(np.array([[3]])), "ids must be from 0 to 2"),
        (lambda: GRU(3, 3)(np.zeros((2, 2, 3)), np.zeros((1, 3, 3))), "state"),
        (lambda: LSTM(3, 3)(np.zeros((2, 2, 3)), np.zeros((1, 2, 3))), "h and c"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()
