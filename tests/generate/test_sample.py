"""Drawing characters: the right distribution, never NaN, the same for the same seed."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn import SamplingConfig, VocabularyError, sample_steps
from charrnn.generate import predictor
from charrnn.generate.choice import choose
from charrnn.generate.remembering import MemoryPredictor
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.ngrams.mixture import Mixture, exp_logits
from tests.generate.models import make_network

LETTERS = "abcdefghi"
V, TEXT = len(LETTERS), np.random.default_rng(0).integers(len(LETTERS), size=99).astype(np.uint8)
LOGITS = st.lists(
    st.integers(-8, 8) | st.integers(-9999, 9999), min_size=2, max_size=6, unique=True
)
FILTERS = st.fixed_dictionaries(
    {"temperature": st.sampled_from([0.0, 1e-9, 0.5, 1.0, 3.0])},
    optional={"top_k": st.integers(1, 7), "top_p": st.floats(0.1, 1), "min_p": st.floats(0, 1)},
)
DRAWS = np.array([np.nextafter(0, 1), *(np.arange(2000) + 0.5) / 2000, 1])


def keep_slowly(logits: Any, temperature: float, **filters: Any) -> Any:
    """Return the probabilities with which characters are drawn, one after the other."""
    with np.errstate(over="ignore"):
        p = np.exp((np.array(logits) - max(logits)) / (temperature or 1e-300))
    ranked = np.argsort(-p)
    for it in ranked[filters.get("top_k", 9) :]:
        p[it] = 0
    total, before = p.sum(), 0.0
    for it in ranked:
        before, value = before + p[it], p[it]
        if before - value >= filters.get("top_p", 2) * total and it != ranked[0]:
            p[it] = 0
    return np.where(p < filters.get("min_p", 0), 0, p)


@given(LOGITS, FILTERS)
@example(list(np.log([0.1, 0.5, 0.3, 0.1])), {"temperature": 1.0, "top_p": 0.5})
@example([0, 2, 1, -1], {"temperature": 1.0, "top_p": 0.95})
@example([1, 2, 3], {"temperature": 1e300})
@example([1, 1e6, -1e6], {"temperature": 1e-300, "top_k": 2, "top_p": 1e-12})
def test_frequencies_follow_the_probabilities_of_what_is_kept(
    logits: list[float], filters: dict[str, Any]
) -> None:
    config, p = SamplingConfig(**filters), keep_slowly(logits, **filters)
    rows = np.tile(exp_logits(np.array([logits], float)), (len(DRAWS), 1))
    chosen = choose(rows, config, DRAWS)
    frequencies = np.bincount(chosen, minlength=len(logits)) / len(DRAWS)
    np.testing.assert_allclose(frequencies, p / p.sum(), atol=2e-3)
    assert (p[chosen] > 0).all()
    for at in [*range(0, len(DRAWS), 499), -1]:
        assert choose(rows[:1], config, DRAWS[[at]]) == chosen[at]


def ids_of(model: Any, n: int, *, seed: Any = (1, 2, 3), **settings: Any) -> np.ndarray[Any, Any]:
    """Return n steps of ids, shape (n, samples)."""
    config = SamplingConfig(temperature=1)
    steps = sample_steps(model, np.array(seed, int), config, random_seed=4, **settings)
    return np.array([step.ids for step in islice(steps, n)])


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "mixture", "memory"])
def test_sample_i_is_the_same_in_any_company(name: str) -> None:
    model: Any = make_network(V, cell=name if len(name) < 5 else "lstm")
    if len(name) > 4:
        model = Mixture(model, build_ngrams(TEXT, V, 5))
    model = MemoryPredictor(model, TEXT) if name == "memory" else model
    together = ids_of(model, 200, count=67)
    for count in (1, 2, 17):
        np.testing.assert_array_equal(ids_of(model, 200, count=count), together[:, :count])
    np.testing.assert_array_equal(ids_of(model, 200, count=3, first=64), together[:, 64:])
    assert len({tuple(column) for column in together.T}) == 67


def test_a_prompt_is_read_in_pieces_as_if_in_one_and_of_megabytes_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = predictor.Predictor(make_network(V)).read
    whole = read(TEXT)
    monkeypatch.setattr(predictor, "_AT_ONCE", 7)
    np.testing.assert_allclose(read(TEXT).p, whole.p, atol=1e-5)
    monkeypatch.setattr(predictor, "MAX_PROMPT", 9)
    np.testing.assert_array_equal(read(TEXT).p, read(TEXT[-9:]).p)


def test_what_cannot_be_sampled_is_refused() -> None:
    for ids, count, complaint in (
        ([1], 0, "count must be at least 1"), ([], 1, "at least one id"), ([-1], 1, "ids must be")
    ):  # fmt: skip
        with pytest.raises((ValueError, VocabularyError), match=complaint):
            ids_of(make_network(V), 1, seed=ids, count=count)
