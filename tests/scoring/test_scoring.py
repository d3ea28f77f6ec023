"""Scores against sums done by hand."""

import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from charrnn import (
    CorpusError,
    LanguageModel,
    ModelConfig,
    SamplingConfig,
    Score,
    VocabularyError,
    sample_steps,
    score,
)
from charrnn.nn.loss import log_softmax
from charrnn.scoring import scoring

V = 6


@pytest.fixture
def model() -> LanguageModel:
    config = ModelConfig(hidden_size=8, dtype="float64")
    return LanguageModel(config, V).init(np.random.default_rng(0))


@pytest.fixture
def ids() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(V, size=50).astype(np.uint8)


def by_hand(model: LanguageModel, ids: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> float:
    """Return -log p of all ids but the first, one step at a time."""
    state, total = model.zero_state(1), 0.0
    for this, following in pairwise(ids):
        logits, state, _ = model.forward(np.array([[this]]), state)
        total -= log_softmax(logits[0, 0])[following]
    return float(total)


@pytest.mark.parametrize("piece", [7, 512])
def test_the_state_is_carried_through_the_whole_text(
    model: LanguageModel,
    ids: np.ndarray[tuple[int], np.dtype[np.uint8]],
    piece: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "STATEFUL_WINDOW", piece)
    result = score(model, ids)
    assert result.chars == 49
    assert result.nats == pytest.approx(by_hand(model, ids))


def test_windows_are_scored_from_a_cold_state(
    model: LanguageModel, ids: np.ndarray[tuple[int], np.dtype[np.uint8]]
) -> None:
    result = score(model, ids, window=10)
    expected = sum(by_hand(model, ids[start : start + 11]) for start in (0, 10, 20, 30))
    assert result.chars == 40
    assert result.nats == pytest.approx(expected)


def test_units_agree_with_each_other() -> None:
    result = Score(nats=20.0, chars=10)
    assert result.nats_per_char == 2
    assert result.bits_per_char == pytest.approx(2 / math.log(2))
    assert result.perplexity == pytest.approx(math.e**2)


def test_too_short_a_text_cannot_be_scored(model: LanguageModel) -> None:
    with pytest.raises(CorpusError, match="takes two"):
        score(model, np.array([1], np.uint8))
    with pytest.raises(CorpusError, match="too few for a window of 10"):
        score(model, np.zeros(10, np.uint8), window=10)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("cuts", [[], [1], [1, 2, 3], [0, 49], [20, 20, 37]])
def test_a_text_in_pieces_scores_as_its_whole(
    model: LanguageModel,
    ids: np.ndarray[tuple[int], np.dtype[np.uint8]],
    window: int | None,
    cuts: list[int],
) -> None:
    assert score(model, iter(np.split(ids, cuts)), window=window) == score(
        model, ids, window=window
    )


def test_a_long_text_is_never_held_whole(model: LanguageModel) -> None:
    peaks = []
    for count in (2, 20):
        pieces = (np.zeros(20_000, np.uint8) for _ in range(count))
        tracemalloc.start()
        assert score(model, pieces).chars == count * 20_000 - 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000  # not the 360,000 bytes more that there are to read


@pytest.mark.parametrize("wrong", [-1, V])
def test_ids_that_the_model_does_not_have_are_refused(model: LanguageModel, wrong: int) -> None:
    with pytest.raises(VocabularyError, match="from 0 to 5"):
        score(model, np.array([0, wrong, 1]))
    with pytest.raises(VocabularyError, match="from 0 to 5"):
        next(sample_steps(model, np.array([0, wrong]), SamplingConfig(), random_seed=1))
