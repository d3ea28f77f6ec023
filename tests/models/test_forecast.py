"""The forecast chooses what training chooses, and its figures are those of the formula."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from charrnn.config import Config
from charrnn.models import forecast as forecasting
from charrnn.models.forecast import FROM_BASE, FROM_NOTHING, TIMES, forecast
from charrnn.models.prepared import prepare
from charrnn.models.runs import NOTHING
from charrnn.models.start import choose_start
from charrnn.models.text_run import TextRun
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import budget
from charrnn.training.next_character import NextCharacter
from tests.support import ROOT

SPEED = 30_000.0
SetSpeed = Callable[[float], None]


@pytest.fixture
def set_speed(monkeypatch: pytest.MonkeyPatch) -> SetSpeed:
    """Say how many characters a second this machine learns."""

    def speed_is(speed: float) -> None:
        monkeypatch.setattr(budget, "characters_per_second", lambda *_: speed)
        monkeypatch.setattr(forecasting, "seconds_per_step", lambda *_: 1024 / speed)

    speed_is(SPEED)
    return speed_is


def corpus_of(text: str) -> Corpus:
    vocabulary = Vocabulary.from_text(text)
    return Corpus(vocabulary.encode(text), vocabulary)


@pytest.mark.parametrize(
    ("name", "lines"), [("harbour", False), ("dinosaurs", True), ("dinosaurs", False)]
)
@pytest.mark.usefixtures("set_speed")
def test_it_chooses_what_training_then_chooses(name: str, lines: bool) -> None:
    corpus = read_corpus([str(ROOT / "corpora" / f"{name}.txt")])
    expected = forecast(corpus, lines=lines)
    assert expected is not None
    config = Config()
    config = replace(
        config,
        data=replace(config.data, lines=lines),
        run=replace(config.run, seconds=expected.seconds, workers=1),
    )
    run = TextRun.new(choose_start(None, config, set(), corpus), corpus, {"workers"})
    assert run.start == (expected.start or NOTHING)
    assert run.recommendation is not None
    chosen, foretold = run.recommendation, expected.recommendation
    assert chosen.config.model == foretold.config.model
    assert chosen.config.optimizer == foretold.config.optimizer
    assert chosen.passes == foretold.passes
    assert run.state.network.flat.size == expected.parameters


def test_the_loss_is_that_of_the_formula(set_speed: SetSpeed) -> None:
    corpus = read_corpus([str(ROOT / "corpora" / "dinosaurs.txt")])
    for speed in (500.0, 50_000.0):
        set_speed(speed)
        expected = forecast(corpus, lines=True)
        assert expected is not None
        config = replace(Config(), data=replace(Config().data, lines=True))
        run = TextRun.new(choose_start("none", config, set(), corpus), corpus, set())
        train_ids = run.objective.train_ids
        read = expected.recommendation.passes * len(train_ids)
        share = math.exp(FROM_NOTHING.k) * (1 + 1_000_000 / read) ** (FROM_NOTHING.s / math.log(2))
        assert expected.nats == pytest.approx(expected.ngrams * share)
        assert expected.low < expected.nats < expected.high
        assert expected.perplexity == pytest.approx(math.exp(expected.nats))


def test_a_slower_machine_needs_more_time_and_reaches_less(set_speed: SetSpeed) -> None:
    text = (ROOT / "corpora" / "moulin.txt").read_text(encoding="utf-8")
    corpus = corpus_of(text.translate(str.maketrans("aeiou", "qxzkw")))  # in no known language
    found = []
    for speed in (500_000.0, 20_000.0, 1000.0):
        set_speed(speed)
        expected = forecast(corpus)
        assert expected is not None
        assert expected.start is None
        found.append(expected)
    assert [it.seconds for it in found] == sorted(it.seconds for it in found)
    assert [it.nats for it in found] == sorted(it.nats for it in found)
    assert {it.seconds for it in found} <= set(TIMES)
    assert found[0].seconds < found[-1].seconds


def test_a_run_that_ends_early_takes_less_than_its_time(
    set_speed: SetSpeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = corpus_of("".join(np.random.default_rng(1).choice(list("ab cd\n"), 4000)))
    set_speed(200_000.0)
    clock = [0.0]
    monkeypatch.setattr(forecasting, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    expected = forecast(corpus, reading=0.5)
    assert expected is not None
    assert expected.recommendation.enough
    assert expected.takes < expected.seconds
    steps = 150 * (4000 // 1024)
    trained = steps * 1024 / 200_000
    assert trained + 0.5 < expected.takes < trained + 5
    chosen_in, work = 0.7, budget.work_per_second

    def slow_trial(*known: Any) -> float:
        clock[0] += chosen_in
        return work(*known)

    monkeypatch.setattr(forecasting, "work_per_second", slow_trial)
    slower = forecast(corpus, reading=0.5)
    assert slower is not None
    # Training measures its speed too.
    assert slower.takes == pytest.approx(expected.takes + chosen_in)


def test_the_time_of_a_step_is_a_mean_over_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "MEASURED", 0.3)
    config = replace(Config(), model=replace(Config().model, hidden_size=32))
    corpus = corpus_of("".join(np.random.default_rng(1).choice(list("ab cd\n"), 40_000)))
    ready = prepare(choose_start("none", config, set(), corpus), corpus, set())
    objective = NextCharacter(ready.config, ready.train_ids, ready.val_ids)
    began = time.perf_counter()
    seconds = forecasting.seconds_per_step(ready.config, ready, objective)
    assert time.perf_counter() - began >= 0.3
    assert 0 < seconds < 0.2  # several steps were counted, not one


@pytest.mark.parametrize("text", ["", "a", "a" * 5000, "ab" * 50])
def test_a_text_too_short_has_no_forecast(text: str) -> None:
    vocabulary = Vocabulary.from_text(text or "a")
    assert forecast(Corpus(vocabulary.encode(text), vocabulary)) is None


@pytest.mark.usefixtures("set_speed")
def test_a_long_text_is_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "corpora" / "harbour.txt").read_text(encoding="utf-8")
    long = corpus_of(text * 10)
    monkeypatch.setattr(forecasting, "TIMES", (60,))
    whole = forecast(long)
    monkeypatch.setattr(forecasting, "LARGEST", len(text) * 2)
    part = forecast(long)
    assert whole is not None
    assert part is not None
    assert part.start == whole.start
    assert part.recommendation.passes == pytest.approx(whole.recommendation.passes, rel=0.1)


def test_the_numbers_are_those_that_fit_the_runs() -> None:
    path = ROOT / "benchmarks" / "forecast.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for law, unit, chosen in (
        (FROM_NOTHING, "read", [row for row in rows if row["base"] is None]),
        (FROM_BASE, "passes", [row for row in rows if row["base"] is not None]),
    ):
        errors = [
            law.nats(row["ngrams"], row["before"], row[unit]) / row["val_loss"] - 1
            for row in chosen
        ]
        assert len(errors) > 20
        assert np.mean(np.abs(errors) <= law.error) >= 0.8
        assert abs(np.mean(errors)) < 0.02
