"""The training loop: it learns, keeps the best, stops on time, and goes on exactly."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Model, Vocabulary, score, split
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import LanguageModel
from charrnn.scoring.likelihood import evaluate
from charrnn.training.loop import train_events
from charrnn.training.state import TrainingState, initial_state
from charrnn.training.step import StepResult, Trainer
from tests.support import Ids, V, make_config, parts_of, run, train_text


def mean_loss(state: TrainingState, ids: Ids) -> float:
    return evaluate(Ensemble(state.networks), ids).nats_per_char


def assert_same_state(one: TrainingState, other: TrainingState) -> None:
    """Require the same arrays, best weights and numbers, but for the seconds."""
    pairs = zip([*one.arrays(), *one.weights], [*other.arrays(), *other.weights], strict=True)
    for first, second in pairs:
        np.testing.assert_array_equal(first, second)
    assert replace(one.progress, seconds=0) == replace(other.progress, seconds=0)
    losses = [[{**entry, "seconds": 0} for entry in state.history] for state in (one, other)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "settings",
    [{"cell": "rnn"}, {"cell": "lstm", "stride": 5}, {"cell": "gru", "separator": "\n"}],
    ids=str,
)
def test_every_cell_learns_from_streams_windows_and_lines(
    settings: dict[str, Any], ids: Ids
) -> None:
    config = make_config(**settings, steps=300)
    before = mean_loss(initial_state(config, V), ids[-630:])
    assert before == pytest.approx(math.log(V), abs=0.2)
    # With a tenth of noise, the best possible is about 0.5 nats.
    assert run(config, ids).progress.best_val_loss < (1.3 if settings.get("separator") else 1.0)


KINDS: dict[str, dict[str, Any]] = {
    "rnn in windows": {"cell": "rnn", "stride": 5, "optimizer": "rmsprop"},
    "lstm of two layers": {"layers": 2},
    "pieces": {"separator": "\n", "weight_drop": 0.3},
    "ensemble": {"members": 3, "hidden_size": 6},
    "two workers": {"workers": 2},
    "ensemble shared by four": {"members": 2, "workers": 4, "hidden_size": 8},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_run_that_was_stopped_saved_and_loaded_goes_on_as_if_it_had_not(
    kind: dict[str, Any], ids: Ids, tmp_path: Path
) -> None:
    config = make_config(**kind, steps=60, dropout=0.2)
    uninterrupted, stopped = run(config, ids), initial_state(config, V)
    for event in train_text(stopped, config, *parts_of(config, ids)):
        if event.step == 31:
            break
    Model.of(config, Vocabulary("\nabcdef"), stopped).save(tmp_path / "m.npz")
    resumed = Model.load(tmp_path / "m.npz").training_state()
    assert_same_state(run(config, ids, resumed), uninterrupted)


def test_a_longer_limit_trains_on_and_validates_on_the_way(ids: Ids) -> None:
    state = run(make_config(steps=50), ids)
    measured = len(state.history)
    events = list(train_text(state, make_config(steps=200), *split(ids, 0.1)))
    assert len(state.history) - measured > 3
    assert events[0].done < 0.5
    assert events[-1].done == 1


def test_events_tell_what_happened(ids: Ids) -> None:
    config = make_config(epochs=2, schedule="linear")
    train_ids, val_ids = split(ids, 0.1)
    events = list(train_text(initial_state(config, V), config, train_ids, val_ids))
    per_epoch = (len(train_ids) - 1) // (12 * 8)
    assert [event.step for event in events] == list(range(1, 2 * per_epoch + 1))
    assert [event.epoch for event in events] == [1] * per_epoch + [2] * per_epoch
    for name in ("done", "seconds"):
        values = [getattr(event, name) for event in events]
        assert values == sorted(values)
    assert events[-1].done == 1
    assert events[-1].val_loss is not None
    peak = max(event.learning_rate for event in events)
    assert peak > 0.0085
    assert events[-1].learning_rate < 0.1 * peak
    assert all(event.grad_norm > 0 for event in events)


def test_the_best_weights_are_kept_not_the_last(ids: Ids) -> None:
    config = make_config(steps=200, schedule="constant")
    train_ids, val_ids = split(ids, 0.1)
    state, losses = initial_state(config, V), {}
    for event in train_text(state, config, train_ids, val_ids):
        if event.val_loss is not None:
            losses[event.step] = event.val_loss
            assert event.is_best == (event.val_loss == min(losses.values()))
        if event.step == 190:
            state.networks[0].flat[...] = 0
    assert state.progress.best_val_loss == min(losses.values()) < losses[200]
    state.networks[0].flat[...] = state.weights[0]
    assert mean_loss(state, val_ids) == state.progress.best_val_loss


@pytest.mark.parametrize("held_out", [0, 1])  # one character predicts nothing
def test_without_validation_the_latest_weights_are_kept(held_out: int, ids: Ids) -> None:
    config = make_config(steps=5)
    state = initial_state(config, V)
    events = list(train_text(state, config, ids, ids[:held_out]))
    assert [event.val_loss for event in events] == [None] * 5
    assert state.best_weights is None
    np.testing.assert_array_equal(state.weights[0], state.networks[0].flat)


def test_patience_ends_a_run_that_no_longer_improves(ids: Ids) -> None:
    config = make_config(steps=3000, schedule="constant", learning_rate=0.2, patience=1)
    state = run(config, ids)
    assert state.progress.step < 3000
    assert state.progress.evaluations_since_best == 1
    before, last = (entry["val_loss"] for entry in state.history[-2:])
    assert before == state.progress.best_val_loss < (last or 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_with_a_time_limit_that_memorizes_goes_back_to_its_best_weights_and_ends(
    workers: int,
) -> None:
    noise = np.random.default_rng(0).integers(0, V, 2000, np.uint8)  # nothing to learn
    config = make_config(steps=1000, seconds=600, schedule="linear", workers=workers)
    state, events = initial_state(config, V), []
    for event in train_text(state, config, *split(noise, 0.1)):
        events.append(event)
        if event.rollback is not None:
            assert "no longer falls" in event.rollback
            assert state.best_weights is not None
            moved = np.abs(state.networks[0].flat - state.best_weights[0]).max()
            assert moved < 5 * event.learning_rate  # by one step of Adam
            pace = event.seconds / event.step
            assert event.remaining < 0.11 * 1000 * pace  # a tenth of all steps are left
    assert sum(event.rollback is not None for event in events) == 1
    assert len(events) < 500
    assert events[-1].done == 1
    assert events[-1].learning_rate < 0.02 * max(event.learning_rate for event in events)


def test_a_run_that_is_over_does_not_go_back(ids: Ids) -> None:
    config = make_config(steps=1, seconds=600)
    state = initial_state(config, V)
    state.best_weights = [np.zeros_like(state.networks[0].flat)]
    state.advance(best_val_loss=0.0, evaluations_since_best=9)
    (event,) = train_text(state, config, *split(ids, 0.1))
    assert event.val_loss is not None
    assert state.networks[0].flat.any()


def test_every_failure_in_a_row_halves_the_learning_rate(
    ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, failures = Trainer.step, iter([True, True])

    def fail(trainer: Trainer, *args: Any, **kwargs: Any) -> StepResult:
        if trainer.state.progress.step == 5 and next(failures, False):
            raise FloatingPointError("planted")
        return step(trainer, *args, **kwargs)

    monkeypatch.setattr(Trainer, "step", fail)
    assert run(make_config(steps=10), ids).progress.rate_scale == 0.25


def test_a_time_limit_holds_and_the_rate_reaches_zero_there(ids: Ids) -> None:
    config = make_config(seconds=1.0)
    state, started = initial_state(config, V), time.perf_counter()
    events = list(train_text(state, config, *split(ids, 0.1)))
    # Generous: this is about stopping at all, whatever else the machine is doing.
    assert time.perf_counter() - started < 6
    assert events[-1].done == 1
    assert events[-1].learning_rate < 1e-3


def test_training_stops_after_the_step_at_which_it_is_asked_to(ids: Ids) -> None:
    config, asked = make_config(steps=50), iter([False] * 4 + [True] * 9)
    trainer = Trainer(config, ids, ids[:0], initial_state(config, V))
    assert [event.step for event in train_events(trainer, lambda: next(asked))] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("workers", [1, 2])
def test_weights_that_are_not_finite_take_training_back_to_the_last_validation(
    workers: int, ids: Ids
) -> None:
    config = make_config(steps=100, schedule="constant", workers=workers, members=2)
    state, events = initial_state(config, V), []
    for event in train_text(state, config, *split(ids, 0.1)):
        events.append(event)
        if event.val_loss is not None and event.step < 50:
            step, copies = event.step, [array.copy() for array in state.arrays()]
        if len(events) == 50:
            state.networks[1].params["output.bias"][0] = np.nan
            state.slots[0]["mean"][...] = 7
    (notable,) = (event for event in events if event.rollback is not None)
    assert "step 51: the loss is no longer a finite number" in str(notable.rollback)
    assert notable.step == step + 1
    assert notable.learning_rate == pytest.approx(events[48].learning_rate / 2)
    assert events[-1].step == 100
    assert state.progress.best_val_loss < 1.5
    # It went back to exactly what was there: the same steps at that rate from the copy.
    again = initial_state(config, V)
    again.carried = [network.zero_state(8) for network in again.networks]
    for array, copy in zip(again.arrays(), copies, strict=True):
        array[...] = copy
    again.advance(step=step, optimizer_steps=step, rate_scale=0.5)
    for event in train_text(again, config, *split(ids, 0.1)):
        if event.step == step + 1:
            break
    assert event.train_loss == notable.train_loss


@pytest.mark.parametrize("workers", [1, 2])
def test_what_interrupts_an_update_leaves_the_state_of_the_last_validation(
    workers: int, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.step

    def interrupted(trainer: Trainer, *args: Any, **kwargs: Any) -> StepResult:
        if trainer.group.rank == 0 and trainer.state.progress.step == 46:
            trainer.state.networks[0].flat += 1
            raise KeyboardInterrupt
        return step(trainer, *args, **kwargs)

    config = make_config(steps=80, workers=workers)
    monkeypatch.setattr(Trainer, "step", interrupted)
    state, measured = initial_state(config, V), {}
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for event in train_text(state, config, *split(ids, 0.1)):
            if event.val_loss is not None:
                measured[event.step] = [array.copy() for array in state.arrays()]
    last = max(measured)
    assert 0 < last < 46
    assert state.progress.step == state.progress.optimizer_steps == last
    for array, copy in zip(state.arrays(), measured[last], strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_gradient_is_clipped_by_value_and_then_by_norm(ids: Ids) -> None:
    def first_update(**clip: Any) -> Any:
        config = make_config(steps=2, optimizer="sgd", learning_rate=1.0, dtype="float64", **clip)
        state = initial_state(config, V)
        before = state.networks[0].flat.copy()
        event = next(train_text(state, config, ids, ids[:0]))
        return (before - state.networks[0].flat) / event.learning_rate

    gradient = first_update(clip_norm=None)
    clipped = np.clip(gradient, -1e-3, 1e-3)
    by_norm = clipped * (0.005 / np.linalg.norm(clipped))
    assert np.linalg.norm(clipped) > 0.005
    for found, expected in (
        (first_update(clip_norm=0.05), gradient * (0.05 / np.linalg.norm(gradient))),
        (first_update(clip_norm=None, clip_value=1e-3), clipped),
        (first_update(clip_norm=0.005, clip_value=1e-3), by_norm),
        (first_update(clip_norm=1e9), gradient),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_every_network_drops_units_of_its_own(ids: Ids) -> None:
    config = make_config(steps=1, members=2, dropout=0.5)
    state = initial_state(config, V)
    state.networks[1].flat[...] = state.networks[0].flat
    run(config, ids, state)
    assert not np.array_equal(state.networks[1].flat, state.networks[0].flat)


@pytest.mark.parametrize("after", [58, 59])
def test_the_state_is_carried_through_an_epoch_and_zero_at_its_start(after: int, ids: Ids) -> None:
    losses = []
    for poison in (0.0, 9.0):
        config = make_config(epochs=2)
        state = initial_state(config, V)
        for event in train_text(state, config, *split(ids, 0.1)):
            if event.step == after + 1:
                losses.append(event.train_loss)
                break
            if event.step == after and poison:
                assert state.carried is not None
                for layer in state.carried[0]:
                    for part in layer:
                        part.fill(poison)
        first_of_epoch = event.epoch == 2
    assert first_of_epoch == (after == 59)
    assert (losses[0] == losses[1]) == first_of_epoch


def test_validation_is_the_score_of_the_held_out_text(ids: Ids) -> None:
    state = run(make_config(steps=100, members=2), ids)
    # One stream of less than a window: nothing starts cold but the first character. Many streams
    # each start cold once, which costs little.
    for tail, precision in ((ids[-60:], 1e-5), (ids[-4000:], 0.05)):
        expected = score(Ensemble(state.networks), tail).nats_per_char
        assert mean_loss(state, tail) == pytest.approx(expected, rel=precision)


def test_the_networks_of_an_ensemble_are_trained_as_each_would_be_alone(ids: Ids) -> None:
    config = make_config(steps=20, members=2, clip_norm=0.1)
    together = run(config, ids)
    first = run(replace(config, model=replace(config.model, members=1)), ids)
    np.testing.assert_array_equal(together.networks[0].flat, first.networks[0].flat)
    assert isinstance(together.networks[1], LanguageModel)
    assert not np.array_equal(together.networks[1].flat, first.networks[0].flat)
