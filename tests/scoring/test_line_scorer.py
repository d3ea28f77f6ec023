"""Scores of lines against the slow way: each line alone, one character at a time."""

import math
import tracemalloc
from itertools import product
from typing import Any

import numpy as np
import pytest

from charrnn import (
    Config,
    DataConfig,
    LanguageModel,
    Model,
    ModelConfig,
    TrainingError,
    Vocabulary,
    VocabularyError,
)
from charrnn.nn.network import log_softmax
from charrnn.parallel.processes import map_in_processes
from charrnn.scoring import likelihood, line_scorer
from charrnn.scoring.line_scorer import LineModel, LineScore, LineScorer
from charrnn.training.state import Progress

LETTERS = "abcdefgh"
# Sums of many float32 numbers, in another order.
TOLERANCE = 1e-5


def network(vocabulary: Vocabulary, seed: int = 0, **settings: Any) -> LanguageModel:
    config = ModelConfig(**({"hidden_size": 12, "layers": 2} | settings))
    model = LanguageModel(config, len(vocabulary)).init(np.random.default_rng(seed))
    model.flat *= 3  # opinions strong enough for a difference to show
    return model


def scorer(characters: str = LETTERS + "\n", unknown: Any = "error", **settings: Any) -> LineScorer:
    vocabulary = Vocabulary.from_text(characters * 10)
    return LineScorer([LineModel(network(vocabulary, **settings), vocabulary)], unknown)


def scores_of(scorer: LineScorer, lines: list[str]) -> list[LineScore]:
    return [score for (score,) in scorer.score(lines)]


def some_lines(count: int = 100, longest: int = 90) -> list[str]:
    rng = np.random.default_rng(5)
    lines = ["".join(rng.choice([*LETTERS], rng.integers(longest))) for _ in range(count)]
    return [*lines, "", "a" * 700, "b", "", lines[3]]


def slowly(scorer: LineScorer, line: str) -> dict[int, float]:
    """Return -log p of the characters of a line and its end, by place, from a zero state.

    One after the other, without those that are unknown; of these the charge, if there is one.
    """
    (model,) = scorer.models
    network, vocabulary = model.network, model.vocabulary
    end = "\n" if "\n" in vocabulary else ""
    before, state = end or vocabulary.characters[vocabulary.counts.argmax()], network.zero_state(1)
    nats = dict[int, float]()
    for at, char in enumerate(line + end):
        if char not in vocabulary:
            nats |= {at: scorer.charge} if scorer.unknown == "charge" else {}
            continue
        logits, state, _ = network.forward(np.array([[vocabulary.index[before]]]), state)
        nats[at] = -float(log_softmax(logits[0, 0])[vocabulary.index[char]])
        before = char
    return nats


def check(scorer: LineScorer, lines: list[str], every: int = 1) -> None:
    known = scorer.models[0].vocabulary
    for line, score in list(zip(lines, scores_of(scorer, lines), strict=True))[::every]:
        nats = slowly(scorer, line)
        assert (score.text, score.chars) == (line, len(nats))
        assert score.unknown == sum(char not in known for char in line)
        assert score.nats == pytest.approx(sum(nats.values()), rel=TOLERANCE)
        if not nats:
            assert (score.surprise_char, score.surprise_nats) == ("", 0)
            assert math.isnan(score.bits_per_char)
            continue
        # where two known characters are as surprising, either will do
        worst, where = pytest.approx(max(nats.values()), rel=TOLERANCE), score.surprise_index
        assert score.surprise_nats == worst
        assert nats[where] == worst
        assert score.surprise_char == (line + "\n")[where]
        if score.surprise_char not in known:
            assert where == min(at for at, char in enumerate(line) if char not in LETTERS)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_line_scores_as_if_it_were_alone(cell: str) -> None:
    one, lines = scorer(cell=cell), some_lines()
    check(one, lines)
    scores = scores_of(one, lines)
    assert scores[-1] == scores[3]


@pytest.mark.parametrize("unknown", ["skip", "charge"])
@pytest.mark.parametrize("characters", [LETTERS + "ccc", LETTERS + "\n"])
def test_unknown_characters_are_skipped_or_charged_for(characters: str, unknown: str) -> None:
    lines = ["axxb", "ab", "x", "", "xxa", "bax", "xyz", "cab", "héhé", "hhhhh"]
    check(scorer(characters, unknown), lines)


def test_a_beginning_that_lines_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, read = scorer(), [0]
    model = one.models[0].network
    forward = model.forward

    def count(ids: Any, *rest: Any, **settings: Any) -> Any:
        read[0] += ids.size
        return forward(ids, *rest, **settings)

    monkeypatch.setattr(model, "forward", count)
    lines = ["".join(letters) for letters in product(LETTERS, repeat=4)]
    check(one, lines, 99)
    slow = sum(len(line) + 1 for line in lines[::99])
    assert read == [1 + 8 + 8**2 + 8**3 + 8**4 + slow]


def test_lines_before_one_with_unknown_characters_are_scored_and_it_is_named() -> None:
    blocks = scorer().score_blocks([["ab", "c"], ["", "dÿ\x1b", "e"]])
    assert [score.text for (score,) in next(blocks)] == ["ab", "c"]
    assert [score.text for (score,) in next(blocks)] == [""]
    with pytest.raises(VocabularyError, match=r"line 4: unknown characters: '\\x1b'") as error:
        next(blocks)
    assert "--unknown charge" in (error.value.hint or "")


def of_all(unknown: Any, *vocabularies: Vocabulary) -> LineScorer:
    return LineScorer([LineModel(network(known), known) for known in vocabularies], unknown)


def test_what_no_model_knows_decides_nothing_between_them() -> None:
    few, many = Vocabulary.from_text("ab\n" * 5), Vocabulary.from_text("abcdé\n" * 1000)
    scores = of_all("charge", few, many).score(["ab", "aßb"])
    for plain, odd in zip(*scores, strict=True):
        assert odd.nats - plain.nats == pytest.approx(math.log(6000 + 6 + 1), rel=TOLERANCE)
    imported = of_all("charge", Vocabulary("ab"))  # it does not say what it has read
    assert imported.charge == pytest.approx(math.log(1_000_000 + 2 + 1))


def test_what_is_skipped_is_skipped_by_all_models_and_an_end_is_scored_by_all_or_none() -> None:
    known = Vocabulary.from_text("abc\n"), Vocabulary.from_text("bcd")
    for unknown, expected in (("skip", (2, 2)), ("charge", (4, 1))):
        (scores,) = of_all(unknown, *known).score(["abcd"])
        assert [(score.chars, score.unknown) for score in scores] == [expected] * 2


@pytest.mark.parametrize("chars", [1, 4000])
def test_neither_blocks_nor_windows_nor_processes_change_a_score(
    chars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*some_lines(300), "a" * 2000, *some_lines(50)]
    alone = [score for block in scorer().score_blocks([lines]) for (score,) in block]
    sizes: list[int] = []

    def start(function: Any, count: int) -> Any:
        sizes.extend([count] * (count > 1))
        return map_in_processes(function, count)

    monkeypatch.setattr(line_scorer, "map_in_processes", start)
    for name, value in (("BATCH", 17), ("MAX_WINDOW", 16)):
        monkeypatch.setattr(likelihood, name, value)
    for after in (1 << 20, 5000):
        monkeypatch.setattr(line_scorer, "BLOCK_CHARS", chars)
        monkeypatch.setattr(line_scorer, "WORKERS_AFTER", after)
        found = [score for block in scorer().score_blocks([lines], 3) for (score,) in block]
        assert sizes == ([] if after > 5000 else [3])
        assert [score.text for score in found] == lines
        nats = [score.nats for score in alone]
        assert [score.nats for score in found] == pytest.approx(nats, rel=TOLERANCE)


def test_memory_does_not_grow_with_the_states_of_a_long_line() -> None:
    tracemalloc.start()
    assert [len(it) for it in scorer().score_blocks([["a" * 50_000]])] == [1]
    # the ids of the line and what they are looked up with
    assert tracemalloc.get_traced_memory()[1] < 100 * 50_000
    tracemalloc.stop()


@pytest.mark.parametrize("logit", [np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_an_error(logit: float) -> None:
    one = scorer()
    model = one.models[0].network
    assert isinstance(model, LanguageModel)
    model.params["output.bias"][one.models[0].vocabulary.index["a"]] = logit
    with pytest.raises(TrainingError, match="not finite"), np.errstate(invalid="ignore"):
        one.score(["a"])


def test_a_model_scores_lines_as_it_normalizes_its_text() -> None:
    vocabulary = Vocabulary.from_text("été\n")
    config = Config(model=ModelConfig(hidden_size=12, layers=2), data=DataConfig(normalize="NFC"))
    net = network(vocabulary)
    model = Model(config, vocabulary, net.params, {}, Progress())
    composed, decomposed = model.score_lines(["été", "e\u0301te\u0301"])
    assert decomposed.nats == composed.nats
    assert decomposed.text == "e\u0301te\u0301"
    with pytest.raises(VocabularyError, match="line 2: unknown character: 'x'"):
        list(model.score_lines(iter(["t", "x"])))
    (charged,) = model.score_lines(["x"], unknown="charge")
    assert charged.unknown == 1
    with pytest.raises(TypeError, match="not one text"):
        model.score_lines("été")
