"""Where a sample starts anew in a row, nothing that stands before it has a say."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from charrnn import LanguageModel, ModelConfig

# Rows of steps; True where something new begins. The first row goes on from the state before it.
STARTS = np.array([[0, 0, 0, 1, 0, 0, 1], [1, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], bool).T
VOCABULARY = 4


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_samples_end_to_end_in_a_row_have_the_gradients_of_the_samples_alone(
    cell: str, layers: int
) -> None:
    config = ModelConfig(cell=cell, layers=layers, hidden_size=6, dtype="float64")
    model = LanguageModel(config, VOCABULARY).init(np.random.default_rng(1))
    rng = np.random.default_rng(2)
    inputs, targets = rng.integers(VOCABULARY, size=(2, *STARTS.shape))
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
