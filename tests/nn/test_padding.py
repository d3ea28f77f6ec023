"""What stands behind the end of a shorter sample changes neither a loss nor a gradient."""

import numpy as np
import pytest

from charrnn import LanguageModel, ModelConfig

LENGTHS, VOCABULARY = (5, 2, 3), 4


@pytest.mark.parametrize("members", [1, 2])
def test_a_padded_batch_has_the_gradients_of_its_samples_alone(members: int) -> None:
    config = ModelConfig(hidden_size=6, members=members, dtype="float64")
    model = LanguageModel(config, VOCABULARY).init(np.random.default_rng(1))
    rng, shape = np.random.default_rng(2), (max(LENGTHS), len(LENGTHS))
    inputs, targets = rng.integers(VOCABULARY, size=(2, *shape))
    mask, count = np.arange(shape[0])[:, None] < LENGTHS, sum(LENGTHS)
    loss, grads, _ = model.loss_and_gradients(
        inputs, targets, model.zero_state(shape[1]), count=count, mask=mask
    )
    alone = [
        model.loss_and_gradients(
            inputs[:length, [row]], targets[:length, [row]], model.zero_state(1), count=count
        )
        for row, length in enumerate(LENGTHS)
    ]
    assert loss == pytest.approx(sum(part for part, _, _ in alone))
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, sum(part[name] for _, part, _ in alone), atol=1e-12)
