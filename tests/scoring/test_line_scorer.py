"""Scores of lines against the slow way: each line alone, one character at a time."""

import math
import tracemalloc
from collections.abc import Iterator
from itertools import chain, product, repeat
from typing import Any

import numpy as np
import pytest

from charrnn import (
    Config,
    DataConfig,
    LanguageModel,
    LineScore,
    Model,
    ModelConfig,
    TrainingError,
    Vocabulary,
    VocabularyError,
)
from charrnn.nn.network import log_softmax
from charrnn.parallel.launch import map_in_processes
from charrnn.scoring import likelihood, line_scorer
from charrnn.scoring.line_scorer import LineRules, LineScorer, in_blocks, score_blocks
from charrnn.training.state import Progress

LETTERS = "abcdefgh"
# Sums of many float32 numbers, in another order.
TOLERANCE = 1e-5


def network(vocabulary: Vocabulary, seed: int = 0, **settings: Any) -> LanguageModel:
    config = ModelConfig(**({"hidden_size": 12, "layers": 2} | settings))
    model = LanguageModel(config, len(vocabulary)).init(np.random.default_rng(seed))
    model.flat *= 3  # opinions strong enough for a difference to show
    return model


def scorer(characters: str = LETTERS + "\n", unknown: str = "error", seed: int = 0) -> LineScorer:
    vocabulary = Vocabulary.from_text(characters * 10)
    rules = LineRules.of([vocabulary], unknown)  # type: ignore[arg-type]
    return LineScorer(network(vocabulary, seed), vocabulary, rules)


def some_lines(count: int = 100, longest: int = 90) -> list[str]:
    rng = np.random.default_rng(5)
    lines = ["".join(rng.choice([*LETTERS], rng.integers(longest))) for _ in range(count)]
    return [*lines, "", "a" * 700, "b", "", lines[3]]


def slowly(scorer: LineScorer, line: str) -> list[float]:
    """Return -log p of each character of a line and its end, from a zero state, step by step."""
    vocabulary, model = scorer.vocabulary, scorer.model
    assert isinstance(model, LanguageModel)
    first = "\n" if "\n" in vocabulary else vocabulary.characters[vocabulary.counts.argmax()]
    targets = line + "\n" if "\n" in vocabulary else line
    state, nats = model.zero_state(1), []
    for before, char in zip(first + line, targets, strict=False):
        ids = np.array([[vocabulary.index[before]]])
        logits, state, _ = model.forward(ids, state)
        nats.append(-float(log_softmax(logits[0, 0])[vocabulary.index[char]]))
    return nats


def check(score: LineScore, line: str, nats: list[float]) -> None:
    assert score.text == line
    assert score.chars == len(nats)
    assert score.nats == pytest.approx(sum(nats), rel=TOLERANCE)
    # where two characters are as surprising, either will do
    assert score.surprise_nats == pytest.approx(max(nats), rel=TOLERANCE)
    assert nats[score.surprise_index] == pytest.approx(max(nats), rel=TOLERANCE)
    assert score.surprise_char == (line + "\n")[score.surprise_index]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_line_scores_as_if_it_were_alone(cell: str) -> None:
    vocabulary = Vocabulary.from_text(LETTERS + "\n")
    lines = some_lines()
    together = LineScorer(network(vocabulary, cell=cell), vocabulary)
    scores = together.score(lines)
    for line, score in zip(lines, scores, strict=True):
        check(score, line, slowly(together, line))
    assert scores[-1] == scores[3]


def test_a_beginning_that_lines_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, read = scorer(), [0]
    forward = one.model.forward

    def count(ids: Any, *rest: Any, **settings: Any) -> Any:
        read[0] += ids.size
        return forward(ids, *rest, **settings)

    monkeypatch.setattr(one.model, "forward", count)
    lines = ["".join(letters) for letters in product(LETTERS, repeat=4)]
    for line, score in zip(lines[::99], one.score(lines)[::99], strict=True):
        check(score, line, slowly(one, line))
    slow = sum(len(line) + 1 for line in lines[::99])
    assert read == [1 + 8 + 8**2 + 8**3 + 8**4 + slow]


def test_a_model_without_line_breaks_starts_with_its_usual_start_and_scores_no_end() -> None:
    one = scorer(LETTERS + "ccc")
    for line, score in zip(lines := ["abba", "c", "hhhhh"], one.score(lines), strict=True):
        check(score, line, slowly(one, line))
    (nothing,) = one.score([""])
    assert (nothing.nats, nothing.chars, nothing.surprise_char) == (0, 0, "")
    assert math.isnan(nothing.bits_per_char)


@pytest.mark.parametrize("characters", [LETTERS, LETTERS + "\n"])
def test_skipped_characters_are_as_if_they_were_not_there(characters: str) -> None:
    one = scorer(characters, "skip")
    lines = ["axxb", "ab", "x", "", "xxa", "bax", "xyz", "cab"]
    for line, score in zip(lines, one.score(lines), strict=True):
        left = "".join(char for char in line if char in one.vocabulary)
        (expected,) = one.score([left])
        assert score.nats == pytest.approx(expected.nats, rel=TOLERANCE)
        assert (score.text, score.chars) == (line, expected.chars)
        assert score.unknown == len(line) - len(left)
        assert score.surprise_char == expected.surprise_char
        if score.surprise_char not in {"", "\n"}:
            assert line[score.surprise_index] == score.surprise_char
        else:
            assert score.surprise_index == (len(line) if score.chars else 0)


def test_unknown_characters_are_charged_by_the_rule_of_laplace() -> None:
    one, skipping = scorer(unknown="charge"), scorer(unknown="skip")
    charge = math.log(int(one.vocabulary.counts.sum()) + len(one.vocabulary) + 1)
    lines = ["axxb", "ab", "x", "", "héhé", "cab"]
    for line, score, rest in zip(lines, one.score(lines), skipping.score(lines), strict=True):
        assert score.nats == pytest.approx(rest.nats + rest.unknown * charge, rel=TOLERANCE)
        assert score.chars == rest.chars + rest.unknown == len(line) + 1
        assert score.surprise_nats == pytest.approx(
            max(rest.surprise_nats, charge if rest.unknown else 0), rel=TOLERANCE
        )
        if score.surprise_nats > rest.surprise_nats:
            assert score.surprise_index == min(line.find(char) for char in line if char in "xé")
            assert score.surprise_char == line[score.surprise_index]


def test_lines_before_one_with_unknown_characters_are_scored_and_it_is_named() -> None:
    blocks = score_blocks([scorer()], [["ab", "c"], ["", "dÿ\x1b", "e"]])
    assert [score.text for (score,) in next(blocks)] == ["ab", "c"]
    assert [score.text for (score,) in next(blocks)] == [""]
    with pytest.raises(VocabularyError, match=r"line 4: unknown characters: '\\x1b'") as error:
        next(blocks)
    assert "--unknown charge" in (error.value.hint or "")


def test_what_no_model_knows_decides_nothing_between_them() -> None:
    few, many = Vocabulary.from_text("ab\n" * 5), Vocabulary.from_text("abcdé\n" * 1000)
    rules = LineRules.of([few, many], "charge")
    scorers = [LineScorer(network(known), known, rules) for known in (few, many)]
    for one in scorers:
        plain, odd = one.score(["ab", "aßb"])
        assert odd.nats - plain.nats == pytest.approx(math.log(6000 + 6 + 1), rel=TOLERANCE)
    imported = LineRules.of([Vocabulary("ab")], "charge")  # it does not say what it has read
    assert imported.charge == pytest.approx(math.log(1_000_000 + 2 + 1))


def test_what_is_skipped_is_skipped_by_all_models_and_an_end_is_scored_by_all_or_none() -> None:
    one, other = Vocabulary.from_text("abc\n"), Vocabulary.from_text("bcd")
    rules = LineRules.of([one, other], "skip")
    scorers = [LineScorer(network(known), known, rules) for known in (one, other)]
    for score in (known.score(["abcd"])[0] for known in scorers):
        assert (score.chars, score.unknown) == (2, 2)
    rules = LineRules.of([one, other], "charge")
    for known in (one, other):
        (score,) = LineScorer(network(known), known, rules).score(["abcd"])
        assert (score.chars, score.unknown) == (4, 1)


@pytest.mark.parametrize("chars", [1, 4000])
def test_neither_blocks_nor_windows_nor_processes_change_a_score(
    chars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*some_lines(300), "a" * 2000, *some_lines(50)]
    alone = [score for block in score_blocks([scorer()], [lines]) for (score,) in block]
    sizes: list[int] = []

    def start(function: Any, count: int) -> Any:
        sizes.append(count)
        return map_in_processes(function, count)

    monkeypatch.setattr(line_scorer, "map_in_processes", start)
    for name, value in (("MAX_BATCH", 17), ("MAX_WINDOW", 16)):
        monkeypatch.setattr(likelihood, name, value)
    for after in (1 << 20, 5000):
        monkeypatch.setattr(line_scorer, "BLOCK_CHARS", chars)
        monkeypatch.setattr(line_scorer, "WORKERS_AFTER", after)
        found = [score for block in score_blocks([scorer()], [lines], 3) for (score,) in block]
        assert sizes == ([] if after > 5000 else [3])
        assert [score.text for score in found] == lines
        nats = [score.nats for score in alone]
        assert [score.nats for score in found] == pytest.approx(nats, rel=TOLERANCE)


def test_blocks_hold_about_as_many_characters() -> None:
    blocks = list(in_blocks(chain(repeat("", 100_000), ["a" * 100_000], repeat("ab", 3))))
    assert [len(block) for block in blocks[:-1]] == [1 << 15] * 3 + [100_000 - 3 * (1 << 15) + 1]
    assert blocks[-1] == ["ab"] * 3


def test_memory_does_not_grow_with_the_lines_or_the_length_of_one() -> None:
    one = scorer()

    def peak(lines: Iterator[str]) -> int:
        tracemalloc.start()
        for _ in score_blocks([one], [lines]):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    distinct = [f"{n:b}".replace("0", "a").replace("1", "b") for n in range(4000)]
    few = peak(chain.from_iterable(repeat(distinct, 3)))
    assert peak(chain.from_iterable(repeat(distinct, 12))) < 1.2 * few
    # the ids of a line and what they are looked up with, but not the states of its steps
    assert peak(iter(["a" * 50_000])) < 100 * 50_000


def test_outputs_that_are_not_finite_are_an_error() -> None:
    one = scorer()
    assert isinstance(one.model, LanguageModel)
    one.model.params["output.bias"][...] = np.inf
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
