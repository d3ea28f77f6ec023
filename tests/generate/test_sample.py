"""Drawing characters: the right distribution, never NaN, the same for the same seed."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charrnn import (
    LanguageModel,
    ModelConfig,
    SamplingConfig,
    TrainingError,
    Vocabulary,
    sample_steps,
)
from charrnn.errors import VocabularyError
from charrnn.generate import predictor
from charrnn.generate.choice import choose, weights
from charrnn.nn.network import log_softmax
from charrnn.text.vocabulary import start_ids

V = 9


def make_model(**settings: Any) -> LanguageModel:
    config = ModelConfig(hidden_size=16, **settings)
    model = LanguageModel(config, V).init(np.random.default_rng(0))
    model.flat *= 5  # sharper than an untrained model's
    return model


def ids_of(
    model: LanguageModel, n: int, config: SamplingConfig, **settings: Any
) -> np.ndarray[Any, Any]:
    """Return n steps of ids, shape (n, samples)."""
    seed = np.array([1, 2, 3])
    return np.array([s.ids for s in islice(sample_steps(model, seed, config, **settings), n)])


def frequencies(logits: list[float], config: SamplingConfig) -> np.ndarray[Any, Any]:
    draws = (np.arange(100_000) + 0.5) / 100_000
    rows = np.tile(np.array(logits), (len(draws), 1))
    return np.bincount(choose(rows, config, draws), minlength=len(logits)) / len(draws)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1e9])
def test_frequencies_follow_the_softmax_at_the_temperature(temperature: float) -> None:
    logits = [0.0, 1.0, -1.0, 3.0]
    expected = np.exp(np.array(logits) / temperature)
    expected /= expected.sum()
    measured = frequencies(logits, SamplingConfig(temperature=temperature))
    np.testing.assert_allclose(measured, expected, atol=1e-4)


def test_top_k_keeps_the_k_likeliest_in_proportion() -> None:
    measured = frequencies([0.0, 2.0, 1.0, -5.0], SamplingConfig(temperature=1.0, top_k=2))
    expected = np.array([0, np.e**2, np.e, 0])
    np.testing.assert_allclose(measured, expected / expected.sum(), atol=1e-4)


def test_top_p_keeps_the_fewest_that_reach_p() -> None:
    logits = list(np.log([0.1, 0.5, 0.3, 0.1]))
    for p, kept in [(0.4, [1]), (0.5, [1]), (0.6, [1, 2]), (0.85, [0, 1, 2]), (1.0, [0, 1, 2, 3])]:
        measured = frequencies(logits, SamplingConfig(temperature=1.0, top_p=p))
        assert np.flatnonzero(measured).tolist() == kept, p


@given(
    st.lists(st.floats(-20, 20), min_size=2, max_size=9),
    st.floats(0, 1),
    st.sampled_from([0.3, 0.8, 1.5]),
    st.floats(1e-9, 1),
)
def test_min_p_never_picks_what_is_less_probable_than_its_share_of_the_likeliest(
    logits: list[float], min_p: float, temperature: float, draw: float
) -> None:
    config = SamplingConfig(temperature=temperature, min_p=min_p)
    rows = np.array([logits])
    p = np.exp((rows[0] - rows.max()) / temperature)
    kept = weights(rows, config)[0]
    np.testing.assert_allclose(kept[p > min_p * (1 + 1e-9)], p[p > min_p * (1 + 1e-9)])
    assert (kept[p < min_p * (1 - 1e-9)] == 0).all()
    (chosen,) = choose(rows, config, np.array([draw]))
    assert p[chosen] >= min_p * (1 - 1e-9)


@given(
    hnp.arrays(np.float64, (2, V), elements=st.floats(-1e6, 1e6)),
    st.sampled_from([1e-300, 1e-9, 0.8, 1e9, 1e300]),
    st.none() | st.integers(1, 20),
    st.none() | st.floats(1e-12, 1),
)
def test_probabilities_are_never_nan(
    logits: np.ndarray[Any, Any], temperature: float, top_k: int | None, top_p: float | None
) -> None:
    config = SamplingConfig(temperature=temperature, top_k=top_k, top_p=top_p)
    p = weights(logits, config)
    assert not np.isnan(p).any()
    assert (p.sum(axis=1) > 0).all()
    for draws in (np.full(2, np.nextafter(0, 1)), np.ones(2)):
        ids = choose(logits, config, draws)
        assert (p[np.arange(2), ids] > 0).all()


def test_temperature_zero_is_the_argmax_and_a_tiny_one_is_near_it() -> None:
    rows = np.random.default_rng(0).standard_normal((50, V))
    draws = np.random.default_rng(1).random(50)
    for temperature in (0.0, 1e-9):
        chosen = choose(rows, SamplingConfig(temperature=temperature), draws)
        np.testing.assert_array_equal(chosen, rows.argmax(axis=1))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_sample_i_is_the_same_in_any_company(cell: str) -> None:
    model = make_model(cell=cell)
    config = SamplingConfig(temperature=1.0)
    together = ids_of(model, 300, config, random_seed=4, count=35)
    for count in (1, 2, 7, 16, 17, 33):
        fewer = ids_of(model, 300, config, random_seed=4, count=count)
        np.testing.assert_array_equal(fewer, together[:, :count])
    later = ids_of(model, 300, config, random_seed=4, count=3, first=32)
    np.testing.assert_array_equal(later, together[:, 32:])
    assert len({tuple(column) for column in together.T}) == 35


def test_log_p_is_the_models_own_whatever_the_filters() -> None:
    model = make_model(dtype="float64")
    config = SamplingConfig(temperature=0.5, top_k=3)
    steps = list(islice(sample_steps(model, np.array([1]), config, random_seed=0, log_p=True), 10))
    fed = np.array([[1], *([int(step.ids[0])] for step in steps)])
    logits, _, _ = model.forward(fed, model.zero_state(1))
    log_p = log_softmax(logits[:, 0])
    for t, step in enumerate(steps):
        assert step.log_p[0] == pytest.approx(log_p[t, step.ids[0]])


def test_a_long_seed_is_read_in_pieces_as_if_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seed = make_model(), np.random.default_rng(0).integers(V, size=70).astype(np.uint8)
    texts = []
    for piece in (7, 70):
        monkeypatch.setattr(predictor, "_AT_ONCE", piece)
        steps = islice(sample_steps(model, seed, SamplingConfig(), random_seed=0), 20)
        texts.append([int(step.ids[0]) for step in steps])
    assert texts[0] == texts[1]


def test_of_a_prompt_of_megabytes_only_the_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "MAX_PROMPT", 9)
    model, ids = make_model(), np.random.default_rng(0).integers(V, size=70).astype(np.uint8)
    read = predictor.Predictor(model).read
    np.testing.assert_array_equal(read(ids).logits, read(ids[-9:]).logits)
    with pytest.raises(VocabularyError):
        read(np.append(np.uint8(V), ids))


def test_an_empty_seed_is_the_start_of_a_line_or_the_likeliest_character() -> None:
    assert start_ids(Vocabulary.from_text("ab\nc")).tolist() == [0]
    assert start_ids(Vocabulary.from_text("abbc")).tolist() == [1]


def test_no_sample_and_no_seed_are_refused() -> None:
    model, config = make_model(), SamplingConfig()
    with pytest.raises(ValueError, match="count must be at least 1"):
        next(sample_steps(model, np.array([1]), config, random_seed=0, count=0))
    with pytest.raises(ValueError, match="at least one id"):
        next(sample_steps(model, np.array([], np.uint8), config, random_seed=0))


def test_weights_that_have_exploded_are_an_error_and_write_nothing() -> None:
    config = ModelConfig(cell="rnn", nonlinearity="relu", hidden_size=8)
    model = LanguageModel(config, 5).init(np.random.default_rng(0))
    model.flat[...] = 1e30
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="not finite"):
        list(islice(sample_steps(model, np.array([1]), SamplingConfig(), random_seed=1), 20))
