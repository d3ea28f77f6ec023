"""Drawing characters: the right distribution, never NaN, the same for the same seed."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charrnn import SamplingConfig, TrainingError, Vocabulary, VocabularyError, sample_steps
from charrnn.generate import predictor
from charrnn.generate.choice import choose, filter_p
from charrnn.generate.remembering import MemoryPredictor
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.ngrams.mixture import Mixture, exp_logits
from charrnn.nn.network import log_softmax
from charrnn.text.vocabulary import start_ids
from tests.generate.models import make_model

LETTERS = "abcdefghi"
V, TEXT = len(LETTERS), np.random.default_rng(0).integers(len(LETTERS), size=99).astype(np.uint8)


def ids_of(
    model: Any, n: int, *, seed: Any = (1, 2, 3), temperature: float = 1, **settings: Any
) -> np.ndarray[Any, Any]:
    """Return n steps of ids, shape (n, samples)."""
    config = SamplingConfig(temperature=temperature)
    steps = sample_steps(model, np.array(seed, int), config, **{"random_seed": 4, **settings})
    return np.array([step.ids for step in islice(steps, n)])


LOGITS, E = [0.0, 2.0, 1.0, -5.0], np.exp([0.0, 2.0, 1.0, -5.0])
P = np.array([0.1, 0.5, 0.3, 0.1])


@pytest.mark.parametrize(
    ("logits", "settings", "weights"),
    [
        (LOGITS, {"temperature": 0.0}, [0, 1, 0, 0]),
        (LOGITS, {"temperature": 1e-9}, [0, 1, 0, 0]),
        (LOGITS, {"temperature": 0.5}, E**2),
        (LOGITS, {"temperature": 1.0}, E),
        (LOGITS, {"temperature": 1e9}, E**0),
        (LOGITS, {"temperature": 1.0, "top_k": 2}, E * [0, 1, 1, 0]),
        (np.log(P), {"temperature": 1.0, "top_p": 0.4}, P * [0, 1, 0, 0]),
        (np.log(P), {"temperature": 1.0, "top_p": 0.5}, P * [0, 1, 0, 0]),
        (np.log(P), {"temperature": 1.0, "top_p": 0.6}, P * [0, 1, 1, 0]),
        (np.log(P), {"temperature": 1.0, "top_p": 0.85}, P * [1, 1, 1, 0]),
        (np.log(P), {"temperature": 1.0, "top_p": 1.0}, P),
    ],
)
def test_frequencies_follow_the_softmax_of_what_is_kept(
    logits: Any, settings: dict[str, Any], weights: Any
) -> None:
    draws = (np.arange(100_000) + 0.5) / 100_000
    rows = np.tile(np.exp(logits), (len(draws), 1))
    chosen = choose(rows, SamplingConfig(**settings), draws)
    frequencies = np.bincount(chosen, minlength=len(logits)) / len(draws)
    np.testing.assert_allclose(frequencies, weights / np.sum(weights), atol=1e-4)


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
    rows = np.exp([logits])
    p = (rows[0] / rows.max()) ** (1 / temperature)
    kept = filter_p(rows, config)[0]
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
    rows = exp_logits(logits)
    p = filter_p(rows, config)
    assert not np.isnan(p).any()
    assert (p.sum(axis=1) > 0).all()
    for draws in (np.full(2, np.nextafter(0, 1)), np.ones(2)):
        ids = choose(rows, config, draws)
        assert (p[np.arange(2), ids] > 0).all()


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "mixture", "memory"])
def test_sample_i_is_the_same_in_any_company(name: str) -> None:
    model: Any = make_model(LETTERS, cell=name if len(name) < 5 else "lstm")
    if len(name) > 4:
        model = Mixture(model, build_ngrams(TEXT, V, 5))
    model = MemoryPredictor(model, TEXT) if name == "memory" else model
    together = ids_of(model, 200, count=67)
    for count in (1, 2, 7, 16, 17, 33):
        np.testing.assert_array_equal(ids_of(model, 200, count=count), together[:, :count])
    np.testing.assert_array_equal(ids_of(model, 200, count=3, first=64), together[:, 64:])
    assert len({tuple(column) for column in together.T}) == 67


def test_log_p_is_the_models_own_whatever_the_filters() -> None:
    model = make_model(LETTERS, dtype="float64")
    config = SamplingConfig(temperature=0.5, top_k=3)
    steps = list(islice(sample_steps(model, np.array([1]), config, random_seed=0, log_p=True), 10))
    fed = np.array([[1], *([int(step.ids[0])] for step in steps)])
    logits, _, _ = model.forward(fed, model.zero_state(1))
    log_p = log_softmax(logits[:, 0])
    for t, step in enumerate(steps):
        assert step.log_p[0] == pytest.approx(log_p[t, step.ids[0]])


def test_a_prompt_is_read_in_pieces_as_if_in_one_and_of_megabytes_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = predictor.Predictor(make_model(LETTERS)).read
    whole = read(TEXT)
    monkeypatch.setattr(predictor, "_AT_ONCE", 7)
    np.testing.assert_allclose(read(TEXT).p, whole.p, atol=1e-5)
    monkeypatch.setattr(predictor, "MAX_PROMPT", 9)
    np.testing.assert_array_equal(read(TEXT).p, read(TEXT[-9:]).p)
    with pytest.raises(VocabularyError):
        read(np.append(np.uint8(V), TEXT))


def test_an_empty_seed_is_the_start_of_a_line_or_the_likeliest_character() -> None:
    assert start_ids(Vocabulary.from_text("ab\nc")).tolist() == [0]
    assert start_ids(Vocabulary.from_text("abbc")).tolist() == [1]


@pytest.mark.parametrize(
    ("ids", "count", "complaint"),
    [([1], 0, "count must be at least 1"), ([], 1, "at least one id"), ([-1], 1, "ids must be")],
)
def test_what_cannot_be_sampled_is_refused(ids: list[int], count: int, complaint: str) -> None:
    with pytest.raises((ValueError, VocabularyError), match=complaint):
        ids_of(make_model(LETTERS), 1, seed=ids, count=count)


def test_weights_that_have_exploded_are_an_error_and_write_nothing() -> None:
    model = make_model(LETTERS, cell="rnn", nonlinearity="relu")
    model.flat[...] = 1e30
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="not finite"):
        ids_of(model, 20)
