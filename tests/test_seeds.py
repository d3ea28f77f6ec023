"""The worked examples that charrnn grew out of, as they were meant to come out.

A French tutorial on character-level RNNs (one sentence, windows of five), and the naive recurrence
over a hundred steps.
"""

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from charrnn import (
    Config,
    DataConfig,
    LanguageModel,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SamplingConfig,
    Vocabulary,
    fit_config,
    sample_steps,
)
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.recurrent import unroll
from charrnn.nn.rnn import RNNCell
from charrnn.text.windows import sliding_windows
from charrnn.training.state import initial_state
from tests.support import train_text

if TYPE_CHECKING:
    from charrnn.nn.cell import Params

SENTENCE = "exemple de texte pour entraîner un RNN."
VOCABULARY = Vocabulary.from_text(SENTENCE)
IDS = VOCABULARY.encode(SENTENCE)


def learn(config: Config) -> LanguageModel:
    config = fit_config(config, len(IDS))
    state = initial_state(config, len(VOCABULARY))
    for _ in train_text(state, config, IDS, IDS[:0]):
        pass
    return state.networks[0]


def test_the_sentence_has_seventeen_characters_in_order() -> None:
    assert VOCABULARY.characters == " .NRadelmnoprtuxî"
    assert VOCABULARY.index == {char: i for i, char in enumerate(" .NRadelmnoprtuxî")}


def test_windows_of_five_lead_to_the_next_character() -> None:
    inputs, targets = sliding_windows(IDS, 5, 1)
    assert len(inputs) == len(SENTENCE) - 5 == 34
    pairs = [
        (VOCABULARY.decode(window), VOCABULARY.decode(following[-1:]))
        for window, following in zip(inputs, targets, strict=True)
    ]
    assert pairs[:3] == [("exemp", "l"), ("xempl", "e"), ("emple", " ")]
    assert pairs[-1] == ("n RNN", ".")


def test_one_hot_vectors_are_the_rows_of_the_identity() -> None:
    vectors = VOCABULARY.one_hot(np.arange(17))
    np.testing.assert_array_equal(vectors, np.eye(17))
    assert vectors.dtype == np.float32


def test_every_window_of_the_sentence_predicts_its_next_character() -> None:
    model = learn(
        Config(
            model=ModelConfig(cell="rnn", hidden_size=50),
            data=DataConfig(seq_length=5, stride=1, val_fraction=0),
            optimizer=OptimizerConfig(name="sgd", clip_norm=None, clip_value=5),
            run=RunConfig(seconds=None, epochs=600),
        )
    )
    inputs, targets = sliding_windows(IDS, 5, 1)
    logits, _, _ = model.forward(inputs.T, model.zero_state(len(inputs)))
    np.testing.assert_array_equal(logits[-1].argmax(axis=1), targets[:, -1])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_sentence_learned_as_one_stream_comes_back_from_its_first_letter(cell: str) -> None:
    model = learn(
        Config(
            model=ModelConfig(cell=cell, hidden_size=50),
            data=DataConfig(seq_length=38, batch_size=1, val_fraction=0),
            run=RunConfig(seconds=None, steps=300),
        )
    )
    greedy = SamplingConfig(temperature=0)
    steps = islice(
        sample_steps(Ensemble([model]), VOCABULARY.encode("e"), greedy, random_seed=0), 38
    )
    written = "".join(VOCABULARY.characters[step.ids[0]] for step in steps)
    assert "e" + written == SENTENCE


def test_a_hundred_steps_equal_the_naive_loop() -> None:
    rng = np.random.default_rng(0)
    inputs, W, U, b = (rng.random(s) for s in ((100, 32), (64, 32), (64, 64), 64))
    # Spread around zero, or tanh is 1 from the first step on and any loop passes.
    W, U = W - 0.5, (U - 0.5) / 4
    state, expected = np.zeros(64), []
    for vector in inputs:
        state = np.tanh(W @ vector + U @ state + b)
        expected.append(state)
    params: Params = {"weight_ih": W, "weight_hh": U, "bias_ih": b, "bias_hh": np.zeros(64)}
    outputs, _, _ = unroll(RNNCell(), params, inputs[:, None], (np.zeros((1, 64)),))
    assert outputs[:, 0].shape == (100, 64)
    np.testing.assert_allclose(outputs[:, 0], expected, atol=1e-12)
