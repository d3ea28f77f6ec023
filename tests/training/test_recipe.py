"""What is chosen for a text and a budget, and what is left to the user."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from charrnn.config import Config, RunConfig
from charrnn.training import budget, memory, recipe
from charrnn.training.recipe import SIZES, SMALLEST_MEMBER, dropout, recommend, weight_drop

V = 60


def text(length: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(V, size=length).astype(np.uint8)


def config(**limits: Any) -> Config:
    return Config(run=RunConfig(**({"seconds": None, "random_seed": 1, "workers": 1} | limits)))


def speed(hidden_size: int) -> float:
    """Return characters per second on a machine that trains the trial model at 40,000."""
    costs = [budget.FIXED_COST + (4 * size + V) * size for size in (budget.TRIAL_SIZE, hidden_size)]
    return 40_000.0 * costs[0] / costs[1]


@pytest.fixture
def quick_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend to train on such a machine."""
    monkeypatch.setattr(
        budget, "characters_per_second", lambda config, *_: speed(config.model.hidden_size)
    )


def test_a_size_that_is_slower_than_expected_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def slow_beyond_256(config: Config, *_: object) -> float:
        measured.append(size := config.model.hidden_size)
        return speed(size) * (1.0 if size <= 256 else 0.3)

    monkeypatch.setattr(budget, "characters_per_second", slow_beyond_256)
    recommended = recommend(config(seconds=300), set(), text(1_000_000), V)
    assert measured == [256, 384]
    assert recommended.config.model.hidden_size == 256


@pytest.mark.usefixtures("quick_machine")
def test_more_time_buys_a_larger_model_up_to_what_the_text_is_worth() -> None:
    sizes = [
        recommend(config(seconds=seconds), set(), text(1_000_000), V).config.model.hidden_size
        for seconds in (2, 20, 60, 300, 3600)
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) >= 4
    little = recommend(config(seconds=3600), set(), text(20_000), V)
    assert little.enough  # an hour is more than 20 KB are worth
    assert little.config.model.hidden_size < sizes[-1]
    assert little.config.run.epochs is not None


@pytest.mark.usefixtures("quick_machine")
def test_members_are_chosen_for_every_size() -> None:
    chosen = {
        (model.hidden_size, model.members)
        for length in (300, 1000, 2000, 5000, 20_000)
        for seconds in (1, 3, 6, 15, 60)
        for model in [recommend(config(seconds=seconds), set(), text(length), V).config.model]
    }
    assert any(size == 96 and members > 1 for size, members in chosen)
    assert all(size // members >= SMALLEST_MEMBER for size, members in chosen if members > 1)


@pytest.mark.usefixtures("quick_machine")
def test_the_more_often_a_text_is_read_the_more_is_dropped() -> None:
    models = [
        recommend(config(seconds=60), {"hidden_size"}, text(length), V).config.model
        for length in (10_000_000, 1_000_000, 100_000, 20_000)
    ]
    assert all(model.members == 1 for model in models)  # whose size is given
    for name in ("dropout", "weight_drop"):
        shares = [getattr(model, name) for model in models]
        assert shares == sorted(shares)
        assert shares[0] == 0 < shares[-1] < 1
    assert dropout(0.01) == weight_drop(0.01, 1) == 0
    assert dropout(1e9) < 1
    assert weight_drop(1e9, 1e9) < 1


def test_with_steps_or_epochs_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise AssertionError("the speed was measured")

    monkeypatch.setattr(budget, "characters_per_second", fail)
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


@pytest.mark.usefixtures("quick_machine")
def test_the_rate_falls_with_the_size_and_other_optimizers_keep_theirs() -> None:
    rates = [
        recommend(
            replace(config(steps=100), model=replace(Config().model, hidden_size=size)),
            {"hidden_size"},
            text(50_000),
            V,
        ).config.optimizer.peak_learning_rate
        for size in (SIZES[0], 256, SIZES[-1])
    ]
    assert rates == sorted(rates, reverse=True)
    rmsprop = replace(config(steps=100), optimizer=replace(Config().optimizer, name="rmsprop"))
    chosen = recommend(rmsprop, set(), text(50_000), V).config
    assert chosen.optimizer == rmsprop.optimizer


def test_the_speed_is_measured_on_the_text_itself() -> None:
    speed = budget.characters_per_second(config(seconds=60), text(50_000), V)
    assert 100 < speed < 1e8


def test_a_slow_first_step_does_not_count_and_a_short_run_has_a_short_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[int] = []

    def train_events(*_: object) -> Iterator[SimpleNamespace]:
        for step in range(1, 100):
            taken.append(step)
            yield SimpleNamespace(step=step, seconds=5.0 + step / 10)

    monkeypatch.setattr(budget, "train_events", train_events)
    data = config(seconds=260).data
    speed = budget.characters_per_second(config(seconds=260), text(50_000), V)
    assert speed == pytest.approx(data.seq_length * data.batch_size / 0.1)
    assert len(taken) == 3  # a fiftieth of the run is over


@pytest.mark.usefixtures("quick_machine")
@pytest.mark.parametrize(
    ("length", "seconds", "shape", "dropped", "rate"),
    [
        (100, 60, (48, 1), (0.45, 0.7), 0.03),
        (16_000, 40, (256, 4), (0.35, 0.3), 0.03),
        (50_000, 40, (256, 2), (0.3, 0.3), 0.03),
        (1_000_000, 20, (192, 1), (0.0, 0.0), 0.03),
        (1_000_000, 300, (512, 2), (0.1, 0.0), 0.03),
        (100_000_000, 300, (512, 2), (0.0, 0.0), 0.03),
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


@pytest.mark.usefixtures("quick_machine")
@pytest.mark.parametrize("length", [20_000, 60_000, 300_000, 5_000_000])
def test_fine_tuning_takes_smaller_steps_and_drops_few_weights(length: int) -> None:
    base = replace(config(seconds=60), model=replace(Config().model, hidden_size=512))
    fixed = {"hidden_size", "members"}
    tuned = recommend(base, fixed, text(length), V, fine_tuning=True).config
    fresh = recommend(base, fixed, text(length), V).config
    assert tuned.optimizer.peak_learning_rate < fresh.optimizer.peak_learning_rate
    assert tuned.model.hidden_size == 512
    assert tuned.model.members == 1
    assert tuned.model.weight_drop <= 0.2
    assert tuned.model.dropout <= 0.35
    given = recommend(base, {*fixed, "dropout", "weight_drop"}, text(length), V, fine_tuning=True)
    assert given.config.model == base.model


@pytest.mark.usefixtures("quick_machine")
def test_every_network_of_an_ensemble_is_tuned_like_one_alone() -> None:
    fixed = {"hidden_size", "members"}
    one, four = (
        recommend(
            replace(config(epochs=20), model=replace(Config().model, hidden_size=H, members=K)),
            fixed,
            text(1_000_000),
            V,
            fine_tuning=True,
        ).config
        for H, K in ((256, 1), (1024, 4))
    )
    assert one.model.dropout > 0
    assert one.model.weight_drop > four.model.weight_drop  # lost in the mean
    model = replace(one.model, hidden_size=1024, members=4, weight_drop=four.model.weight_drop)
    assert four == replace(one, model=model)


@pytest.mark.usefixtures("quick_machine")
@pytest.mark.parametrize("members", [2, 32, 64])
def test_the_units_can_be_divided_among_the_members_that_someone_asked_for(members: int) -> None:
    base = replace(config(seconds=2), model=replace(Config().model, members=members))
    model = recommend(base, {"members"}, text(20_000), V).config.model
    assert model.members == members
    assert model.hidden_size % members == 0


@pytest.mark.usefixtures("quick_machine")
def test_fine_tuning_ends_when_nothing_is_left_to_gain() -> None:
    base = replace(config(seconds=300), model=replace(Config().model, hidden_size=512))
    fixed = {"hidden_size", "members"}
    tuned = recommend(base, fixed, text(50_000), V, fine_tuning=True, known=True)
    assert tuned.enough
    assert tuned.config.run.epochs == recipe.TUNING_PASSES
    assert not recommend(base, fixed, text(50_000), V).enough
    assert not recommend(base, fixed, text(50_000), V, fine_tuning=True).enough
    assert not recommend(base, fixed, text(5_000_000), V, fine_tuning=True, known=True).enough


@pytest.mark.usefixtures("quick_machine")
@pytest.mark.parametrize("length", [20_000, 95_000, 101_000, 300_000, 1_000_000, 100_000_000])
def test_more_time_never_buys_fewer_units(length: int) -> None:
    ids = np.broadcast_to(np.uint8(0), length)
    units = [
        recommend(config(seconds=seconds), set(), ids, V).config.model.hidden_size
        for seconds in (5, 20, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800)
    ]
    assert units == sorted(units)


@pytest.mark.usefixtures("quick_machine")
def test_a_model_that_memory_does_not_hold_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.broadcast_to(np.uint8(0), 100_000_000)

    def largest() -> int:
        return recommend(config(seconds=28_800), set(), ids, V).config.model.hidden_size

    everything = largest()
    monkeypatch.setattr(memory, "available", lambda: 300 << 20)
    assert 48 < largest() < everything
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert largest() == 48
    base = replace(config(seconds=2), model=replace(Config().model, members=32))
    assert recommend(base, {"members"}, ids, V).config.model.hidden_size == 64


def test_fine_tuning_grows_more_careful_with_every_pass() -> None:
    model = replace(Config().model, hidden_size=512)
    rates = [recipe.fine_tuning_rate(model, passes) for passes in (0.5, 3, 8, 22, 100)]
    assert rates == sorted(rates, reverse=True)
    assert rates[:2] == [pytest.approx(0.8 * recipe.peak_rate(model))] * 2
    shares = [recipe.fine_tuning_dropout(overfit) for overfit in (0.1, 6, 150, 1300, 1e9)]
    assert shares == sorted(shares)
    assert shares[0] == (0.0, 0.0)
    assert shares[-1] == (0.35, 0.2)


def test_a_text_that_is_soon_known_by_heart_gets_more_members() -> None:
    counts = [recipe.members(passes, 2.0) for passes in (1, 10, 100, 1000)]
    assert counts == [1, 1, 2, 4]
