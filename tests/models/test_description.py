"""What a checkpoint says about its model is what happened in its run."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import charrnn
from charrnn import Model
from charrnn.models.description import describe, loss_curve
from charrnn.models.train import prepare_run
from tests.support import TEXT, call


def run(*words: str, cwd: Path) -> None:
    done = call(*words, cwd=cwd)
    assert done.returncode == 0, done.err


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT * 8)
    return tmp_path / "text.txt"


def train(text: Path, **settings: Any) -> tuple[Model, list[charrnn.Event]]:
    events: list[charrnn.Event] = []
    settings = {"hidden_size": 8, "steps": 40, "random_seed": 1} | settings
    return charrnn.train(str(text), on_event=events.append, **settings), events


@pytest.mark.parametrize("how", [{}, {"stride": 5}, {"lines": True}, {"val_fraction": 0.0}])
def test_it_says_what_happened_in_the_run(how: dict[str, Any], text: Path) -> None:
    model, events = train(text, seq_length=10, batch_size=16, **how)
    model.save(text.with_name("m.npz"))
    found = describe(text.with_name("m.npz"))
    assert (found["steps"], found["resumable"]) == (40, True)
    assert found["bytes"] == text.with_name("m.npz").stat().st_size
    assert found["parameters"] == sum(array.size for array in model.weights.values())
    assert (found["chars"], found["vocab_size"]) == (len(TEXT * 8), len(set(TEXT)))
    assert (found["sources"], found["start"]) == (["text.txt"], "none")
    assert events[-1].epoch - 1 < found["passes"] <= events[-1].epoch
    measured = [(event.val_loss, event.step) for event in events if event.val_loss is not None]
    assert loss_curve(found["history"], "val_loss") == [
        (round(event.seconds, 3), event.val_loss) for event in events if event.val_loss is not None
    ]
    assert len(loss_curve(found["history"], "train_loss")) == len(found["history"])
    assert (found["val_loss"], found["best_step"]) == (min(measured) if measured else (None, None))
    assert (found["held_out"] > 0) == bool(measured)
    val_loss = found["val_loss"]
    assert found["bits_per_char"] == (val_loss and pytest.approx(val_loss / 0.693147))


@pytest.mark.parametrize("seconds", [600.0, 900.0])
def test_more_time_ends_the_final_decay_and_the_wait_before_it(seconds: float, text: Path) -> None:
    model, _ = train(text, time=600, steps=2)
    model.progress = replace(model.progress, decay_since=0.5, evaluations_since_best=4)
    model.save(text.with_name("m.npz"))
    run = prepare_run([str(text)], {"seconds": seconds}, resumed=text.with_name("m.npz"))
    found = run.state.progress.decay_since, run.state.progress.evaluations_since_best
    assert found == ((0.5, 4) if seconds == 600 else (1, 0))


def test_what_was_best_at_another_text_is_forgotten(text: Path) -> None:
    model, _ = train(text)
    model.save(text.with_name("m.npz"))
    for times, best in ((8, model.progress.best_val_loss), (9, math.inf)):
        text.write_text(TEXT * times)
        state = prepare_run([str(text)], {}, resumed=text.with_name("m.npz")).state
        assert state.progress.best_val_loss == best
        assert (state.best_weights is None) == (best == math.inf)


@pytest.mark.parametrize("given", [{"batch_size": 4, "seq_length": 20}, {}])
def test_what_is_changed_for_a_short_text_is_noted(given: dict[str, int]) -> None:
    short, long = (
        prepare_run([], {"steps": 1, **given}, text=TEXT[:size]).notes for size in (11, 1900)
    )
    wished = given or {"batch_size": 32, "seq_length": 32}
    start = "warning: a short text:" if given else "a short text:"
    window = f"{start} --seq-length 10 instead of {wished['seq_length']}"
    assert short[:2] == [window, f"{start} --batch-size 1 instead of {wished['batch_size']}"]
    assert not any("short" in note for note in long)


def test_a_resumed_run_keeps_its_history_and_its_start(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    run("train", "text.txt", "-o", "base.npz", "--steps", "60", "--hidden-size", "8", cwd=tmp_path)
    again = ("train", "text.txt", "--from", "base.npz", "--random-seed", "1", "--workers", "1")
    run(*again, "-o", "whole.npz", "--epochs", "6", cwd=tmp_path)
    run(*again, "-o", "half.npz", "--epochs", "6", "--steps", "4", cwd=tmp_path)
    half = describe(tmp_path / "half.npz")
    run("train", "text.txt", "-o", "half.npz", "--epochs", "6", "--resume", cwd=tmp_path)
    resumed = describe(tmp_path / "half.npz")
    assert resumed["history"][: len(half["history"])] == half["history"]
    assert len(resumed["history"]) > len(half["history"]) > 0
    for found in (resumed, describe(tmp_path / "whole.npz")):
        assert (found["start"], found["sources"]) == ("base.npz", ["text.txt"])
    assert resumed["steps"] == describe(tmp_path / "whole.npz")["steps"]
