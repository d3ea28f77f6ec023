"""Scores of texts, and validation, against sums done one step at a time."""

import math
import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from charrnn import CharRNNError, LanguageModel, ModelConfig, score
from charrnn.nn.network import log_softmax
from charrnn.scoring import likelihood
from charrnn.scoring.likelihood import evaluate
from charrnn.text.pieces import flatten_pieces

V = 6
MODEL = LanguageModel(ModelConfig(hidden_size=8, dtype="float64"), V).init(np.random.default_rng(0))
MODEL.flat *= 3  # opinions strong enough for a difference to show
IDS: Any = np.random.default_rng(1).integers(V, size=50).astype(np.uint8)


def by_hand(ids: Any) -> float:
    """Return -log p of all ids but the first, one step at a time."""
    state, total = MODEL.zero_state(1), 0.0
    for this, following in pairwise(ids):
        logits, state, _ = MODEL.forward(np.array([[this]]), state)
        total -= log_softmax(logits[0, 0])[following]
    return float(total)


@pytest.mark.parametrize("longest", [7, 512])
def test_the_state_is_carried_through_the_whole_text(
    longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likelihood, "MAX_WINDOW", longest)
    result, nats = score(MODEL, IDS), by_hand(IDS)
    assert result.chars == 49
    assert result.nats == pytest.approx(nats)
    assert result.bits_per_char == pytest.approx(nats / 49 / math.log(2))
    assert result.perplexity == pytest.approx(math.exp(nats / 49))


def test_windows_are_scored_from_a_cold_state() -> None:
    done: list[int] = []
    result = score(MODEL, IDS, window=10, on_progress=done.append)
    expected = sum(by_hand(IDS[start : start + 11]) for start in (0, 10, 20, 30))
    assert result.chars == sum(done) == 40
    assert result.nats == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ids", "window", "complaint"),
    [
        ([1], None, "takes two"), ([1] * 10, 10, "too few for a window of 10"),
        ([0, -1, 1], None, "from 0 to 5"), ([0, V, 1], None, "from 0 to 5"),
        ([1] * 10, 0, "at least 1, not 0"), ([1] * 10, -3, "at least 1, not -3"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_refused(ids: Any, window: int | None, complaint: str) -> None:
    with pytest.raises(CharRNNError, match=complaint):
        score(MODEL, np.array(ids), window=window)


def test_memory_does_not_grow_with_the_text() -> None:
    peaks = []
    for windows in (4, 24):  # whole ones: a shorter last one would be held beside them
        ids = np.zeros(windows * likelihood.MAX_WINDOW + 1, np.uint8)
        tracemalloc.start()
        assert score(MODEL, ids).chars == len(ids) - 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 8_000  # less than a copy of the 10,240 ids more


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("lines", [False, True])
def test_processes_validate_on_all_streams_or_lines_together(lines: bool, processes: int) -> None:
    ids: Any = np.tile(IDS, 10)
    if lines:
        ids = flatten_pieces(ids, 0)
        parts = [np.append(it, 0) for it in np.split(ids, np.flatnonzero(ids == 0)[1:])[:-1]]
    else:
        parts = [ids[at : at + 72] for at in range(0, 7 * 71, 71)]  # 7 streams of 71 characters
    shares = [
        evaluate(MODEL, ids, pieces=lines, rank=it, size=processes) for it in range(processes)
    ]
    assert sum(it.chars for it in shares) == sum(len(part) - 1 for part in parts)
    assert sum(it.nats for it in shares) == pytest.approx(sum(map(by_hand, parts)), rel=1e-9)
