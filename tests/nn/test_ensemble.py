"""An ensemble: the mean of its networks, forward, one character at a time, and merged into one."""

from typing import Any

import numpy as np
import pytest

from charrnn import LanguageModel, ModelConfig
from charrnn.config import CELL_RATES
from charrnn.nn.decoder import Decoder
from charrnn.nn.ensemble import Ensemble

V, T, B = 5, 6, 3

every_cell = pytest.mark.parametrize("cell", CELL_RATES)
one_and_two_layers = pytest.mark.parametrize("layers", [1, 2])


def make_ensemble(members: int = 4, **settings: Any) -> Ensemble:
    config = ModelConfig(**{"hidden_size": 8, **settings}, dtype="float64")
    rng = np.random.default_rng(1)
    return Ensemble([LanguageModel(config, V).init(rng) for _ in range(members)])


def random_ids(*shape: int) -> Any:
    return np.random.default_rng(2).integers(V, size=shape)


@every_cell
@one_and_two_layers
def test_the_logits_are_the_mean_of_those_of_the_networks(cell: str, layers: int) -> None:
    model, ids = make_ensemble(cell=cell, layers=layers), random_ids(T, B)
    alone = [network.forward(ids, network.zero_state(B))[0] for network in model.networks]
    assert not np.allclose(alone[0], alone[1])
    first, state, _ = model.forward(ids[:2], model.zero_state(B))
    second, _, _ = model.forward(ids[2:], state)
    together = np.concatenate([first, second])
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-12)


@every_cell
@one_and_two_layers
def test_the_merged_network_predicts_the_same(cell: str, layers: int) -> None:
    model, ids = make_ensemble(cell=cell, layers=layers), random_ids(T, B)
    merged = model.merge()
    assert merged.config.hidden_size == 32
    ours, _, _ = model.forward(ids, model.zero_state(B))
    theirs, _, _ = merged.forward(ids, merged.zero_state(B))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@every_cell
@one_and_two_layers
@pytest.mark.parametrize("count", [1, 5, 9])
@pytest.mark.parametrize("members", [1, 3])
def test_one_character_at_a_time_is_the_same(
    cell: str, layers: int, count: int, members: int
) -> None:
    model = make_ensemble(members, cell=cell, layers=layers, hidden_size=32)
    ids = random_ids(T, count)
    expected, final, _ = model.forward(ids, model.zero_state(count))
    decoder = Decoder(model, count)
    decoder.start(model.zero_state(1))
    for step, row in enumerate(ids):
        np.testing.assert_allclose(decoder.feed(row), expected[step], atol=1e-12)
    np.testing.assert_array_equal(decoder.logits(), decoder.logits())
    for ours, theirs in zip(decoder.state(), final, strict=True):
        for part, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(part, other, atol=1e-12)


@pytest.mark.parametrize("members", [1, 2])
def test_a_decoder_gives_samples_the_states_of_others(members: int) -> None:
    model = make_ensemble(members, layers=2)
    decoder = Decoder(model, 3)
    decoder.start(model.zero_state(1))
    before = decoder.feed(np.array([0, 1, 2])).copy()
    decoder.select(np.array([2, 0, 0]))
    np.testing.assert_array_equal(decoder.logits(), before[[2, 0, 0]])
    again = Decoder(model, 3)
    again.start(decoder.state())
    np.testing.assert_array_equal(again.logits(), before[[2, 0, 0]])
    # All of the state: without it, the next character would tell.
    expected = Decoder(model, 3)
    expected.start(model.zero_state(1))
    expected.feed(np.array([2, 0, 0]))
    np.testing.assert_array_equal(decoder.feed(random_ids(3)), expected.feed(random_ids(3)))


# The products of 509 units cannot be cut into blocks, and are too large for kernels of small ones.
@pytest.mark.parametrize("hidden_size", [12, 256, 509])
def test_a_sample_does_not_depend_on_its_batch(hidden_size: int) -> None:
    model = LanguageModel(ModelConfig(hidden_size=hidden_size), V).init(np.random.default_rng(0))
    ids = random_ids(T, 33)

    def logits(count: int) -> np.ndarray[Any, Any]:
        decoder = Decoder(model, count)
        decoder.start(model.zero_state(1))
        return np.array([decoder.feed(row[:count]).copy() for row in ids])

    together = logits(33)
    for count in (1, 2, 3, 9):
        np.testing.assert_array_equal(logits(count), together[:, :count])
