"""Scores of texts and of lines against the slow way: one character at a time."""

import math
import tracemalloc
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from charrnn import CharRNNError, LanguageModel, Model, Vocabulary, VocabularyError
from charrnn.config import END
from charrnn.nn.network import log_softmax
from charrnn.parallel.processes import map_in_processes
from charrnn.scoring import likelihood, line_scorer
from charrnn.scoring.likelihood import Score, evaluate
from charrnn.scoring.line_scorer import LineScorer, LineScores
from charrnn.text.pieces import flatten_pieces
from tests.generate.models import make_model, make_network

LETTERS = "abcdefgh"
NETWORK = make_network(6, dtype="float64")
SIX, EIGHT = make_model("abcdef", NETWORK), make_model((LETTERS + "\n") * 10)
RNG = np.random.default_rng(5)
IDS: Any = RNG.integers(6, size=50).astype(np.uint8)
LINES = ["".join(RNG.choice([*LETTERS], RNG.integers(60))) for _ in range(100)]
LINES += ["", "a" * 500, "b", "", LINES[3]]
ODD = ["axxb", "ab", "x", "", "xxa", "bax", "xyz", "cab", "héhé", "hhhhh"]
# Sums of many float32 numbers, in another order.
TOLERANCE = 1e-5


def read_slowly(network: LanguageModel, ids: Any) -> list[float]:
    """Return -log p of each id but the first, one step at a time from a zero state."""
    state, nats = network.zero_state(1), []
    for this, following in pairwise(ids):
        logits, state, _ = network.forward(np.array([[this]]), state)
        nats.append(-float(log_softmax(logits[0, 0])[following]))
    return nats


@pytest.mark.parametrize(("window", "starts"), [(None, [0]), (10, [0, 10, 20, 30])])
def test_the_state_is_carried_through_the_whole_text_or_each_window(
    window: int | None, starts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likelihood, "MAX_WINDOW", 7)
    done: list[int] = []
    result = SIX.score_ids(IDS, window=window, on_progress=done.append)
    nats = sum(sum(read_slowly(NETWORK, IDS[at : at + (window or 49) + 1])) for at in starts)
    assert result.chars == sum(done) == len(starts) * (window or 49)
    assert result.nats == pytest.approx(nats)
    assert result.bits_per_char == pytest.approx(nats / result.chars / math.log(2))
    assert result.perplexity == pytest.approx(math.exp(nats / result.chars))


def test_processes_share_what_is_held_out() -> None:
    pieces = flatten_pieces(IDS, 0)
    shares = [evaluate(NETWORK, pieces, pieces=True, rank=rank, size=3) for rank in range(3)]
    whole = evaluate(NETWORK, pieces, pieces=True)
    assert sum(share.chars for share in shares) == whole.chars
    assert sum(share.nats for share in shares) == pytest.approx(whole.nats)


def test_a_score_may_be_of_nothing_or_of_what_is_impossible() -> None:
    assert math.isnan(Score(0.0, 0).bits_per_char)
    assert Score(1e6, 1).perplexity == math.inf


def test_what_cannot_be_scored_is_refused() -> None:
    for ids, window, complaint in (
        ([1], None, "takes two"),
        ([1] * 10, 10, "too few for a window of 10"),
        ([0, -1, 1], None, "from 0 to 5"),
        ([0, 6, 1], None, "from 0 to 5"),
        ([1] * 10, 0, "at least 1, not 0"),
    ):
        with pytest.raises(CharRNNError, match=complaint):
            SIX.score_ids(np.array(ids), window=window)
    assert SIX.score("a" * 11, window=10).chars == 10


def peak_memory(use: Callable[[], object]) -> int:
    tracemalloc.start()
    use()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_grows_neither_with_the_text_nor_with_the_states_of_a_long_line() -> None:
    # whole windows: a shorter last one would be held beside them
    short, long = (np.zeros(n * likelihood.MAX_WINDOW + 1, np.uint8) for n in (4, 24))
    more = peak_memory(lambda: SIX.score_ids(long)) - peak_memory(lambda: SIX.score_ids(short))
    assert more < 8_000  # less than a copy of the 10,240 ids more
    # the ids of the line and what they are looked up with
    assert peak_memory(lambda: [*EIGHT.score_lines(["a" * 10_000])]) < 130 * 10_000


def score_slowly(model: Model, line: str, charge: float | None) -> dict[int, float]:
    """Return -log p of the characters of a line and its end, by place, from a zero state.

    Without those that are unknown; of these the charge, if there is one.
    """
    vocabulary, end = model.vocabulary, "\n" if "\n" in model.vocabulary else ""
    start = end or vocabulary.characters[vocabulary.counts.argmax()]
    places = [at for at, char in enumerate(line + end) if char in vocabulary]
    ids = vocabulary.encode(start + "".join((line + end)[at] for at in places))
    nats = dict(zip(places, read_slowly(model.network(), ids), strict=True))
    missing = {at: charge for at in range(len(line)) if at not in nats and charge is not None}
    return {**nats, **missing}


@pytest.mark.parametrize(
    ("cell", "text", "unknown", "lines"),
    [
        ("rnn", (LETTERS + "\n") * 10, "error", LINES),
        ("lstm", (LETTERS + "\n") * 10, "error", LINES),
        ("gru", (LETTERS + "\n") * 10, "charge", ODD),
        ("lstm", LETTERS + "ccc", "charge", ODD),
        ("lstm", LETTERS + "ccc", "skip", ODD),
    ],
    ids=str,
)
def test_every_line_scores_as_if_it_were_alone_without_unknown_characters_or_with_a_charge(
    cell: str, text: str, unknown: Any, lines: list[str]
) -> None:
    model = make_model(text, make_network(len(set(text)), cell=cell, layers=2))
    charge = math.log(len(text) + len(set(text)) + 1) if unknown == "charge" else None
    scores = list(model.score_lines(lines, unknown=unknown))
    for line, score in zip(lines, scores, strict=True):
        nats = score_slowly(model, line, charge)
        assert (score.text, score.chars) == (line, len(nats))
        assert score.unknown == sum(char not in text for char in line)
        assert score.nats == pytest.approx(sum(nats.values()), rel=TOLERANCE)
        if not nats:
            assert (score.surprise_char, score.surprise_nats) == ("", 0)
            continue
        # where two known characters are as surprising, either will do
        worst, where = pytest.approx(max(nats.values()), rel=TOLERANCE), score.surprise_index
        assert score.surprise_nats == worst
        assert nats[where] == worst
        assert score.surprise_char == (line + "\n")[where]
        if score.surprise_char not in text + "\n":
            assert where == min(at for at, char in enumerate(line) if char not in text)
    assert scores[lines.index(lines[3])] == scores[3]


def test_a_beginning_that_lines_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read, forward = [0], LanguageModel.forward

    def count(model: LanguageModel, ids: Any, *rest: Any, **settings: Any) -> Any:
        read[0] += ids.size
        return forward(model, ids, *rest, **settings)

    monkeypatch.setattr(LanguageModel, "forward", count)
    lines = ["".join(letters) for letters in product(LETTERS, repeat=4)]
    assert len([*EIGHT.score_lines(lines)]) == 8**4
    assert read == [1 + 8 + 8**2 + 8**3 + 8**4]


def test_lines_before_one_with_unknown_characters_are_scored_and_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_scorer, "BLOCK_CHARS", 5)
    scores = EIGHT.score_lines(iter(["ab", "c", "", "dÿ\x1b", "e"]))
    assert [next(scores).text for _ in range(3)] == ["ab", "c", ""]
    with pytest.raises(VocabularyError, match=r"line 4: unknown characters: '\\x1b'") as error:
        next(scores)
    assert "--unknown charge" in (error.value.hint or "")
    with pytest.raises(TypeError, match="not one text"):
        EIGHT.score_lines("ab")


def score_under(texts: list[str], unknown: Any, lines: list[str]) -> list[LineScores]:
    """Return the scores of lines under models that have read these texts."""
    return LineScorer([make_model(text).line_model for text in texts], unknown).score(lines)


def test_what_no_model_knows_decides_nothing_between_them() -> None:
    scores = score_under(["ab\n" * 5, "abcdé\n" * 1000], "charge", ["ab", "aßb"])
    for plain, odd in zip(*scores, strict=True):
        assert odd.nats - plain.nats == pytest.approx(math.log(6000 + 6 + 1), rel=TOLERANCE)
    imported = EIGHT.line_model._replace(vocabulary=Vocabulary("ab"))  # it has no counts
    assert LineScorer([imported]).charge == pytest.approx(math.log(1_000_000 + 2 + 1))


def test_what_is_skipped_is_skipped_by_all_models_and_an_end_is_scored_by_all_or_none() -> None:
    for unknown, expected in (("skip", (2, 2)), ("charge", (4, 1))):
        (scores,) = score_under(["abc\n", "bcd"], unknown, ["abcd"])
        assert [(score.chars, score.unknown) for score in scores] == [expected] * 2


@pytest.mark.parametrize(("block", "after"), [(1, 1 << 20), (1, 3000), (2000, 3000)])
def test_neither_blocks_nor_windows_nor_processes_change_a_score(
    block: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*LINES, "a" * 2000, *LINES[:50]]
    alone = [score.nats for score in EIGHT.score_lines(lines)]
    sizes: list[int] = []

    def start(function: Any, count: int) -> Any:
        sizes.append(count)
        return map_in_processes(function, count)

    monkeypatch.setattr(line_scorer, "map_in_processes", start)
    for name, value in (("BATCH", 17), ("MAX_WINDOW", 16), ("MAX_SHARING", 40)):
        monkeypatch.setattr(likelihood, name, value)
    monkeypatch.setattr(line_scorer, "BLOCK_CHARS", block)
    monkeypatch.setattr(line_scorer, "WORKERS_AFTER", after)
    blocks = LineScorer([EIGHT.line_model]).score_blocks([lines], 3)
    found = [score for block in blocks for (score,) in block]
    assert sizes == ([1, 3] if after == 3000 else [1])
    assert [score.text for score in found] == lines
    assert [score.nats for score in found] == pytest.approx(alone, rel=TOLERANCE)


def test_a_text_is_one_piece_to_a_model_of_records() -> None:
    model, text = make_model(f"{LETTERS}\n{END}", field="text"), "ab\n\ncd"
    for piece in model.score_lines([text, f"{text}\n"]):
        assert piece.nats == pytest.approx(model.score(text).nats, rel=TOLERANCE)
