"""The training loop: it learns, keeps the best, stops on time, and goes on exactly."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from charrnn import Config, Event, LanguageModel, TrainingError, fit_config, score, split
from charrnn.inference.evaluation import evaluate
from charrnn.training.loop import _Trainer
from charrnn.training.next_character import initial_state
from tests.support import Ids, V, make_config, run, train_text


def mean_loss(model: LanguageModel, ids: Ids) -> float:
    nats, chars = evaluate(model, ids)
    return nats / chars


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("stride", [None, 5])
def test_every_cell_learns(cell: str, stride: int | None, ids: Ids) -> None:
    config = make_config(cell=cell, stride=stride, steps=300)
    before = mean_loss(initial_state(config, V).network, ids[-630:])
    state = run(config, ids)
    assert before == pytest.approx(math.log(V), abs=0.2)
    # With a tenth of noise, the best possible is about 0.5 nats.
    assert state.progress.best_val_loss < 1.0


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"), [("sgd", 2.0), ("adagrad", 0.1), ("rmsprop", 0.01)]
)
def test_every_optimizer_learns(optimizer: str, learning_rate: float, ids: Ids) -> None:
    config = make_config(optimizer=optimizer, learning_rate=learning_rate, steps=300)
    assert run(config, ids).progress.best_val_loss < 1.2


@pytest.mark.parametrize("stride", [None, 5])
def test_the_same_random_seed_gives_the_same_weights(stride: int | None, ids: Ids) -> None:
    config = make_config(steps=20, stride=stride, dropout=0.2)
    first, again = run(config, ids), run(config, ids)
    np.testing.assert_array_equal(first.network.flat, again.network.flat)
    other = run(replace(config, run=replace(config.run, random_seed=2)), ids)
    assert not np.array_equal(first.network.flat, other.network.flat)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("stride", [None, 5])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    cell: str, stride: int | None, ids: Ids
) -> None:
    config = make_config(cell=cell, stride=stride, steps=80, dropout=0.2, layers=2)
    whole = run(config, ids)
    train_ids, val_ids = split(ids, 0.1)
    stopped = initial_state(config, V)
    for event in train_text(stopped, config, train_ids, val_ids):
        if event.step == 41:
            break
    resumed = run(config, ids, stopped)
    np.testing.assert_array_equal(resumed.network.flat, whole.network.flat)
    for name, slot in whole.slots.items():
        np.testing.assert_array_equal(resumed.slots[name], slot)
    assert resumed.progress.best_val_loss == whole.progress.best_val_loss
    assert [entry["step"] for entry in resumed.history] == [
        entry["step"] for entry in whole.history
    ]


def test_a_longer_time_limit_trains_on_and_validates_on_the_way(ids: Ids) -> None:
    train_ids, val_ids = split(ids, 0.1)
    state = initial_state(make_config(seconds=0.5), V)
    list(train_text(state, make_config(seconds=0.5), train_ids, val_ids))
    first_end, measured = state.progress.seconds, len(state.history)
    events = list(train_text(state, make_config(seconds=2.0), train_ids, val_ids))
    # It goes on for most of what was added, and its first step is not taken for a slow one.
    assert state.progress.seconds - first_end > 1.0
    assert events[0].progress < 0.5
    assert events[-1].progress == 1
    assert len(state.history) - measured > 3


def test_more_steps_validate_on_the_way_too(ids: Ids) -> None:
    state = run(make_config(steps=100), ids)
    measured = len(state.history)
    run(make_config(steps=400), ids, state)
    assert len(state.history) - measured > 3


def test_events_tell_what_happened(ids: Ids) -> None:
    config = make_config(epochs=2, schedule="linear")
    train_ids, val_ids = split(ids, 0.1)
    state = initial_state(config, V)
    events = list(train_text(state, config, train_ids, val_ids))
    per_epoch = (len(train_ids) - 1) // (12 * 8)
    assert [event.step for event in events] == list(range(1, 2 * per_epoch + 1))
    assert [event.epoch for event in events] == [1] * per_epoch + [2] * per_epoch
    assert [event.progress for event in events] == sorted(event.progress for event in events)
    assert events[-1].progress == 1
    assert events[-1].val_loss is not None
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)
    peak = max(event.learning_rate for event in events)
    assert peak > 0.0085
    assert events[-1].learning_rate < 0.1 * peak
    assert all(event.grad_norm > 0 for event in events)


def test_the_best_weights_are_kept_not_the_last(ids: Ids) -> None:
    # A rate far too high for the end of training makes late weights worse than early ones.
    config = make_config(steps=200, schedule="constant", learning_rate=0.05)
    train_ids, val_ids = split(ids, 0.1)
    state = initial_state(config, V)
    losses = {}
    for event in train_text(state, config, train_ids, val_ids):
        if event.val_loss is not None:
            losses[event.step] = event.val_loss
            assert event.is_best == (event.val_loss == min(losses.values()))
    assert state.progress.best_val_loss == min(losses.values())
    state.network.flat[...] = state.weights
    assert mean_loss(state.network, val_ids) == state.progress.best_val_loss


def test_patience_ends_a_run_that_no_longer_improves(ids: Ids) -> None:
    config = make_config(steps=3000, schedule="constant", learning_rate=0.05, patience=2)
    state = run(config, ids)
    assert state.progress.step < 3000
    assert state.progress.evaluations_since_best == 2


def test_a_time_limit_holds_and_the_rate_reaches_zero_there(ids: Ids) -> None:
    config = make_config(seconds=3.0)
    train_ids, val_ids = split(ids, 0.1)
    started = time.perf_counter()
    events = list(train_text(initial_state(config, V), config, train_ids, val_ids))
    # Generous: this is about stopping at all, whatever else the machine is doing.
    assert time.perf_counter() - started < 6
    assert events[-1].progress == 1
    assert events[-1].learning_rate < 1e-3


def test_the_state_is_carried_in_streams_and_not_in_windows(ids: Ids) -> None:
    streams = run(make_config(steps=3), ids)
    assert streams.carried is not None
    assert any(part.any() for layer in streams.carried for part in layer)
    assert run(make_config(steps=3, stride=5), ids).carried is None


def test_a_loss_that_is_not_finite_takes_training_back_to_the_last_good_state(ids: Ids) -> None:
    config = make_config(steps=100, schedule="constant")
    state = initial_state(config, V)
    events = []
    for event in train_text(state, config, *split(ids, 0.1)):
        events.append(event)
        if len(events) == 50:
            measured = [e.step for e in events if e.val_loss is not None]
            state.network.params["output.bias"][0] = np.nan
    (notable,) = (event for event in events if event.rollback is not None)
    assert "step 51: the loss is no longer a finite number" in str(notable.rollback)
    assert notable.step == measured[-1] + 1
    assert notable.learning_rate == pytest.approx(events[48].learning_rate / 2)
    assert events[-1].step == 100
    assert np.isfinite(state.network.flat).all()
    assert state.progress.best_val_loss < 1.5


def test_a_rollback_restores_everything_but_the_clock(ids: Ids) -> None:
    config = make_config(steps=60, dropout=0.2)
    calm, shaken = initial_state(config, V), initial_state(config, V)
    for event in train_text(calm, config, *split(ids, 0.1)):
        if event.val_loss is not None:
            break
    back_to = calm.progress.step
    for event in train_text(shaken, config, *split(ids, 0.1)):
        if event.step == back_to + 5 and event.rollback is None:
            shaken.network.flat[...] = np.nan
            shaken.advance(rate_scale=2.0)  # halved to 1, so that the steps to compare are the same
        if event.rollback is not None:
            break
    for event in train_text(calm, config, *split(ids, 0.1)):
        if event.step == shaken.progress.step:
            break
    np.testing.assert_array_equal(calm.network.flat, shaken.network.flat)
    for name, slot in calm.slots.items():
        np.testing.assert_array_equal(shaken.slots[name], slot)


def test_training_that_cannot_be_saved_gives_up_with_usable_weights(ids: Ids) -> None:
    config = make_config(
        steps=50, optimizer="sgd", learning_rate=1e300, schedule="constant", clip_norm=None
    )
    state = initial_state(config, V)
    with pytest.raises(TrainingError, match=r"4 lower learning rates did not help"):
        list(train_text(state, config, *split(ids, 0.1)))
    assert np.isfinite(state.network.flat).all()
    assert np.isfinite(mean_loss(state.network, ids[:200]))


def test_without_validation_the_latest_weights_are_kept(ids: Ids) -> None:
    state = run(make_config(steps=5, val_fraction=0.0), ids)
    assert state.best_weights is None
    np.testing.assert_array_equal(state.weights, state.network.flat)


@pytest.mark.parametrize(
    ("length", "fraction", "held_out"),
    [
        (1000, None, 0),
        (9_999, None, 0),
        (2**26 + 1, None, 10_000),
        (1000, 0.25, 250),
        (1000, 0.0, 0),
        (10, 0.1, 0),
    ],
)
def test_the_tail_is_held_out(length: int, fraction: float | None, held_out: int) -> None:
    ids = np.zeros(length, np.uint8)
    ids[length - held_out :] = 1
    train_ids, val_ids = split(ids, fraction)
    assert (len(train_ids), len(val_ids)) == (length - held_out, held_out)
    assert not train_ids.any()
    assert val_ids.all()


@pytest.mark.parametrize(
    ("length", "held_out"), [(10_000, 500), (12_347, 610), (1_000_000, 10_000)]
)
def test_by_default_passages_from_all_over_the_text_are_held_out(
    length: int, held_out: int
) -> None:
    ids = np.arange(length, dtype=np.uint32)
    train_ids, val_ids = split(ids, None)
    assert len(val_ids) == held_out
    np.testing.assert_array_equal(np.sort(np.concatenate([train_ids, val_ids])), ids)
    passages = np.split(val_ids, np.flatnonzero(np.diff(val_ids) != 1) + 1)
    assert [len(passage) for passage in passages] == [held_out // 10] * 10
    assert val_ids[-1] == length - 1
    # one in each tenth
    assert [int(passage[0]) * 10 // length for passage in passages] == list(range(10))


def test_validation_is_the_score_of_the_held_out_text(ids: Ids) -> None:
    model = run(make_config(steps=100), ids).network
    # One stream of less than a window: nothing starts cold but the first character.
    tail = ids[-60:]
    assert mean_loss(model, tail) == pytest.approx(score(model, tail).nats_per_char, rel=1e-5)
    # Many streams each start cold once, which costs little.
    tail = ids[-4000:]
    assert mean_loss(model, tail) == pytest.approx(score(model, tail).nats_per_char, rel=0.05)


def test_a_short_text_gets_smaller_batches_then_shorter_windows() -> None:
    config = Config()
    fitted = [fit_config(config, n).data for n in (100_000, 200, 20, 2)]
    assert [(data.seq_length, data.batch_size) for data in fitted] == [
        (config.data.seq_length, config.data.batch_size),
        (config.data.seq_length, 199 // config.data.seq_length),
        (19, 1),
        (1, 1),
    ]


def test_what_interrupts_an_update_leaves_the_state_as_it_was_last_measured(
    ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(trainer: _Trainer) -> Event:
        event = step(trainer)
        if event.step == 47:
            trainer.state.network.flat += 1
            raise KeyboardInterrupt
        return event

    step, config = _Trainer.step, make_config(steps=80, learning_rate=0.01)
    monkeypatch.setattr(_Trainer, "step", interrupted)
    state, measured = initial_state(config, V), {}
    train_ids, val_ids = split(ids, 0.1)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for event in train_text(state, config, train_ids, val_ids):
            if event.val_loss is not None:
                measured[event.step] = state.network.flat.copy()
    last = max(measured)
    assert 0 < last < 47
    assert state.progress.step == last
    np.testing.assert_array_equal(state.network.flat, measured[last])
