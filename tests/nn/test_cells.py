"""One suite over every cell: gradients, splits, extremes."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.nn.cell import Cell, Params, State, draw_weights
from charrnn.nn.gru import GRUCell
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.network import CELLS as NAMED_CELLS
from charrnn.nn.recurrent import backpropagate, unroll
from charrnn.nn.rnn import RNNCell
from tests.gradcheck import assert_gradient, numeric_gradient
from tests.oracle import lstm_step

T, B, I, H = 5, 3, 4, 6
Array = NDArray[np.floating[Any]]

CELLS: dict[str, Cell] = {
    "rnn-relu": RNNCell("relu"),
    "lstm-peephole": LSTMCell(peephole=True),
    **{name: kind() for name, kind in NAMED_CELLS.items()},
}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
every_input = pytest.mark.parametrize("dense", [False, True], ids=["ids", "dense"])


class Case(NamedTuple):
    """A cell's arguments, all random and none of them zero."""

    params: Params
    inputs: NDArray[Any]
    state: State
    d_outputs: Array
    d_state: State


def make_case(
    cell: Cell, dense: bool, dtype: str = "float64", sizes: tuple[int, ...] = (T, B, I, H)
) -> Case:
    T, B, I, H = sizes
    rng = np.random.default_rng(7)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    params = {name: np.empty(shape, dtype) for name, shape in cell.param_shapes(I, H).items()}
    draw_weights(params, H, rng)
    params["bias_hh"] += normal(cell.gates * H)
    inputs = normal(T, B, I) if dense else rng.integers(I, size=(T, B)).astype(np.uint8)
    state = tuple(normal(B, H) for _ in cell.state_names)
    d_state = tuple(normal(B, H) for _ in cell.state_names)
    return Case(params, inputs, state, normal(T, B, H), d_state)


def objective(cell: Cell, case: Case) -> float:
    """Return a scalar whose gradients by outputs and final state are d_outputs and d_state."""
    outputs, final, _ = unroll(cell, case.params, case.inputs, case.state)
    return float(
        np.vdot(outputs, case.d_outputs)
        + sum(np.vdot(a, d) for a, d in zip(final, case.d_state, strict=True))
    )


@every_input
@every_cell
def test_gradients_equal_numeric_ones(cell: Cell, dense: bool) -> None:
    case = make_case(cell, dense)
    _, _, cache = unroll(cell, case.params, case.inputs, case.state)
    grads: Params = {name: np.full_like(p, np.nan) for name, p in case.params.items()}
    d_inputs, d_state = backpropagate(cell, case.params, cache, case.d_outputs, case.d_state, grads)
    for name, param in case.params.items():
        assert_gradient(name, grads[name], numeric_gradient(lambda: objective(cell, case), param))
    for name, initial, d_initial in zip(cell.state_names, case.state, d_state, strict=True):
        numeric = numeric_gradient(lambda: objective(cell, case), initial)
        assert_gradient(f"initial {name}", d_initial, numeric)
    if dense:
        assert d_inputs is not None
        numeric = numeric_gradient(lambda: objective(cell, case), case.inputs)
        assert_gradient("inputs", d_inputs, numeric)
    else:
        assert d_inputs is None


@every_input
@every_cell
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_split_sequence_equals_the_whole_exactly(cell: Cell, dense: bool, dtype: str) -> None:
    case = make_case(cell, dense, dtype)
    whole, final, _ = unroll(cell, case.params, case.inputs, case.state)
    state, parts = case.state, []
    for piece in (case.inputs[:2], case.inputs[2:3], case.inputs[3:]):
        outputs, state, _ = unroll(cell, case.params, piece, state)
        parts.append(outputs)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for ours, expected in zip(state, final, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_the_output_gate_of_a_peephole_sees_the_new_cell_state() -> None:
    # What PyTorch does not have; other cells are judged by its numbers.
    cell = LSTMCell(peephole=True)
    case = make_case(cell, dense=True)
    outputs, final, _ = unroll(cell, case.params, case.inputs, case.state)
    for sample in range(B):
        state = tuple(part[sample] for part in case.state)
        for t in range(T):
            state = lstm_step(case.params, case.inputs[t, sample], state)
            np.testing.assert_allclose(outputs[t, sample], state[0], atol=1e-13)
        np.testing.assert_allclose(final[1][sample], state[1], atol=1e-13)


@every_cell
def test_extreme_inputs_stay_finite(cell: Cell) -> None:
    case = make_case(cell, dense=True, dtype="float32")
    if cell == RNNCell("relu"):
        pytest.skip("relu has no bound")
    outputs, _, cache = unroll(cell, case.params, case.inputs * 1e6, case.state)
    grads: Params = {name: np.full_like(p, np.nan) for name, p in case.params.items()}
    backpropagate(cell, case.params, cache, case.d_outputs, case.d_state, grads)
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(grad).all() for grad in grads.values())


@every_input
@pytest.mark.parametrize("cell", [RNNCell("tanh"), LSTMCell(), GRUCell()])
def test_gradients_along_a_random_direction_where_products_are_blocked(
    cell: Cell, dense: bool
) -> None:
    case, rng = make_case(cell, dense, sizes=(4, 20, 200, 256)), np.random.default_rng(1)
    _, _, cache = unroll(cell, case.params, case.inputs, case.state)
    grads: Params = {name: np.full_like(p, np.nan) for name, p in case.params.items()}
    _, d_state = backpropagate(cell, case.params, cache, case.d_outputs, case.d_state, grads)
    step = {name: 1e-5 * rng.standard_normal(p.shape) for name, p in case.params.items()}
    shift = [1e-5 * rng.standard_normal(part.shape) for part in case.state]

    def moved(sign: int) -> Case:
        params: Params = {name: p + sign * step[name] for name, p in case.params.items()}
        state = tuple(part + sign * by for part, by in zip(case.state, shift, strict=True))
        return case._replace(params=params, state=state)

    expected = sum(float(np.vdot(grads[name], step[name])) for name in step)
    expected += sum(float(np.vdot(d, by)) for d, by in zip(d_state, shift, strict=True))
    found = objective(cell, moved(1)) - objective(cell, moved(-1))
    assert found / 2 == pytest.approx(expected, rel=1e-5)
