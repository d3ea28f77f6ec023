"""A run that learns a text: its settings follow the machine and the text."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from charrnn import Config, Corpus, RunConfig, read_corpus
from charrnn.models.start import Start, choose_start
from charrnn.models.text_run import TextRun
from charrnn.parallel import launch
from charrnn.training import budget
from charrnn.training.next_character import NextCharacter
from tests.support import TEXT


def of_length(repeats: int, folder: Path) -> Corpus:
    (folder / "text.txt").write_text(TEXT * repeats)
    return read_corpus([str(folder / "text.txt")])


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return of_length(2, tmp_path)


def run(corpus: Corpus, speed: float, monkeypatch: pytest.MonkeyPatch, **limits: object) -> TextRun:
    """Return a run on a machine that seemed to read this many characters a second."""
    monkeypatch.setattr(budget, "characters_per_second", lambda *_: speed)
    settings = RunConfig(**{"seconds": 1.5, "random_seed": 1, "workers": 1, **limits})  # type: ignore[arg-type]
    config = replace(Config(run=settings), model=replace(Config().model, hidden_size=16))
    return TextRun.new(Start(config), corpus, {"hidden_size"})


# Any machine reads the short text more often than the slow one, none the long one as often as the
# fast one.
@pytest.mark.parametrize(("speed", "repeats"), [(300.0, 2), (3e8, 40)])
def test_what_is_dropped_follows_the_speed_that_the_run_turns_out_to_have(
    speed: float, repeats: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = run(of_length(repeats, tmp_path), speed, monkeypatch)
    before = training.config.model
    events = list(training.events())
    after = training.checkpoint().config.model
    assert events[-1].progress == 1
    assert [event.step for event in events] == list(range(1, len(events) + 1))
    assert replace(after, dropout=0.0, weight_drop=0.0) == replace(
        before, dropout=0.0, weight_drop=0.0
    )
    slow = speed < 1000
    assert (after.dropout > before.dropout) == slow
    assert (after.dropout < before.dropout) != slow
    assert training.state.network.config == after


def test_the_time_before_the_first_step_is_not_counted_as_training(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = run(corpus, 5_000.0, monkeypatch, seconds=10)
    assert isinstance(training.objective, NextCharacter)
    steps = round(5_000 / training.objective.step_size)  # in a second
    for seconds, changes in ((1.5, False), (1.25, False), (1.9, False), (1.0, True), (2.5, True)):
        event = SimpleNamespace(step=steps, seconds=seconds)
        before = training.recommendation
        assert training.measured_again(event, 10, 0.5) == changes  # type: ignore[arg-type]
        training.recommendation = before


def test_a_run_that_drops_more_than_was_expected_keeps_all_else(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "available_cores", lambda: 2)
    monkeypatch.setattr(launch, "start_method", lambda: "fork")
    monkeypatch.setattr(budget, "characters_per_second", lambda *_: 1000.0)
    config = Config(run=RunConfig(seconds=10, random_seed=1))  # processes are left to charrnn
    training = TextRun.new(Start(config), corpus, {"hidden_size"})
    before = training.config
    assert before.run.workers == 2
    event = SimpleNamespace(step=1000, seconds=1.5)
    assert training.measured_again(event, 10, 0.5)  # type: ignore[arg-type]
    after = training.config
    assert after.model != before.model
    assert after == replace(before, model=after.model)
    assert training.objective.config == after  # type: ignore[attr-defined]


def test_a_limit_of_steps_counts_beside_one_of_time(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = run(corpus, 1e6, monkeypatch, seconds=600, steps=200)
    event = SimpleNamespace(step=20, seconds=2.0)
    assert not training.measured_again(event, 600, 0.0)  # type: ignore[arg-type]


def test_a_run_of_so_many_steps_is_as_it_was_recommended(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = run(corpus, 1.0, monkeypatch, seconds=None, steps=30)
    before = training.config
    assert len(list(training.events())) == 30
    assert training.config == before


def test_a_base_model_starts_a_run_on_a_text_that_it_predicts_and_no_other(tmp_path: Path) -> None:
    prose = "The old man walked down to the sea, and he said that it was a good day. " * 30
    (tmp_path / "english.txt").write_text(prose)
    letters = np.random.default_rng(1).choice([*"qwzxkj \n"], 2000)
    (tmp_path / "noise.txt").write_text("".join(letters))
    english, noise = (read_corpus([str(tmp_path / f"{n}.txt")]) for n in ("english", "noise"))
    found = choose_start(None, Config(), set(), english)
    assert found.source is not None
    assert "english" in found.notes[0]
    assert choose_start("none", Config(), set(), english).source is None
    assert choose_start(None, Config(), {"hidden_size"}, english).source is None
    assert choose_start(None, Config(), {"steps"}, english).source is None
    assert choose_start(None, Config(), set(), noise).source is None
    told = choose_start("english", Config(), set(), noise)
    assert told.source is None
    assert "random weights, because english predicts this text at" in told.notes[0]
    assert choose_start("english", Config(), set(), english).source is not None
