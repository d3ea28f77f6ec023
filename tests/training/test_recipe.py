"""What is chosen for a text and a budget, and what is left to the user."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from charrnn.config import Config, RunConfig
from charrnn.parallel import launch
from charrnn.training import recipe
from charrnn.training.recipe import (
    FIXED_COST,
    MAX_MEMBERS,
    MAX_TUNING_PASSES,
    MIN_GAIN,
    MIN_UNITS,
    TIMED_UNITS,
    choose_dropout,
    choose_rate,
    lower_rate,
    recommend,
    shrink_batch,
    use_cores,
)

V = 60


def text(length: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(V, size=length).astype(np.uint8)


def config(**limits: Any) -> Config:
    return Config(run=RunConfig(**({"seconds": None, "random_seed": 1, "workers": 1} | limits)))


def speed(hidden_size: int) -> float:
    """Return characters per second on a machine that trains the trial model at 40,000."""
    costs = [FIXED_COST + (4 * size + V) * size for size in (TIMED_UNITS, hidden_size)]
    return 40_000.0 * costs[0] / costs[1]


@pytest.fixture
def quick_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend to train on such a machine."""
    monkeypatch.setattr(recipe, "measure_speed", lambda config, *_: speed(config.model.hidden_size))


def test_a_size_that_is_slower_than_expected_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def slow_beyond_256(config: Config, *_: object) -> float:
        measured.append(size := config.model.hidden_size)
        return speed(size) * (1.0 if size <= 256 else 0.3)

    monkeypatch.setattr(recipe, "measure_speed", slow_beyond_256)
    recommended = recommend(config(seconds=300), set(), text(1_000_000), V)
    assert measured == [256, 384]
    assert recommended.config.model.hidden_size == 256


def test_with_steps_or_epochs_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise AssertionError("the speed was measured")

    monkeypatch.setattr(recipe, "measure_speed", fail)
    ids = text(200_000)
    short = recommend(config(steps=100), set(), ids, V).config
    long = recommend(config(epochs=20), set(), ids, V).config
    assert short.model.hidden_size < long.model.hidden_size
    assert long.run.epochs == 20
    assert short == recommend(config(steps=100), set(), ids, V).config


@pytest.mark.usefixtures("quick_machine")
def test_what_the_user_gave_stays() -> None:
    base = config(seconds=600, epochs=400)
    given = replace(
        base,
        model=replace(base.model, cell="gru", hidden_size=77, dropout=0.33, weight_drop=0.11),
        optimizer=replace(base.optimizer, learning_rate=0.5),
    )
    fixed = {"cell", "hidden_size", "dropout", "weight_drop", "learning_rate", "epochs"}
    assert recommend(given, fixed, text(20_000), V).config == given
    chosen = recommend(given, fixed - {"dropout"}, text(20_000), V).config
    assert chosen == replace(given, model=replace(given.model, dropout=chosen.model.dropout))
    assert chosen.model.dropout != 0.33


def test_other_optimizers_keep_their_rate() -> None:
    rmsprop = replace(config(steps=100), optimizer=replace(Config().optimizer, name="rmsprop"))
    chosen = recommend(rmsprop, set(), text(50_000), V).config
    assert chosen.optimizer == rmsprop.optimizer


def test_a_slow_first_step_does_not_count_and_a_short_run_has_a_short_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[int] = []
    base = config(seconds=260)
    expected = base.data.seq_length * base.data.batch_size / 0.1
    assert 100 < recipe.measure_speed(base, text(50_000), V) < 1e8  # in earnest

    def train_events(*_: object) -> Iterator[SimpleNamespace]:
        for step in range(1, 100):
            taken.append(step)
            yield SimpleNamespace(step=step, seconds=5.0 + step / 10)

    monkeypatch.setattr(recipe, "train_events", train_events)
    assert recipe.measure_speed(base, text(50_000), V) == pytest.approx(expected)
    assert len(taken) == 3  # a fiftieth of the run is over


@pytest.mark.usefixtures("quick_machine")
@pytest.mark.parametrize(
    ("length", "seconds", "shape", "dropped", "rate"),
    [
        (100, 60, (48, 1), (0.45, 0.7), 0.03),
        (16_000, 40, (64, 4), (0.3, 0.3), 0.03),
        (50_000, 40, (128, 2), (0.25, 0.3), 0.03),
        (1_000_000, 20, (192, 1), (0.0, 0.0), 0.03),
        (1_000_000, 300, (256, 2), (0.1, 0.0), 0.03),
        (100_000_000, 300, (256, 2), (0.0, 0.0), 0.03),
        (100_000_000, 28_800, (512, 4), (0.0, 0.0), 0.015),
    ],
)
def test_what_is_recommended_for_known_texts_and_times(
    length: int, seconds: int, shape: tuple[int, int], dropped: tuple[float, float], rate: float
) -> None:
    ids = np.broadcast_to(np.uint8(0), length)  # of 100 to 1e8 characters
    model = (chosen := recommend(config(seconds=seconds), set(), ids, V).config).model
    assert (model.hidden_size, model.members) == shape
    assert (model.dropout, model.weight_drop) == dropped
    assert chosen.optimizer.learning_rate == rate


def test_fine_tuning_grows_more_careful_with_every_pass_and_with_what_is_known() -> None:
    # Smaller steps and fewer dropped weights than from random weights, whatever the passes.
    model = replace(Config().model, hidden_size=512)
    all_passes = (0.1, 3, 8, 22, 1e9)
    rates = [lower_rate(0.015, passes, gain=0.2) for passes in all_passes]
    assert rates == sorted(rates, reverse=True)
    assert rates[:2] == [pytest.approx(0.8 * 0.015)] * 2
    by_gain = [lower_rate(0.015, 20, gain) for gain in (-1, 0.2, 0.4, 0.6, 0.9, 1)]
    assert by_gain == sorted(by_gain, reverse=True)
    assert by_gain[0] == by_gain[1] > by_gain[2] > by_gain[3] == by_gain[-1] > 0
    chances = [choose_dropout(model, it, 1_000_000, fine_tuning=True) for it in all_passes]
    assert chances == sorted(chances)
    assert (chances[0], chances[-1]) == ((0, 0), (0.35, 0.2))
    # As much as from nothing where the text is read often.
    assert {choose_dropout(model, 8, 1_000_000, fine_tuning=tuned)[0] for tuned in
            (False, True)} == {0.15}  # fmt: skip
    assert choose_dropout(model, 1e9, 1_000_000, fine_tuning=False) == (0.5, 0.7)


@pytest.mark.usefixtures("quick_machine")
def test_fine_tuning_ends_when_nothing_is_left_to_gain() -> None:
    base = replace(config(seconds=300), model=replace(Config().model, hidden_size=512))
    fixed = {"hidden_size", "members"}
    tuned = [recommend(base, fixed, text(50_000), V, gain=gain) for gain in (MIN_GAIN, 0.4, 0.999)]
    assert all(it.enough for it in tuned)
    # The less there is to learn, the fewer passes.
    passes = [it.config.run.epochs for it in tuned]
    assert passes == [MAX_TUNING_PASSES, 29, MAX_TUNING_PASSES // 2]
    for gain in (None, MIN_GAIN - 0.01):
        assert not recommend(base, fixed, text(50_000), V, gain=gain).enough
    assert not recommend(base, fixed, text(5_000_000), V, gain=0.5).enough


@pytest.mark.parametrize(
    ("length", "windows"), [(100, 8), (5_000, 8), (5_120, 16), (10_240, 32), (1_000_000, 32)]
)
def test_a_pass_through_a_short_text_has_smaller_batches(length: int, windows: int) -> None:
    whole = config(seconds=60)
    assert shrink_batch(whole, set(), length).data == replace(whole.data, batch_size=windows)
    # Not those that someone gave; with given steps, that would mean to read less.
    assert shrink_batch(whole, {"batch_size"}, length) == whole
    assert shrink_batch(config(steps=100), set(), length) == config(steps=100)
    # Each process that someone asked for needs a window.
    asked = shrink_batch(config(seconds=60, workers=12), set(), length)
    assert asked.data.batch_size == max(windows, 12)
    # Overlapping windows are more.
    overlapping = replace(whole, data=replace(whole.data, stride=1))
    assert shrink_batch(overlapping, set(), 320) == overlapping


def test_a_smaller_batch_learns_at_a_lower_rate() -> None:
    model = Config().model
    rates = [choose_rate(model, windows) for windows in (8, 16, 32, 128)]
    assert rates == [0.015, 0.021, 0.03, 0.03]


@pytest.mark.usefixtures("quick_machine")
@pytest.mark.parametrize("length", [20_000, 95_000, 101_000, 300_000, 100_000_000])
def test_more_time_never_buys_fewer_units(length: int) -> None:
    ids = np.broadcast_to(np.uint8(0), length)
    models = [
        recommend(config(seconds=seconds), set(), ids, V).config.model
        for seconds in (5, 20, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800)
    ]
    units = [model.hidden_size * model.members for model in models]
    assert units == sorted(units)
    assert len(set(units)) >= 3
    assert all(model.hidden_size >= MIN_UNITS for model in models if model.members > 1)


@pytest.mark.usefixtures("quick_machine")
def test_a_model_that_memory_does_not_hold_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.broadcast_to(np.uint8(0), 100_000_000)

    def largest() -> int:
        model = recommend(config(seconds=28_800), set(), ids, V).config.model
        return model.hidden_size * model.members

    everything = largest()
    monkeypatch.setattr(recipe, "available_memory", lambda: 300 << 20)
    assert 48 < largest() < everything
    monkeypatch.setattr(recipe, "available_memory", lambda: 0)
    assert largest() == 48


LONG = 1_000_000


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    ("cores", "networks", "windows", "processes"),
    [(1, 1, 32, 1), (2, 1, 32, 2), (5, 2, 32, 4), (7, 2, 48, 6), (8, 4, 32, 8), (16, 4, 64, 16),
     (96, 4, 128, 32)],
)  # fmt: skip
def test_more_cores_train_more_networks_then_read_more_windows(
    cores: int, networks: int, windows: int, processes: int, *, asked: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for module in (recipe, launch):
        monkeypatch.setattr(module, "available_cores", lambda: 3 if asked else cores)
    # All processes that someone asked for get work; of the cores, as many as come out even.
    workers = processes if asked else None
    base = Config(run=RunConfig(seconds=60, random_seed=1, workers=workers))
    model, data = (found := use_cores(base, set(), LONG)).model, found.data
    assert (model.members, data.batch_size) == (networks, windows)
    if not asked:
        assert launch.default_workers(model, data.seq_length, data.batch_size) == processes


def test_a_size_a_batch_or_steps_that_someone_gave_stay_on_many_cores() -> None:
    asked, steps = config(seconds=60, workers=8), config(steps=100, workers=8)
    for fixed in ({"hidden_size"}, {"members"}):
        found = use_cores(asked, fixed, LONG)
        assert (found.model.members, found.data.batch_size) == (1, 128)
    assert use_cores(steps, set(), LONG) == steps
    assert use_cores(asked, {"batch_size"}, LONG).data == asked.data
    assert use_cores(asked, set(), 20_000).data == asked.data


def test_the_networks_are_those_that_two_cores_would_train(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, measured = np.broadcast_to(np.uint8(0), LONG), []

    def measure(trial: Config, *_: object) -> float:
        measured.append((trial.model.hidden_size, trial.model.members))
        return 40_000 * 256**2 / trial.model.hidden_size**2

    monkeypatch.setattr(recipe, "measure_speed", measure)
    chosen = []
    for workers in (2, 8):
        base = use_cores(config(seconds=60, workers=workers), {"batch_size"}, LONG)
        chosen.append(recommend(base, set(), ids, V))
        assert chosen[-1].config.model.members <= MAX_MEMBERS
    two, eight = chosen
    assert measured == [(256, 1), (256, 4)]
    assert replace(eight.config.model, members=1) == two.config.model
    assert eight.config.optimizer == two.config.optimizer
    assert eight.passes == two.passes
