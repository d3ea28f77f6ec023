"""Every option of train does what it says; see test_options.py."""

import re
from typing import Any

import pytest

from charrnn.parallel.launch import can_fork, make_group
from tests.cli.option_tables import Row, Runner, Setting, base, same_weights

# Options that change what is learned. The optimizer is sgd where adam would scale away the effect.
SETTINGS = {
    "--batch-size": Setting("3", "data.batch_size", 3),
    "--model": Setting("rnn", "model.cell", "rnn"),
    "--hidden-size": Setting("9", "model.hidden_size", 9),
    "--layers": Setting("2", "model.layers", 2),
    "--dropout": Setting("0.4", "model.dropout", 0.4),
    "--weight-drop": Setting("0.4", "model.weight_drop", 0.4),
    "--optimizer": Setting("rmsprop", "optimizer.name", "rmsprop"),
    "--learning-rate": Setting("0.003", "optimizer.learning_rate", 0.003),
    "--random-seed": Setting("2", "run.random_seed", 2),
    "--val-fraction": Setting("0.25", "data.val_fraction", 0.25),
    "--lines": Setting("", "data.separator", "\n", beside="--seq-length 9"),
    "--separator": Setting("'. '", "data.separator", ". ", beside="--seq-length 9"),
    "--networks": Setting("2", "model.members", 2),
    "--seq-length": Setting("7", "data.seq_length", 7),
    "--stride": Setting("2", "data.stride", 2),
    "--nonlinearity": Setting("relu", "model.nonlinearity", "relu", beside="--model rnn"),
    "--schedule": Setting("constant", "optimizer.schedule", "constant"),
    "--warmup": Setting("0", "optimizer.warmup", 0),
    "--clip-norm": Setting("0.001", "optimizer.clip_norm", 0.001, beside="--optimizer sgd"),
    # a clip value takes the limit on the norm away, so the other run has none either
    "--clip-value": Setting(
        "0.0001", "optimizer.clip_value", 0.0001, beside="--optimizer sgd --clip-norm 0"
    ),
    "--weight-decay": Setting("0.5", "optimizer.weight_decay", 0.5),
}

# Options that change what is read, when the run ends, what is written and what is shown.
ROWS = {
    "--encoding": Row(
        "--encoding latin-1", lambda ran: "é" in ran.trained.vocabulary, file="train.latin"
    ),
    "--normalize": Row(
        "--normalize NFC", lambda ran: "é" in ran.trained.vocabulary, file="train.nfd"
    ),
    "--val-fraction": Row(
        "--val-fraction 0.25",
        lambda ran: ran.trained.history[-1]["val_loss"] is not None,
        beside="--val-fraction 0",
    ),
    "--steps": Row("--steps 3", lambda ran: ran.trained.progress.step == 3),
    "--epochs": Row(
        "--epochs 2",
        lambda ran: {entry["epoch"] for entry in ran.log} == {1, 2},
        beside="--steps 200 --log log",
    ),
    "--time": Row(
        "--time 0.1s", lambda ran: ran.trained.progress.step < 2000, beside="--steps 2000"
    ),
    # A rate that changes nothing: no validation is better than the first.
    "--patience": Row(
        "--patience 2",
        lambda ran: sum("val_loss" in entry for entry in ran.log) == 3,
        beside="--learning-rate 1e-30 --val-fraction 0.1 --steps 200 --log log",
    ),
    "--output": Row(
        "-o elsewhere.npz", lambda ran: ran.wrote("elsewhere.npz") and not ran.wrote("m.npz")
    ),
    "--resume": Row(
        "--resume",
        lambda ran: [entry["step"] for entry in ran.log] == [3, 4],
        beside="-o train.npz --log log",
    ),
    "--overwrite": Row(
        "--overwrite", lambda ran: ran.trained.progress.step == 4, beside="-o train.npz"
    ),
    "--log": Row("--log log", lambda ran: ran.wrote("log") and len(ran.log) == 4),
    "--quiet": Row("--quiet", lambda ran: not ran.err),
    "--verbose": Row("--verbose", lambda ran: '"optimizer": {"name": "adam"' in ran.err),
    "--json": Row("--json", lambda ran: [summary["steps"] for summary in ran.objects] == [4]),
    "--from": Row(
        "--from other.npz",
        lambda ran: same_weights(ran.trained.weights, ran.model("other.npz").weights),
        beside="--learning-rate 1e-30",
    ),
    "--field": Row(
        "--field text", lambda ran: len(ran.trained.vocabulary) == 6, file="records.jsonl"
    ),
    "--ngram": Row("--ngram 3", lambda ran: ran.trained.ngram.order == 3),
    "--no-ngram": Row("--no-ngram", lambda ran: ran.trained.ngram is None),
    "--sample-every": Row(
        "--sample-every 3", lambda ran: re.findall(r"sample at step (\d+)", ran.err) == ["3"]
    ),
}


def test_the_same_options_give_the_same_weights(ran: Runner) -> None:
    # without this, other weights would say nothing about an option
    one, again = ran(base("train")), ran(f"{base('train')} --steps 4")
    assert same_weights(one.trained.weights, again.trained.weights)


@pytest.mark.parametrize("option", SETTINGS)
def test_a_setting_is_stored_and_gives_other_weights(option: str, ran: Runner) -> None:
    setting = SETTINGS[option]
    line = base("train", setting)
    old, new = ran(line), ran(f"{line} {option} {setting.given}")
    assert new.done.returncode == old.done.returncode == 0, new.err + old.err
    part, _, name = setting.name.partition(".")
    values = [getattr(getattr(one.trained.config, part), name) for one in (old, new)]
    assert values[1] == setting.value != values[0]
    assert not same_weights(old.trained.weights, new.trained.weights)


@pytest.mark.skipif(not can_fork(), reason="one process is all there is")
def test_as_many_workers_are_started_as_are_asked_for(
    ran: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def make(size: int, *others: Any) -> Any:
        started.append(size)
        return make_group(size, *others)

    monkeypatch.setattr("charrnn.training.step.make_group", make)
    done = ran(f"{base('train')} --workers 3")
    assert done.trained.config.run.workers == 3
    assert started == [3]
