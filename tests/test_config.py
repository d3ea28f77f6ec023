"""Settings check themselves."""

import math
from dataclasses import asdict
from typing import Any

import pytest

from charrnn import (
    Config,
    ConfigError,
    ControlConfig,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SamplingConfig,
)
from charrnn.settings import new_config, resumed_config, sort_settings

Settings = type[
    ModelConfig | DataConfig | OptimizerConfig | RunConfig | SamplingConfig | ControlConfig
]


@pytest.mark.parametrize(
    ("settings", "wrong", "complaint"),
    [
        (ModelConfig, {"cell": "sru"}, "model must be rnn, lstm or gru, not 'sru'"),
        (ModelConfig, {"hidden_size": 0}, "hidden-size must be 1 or more, not 0"),
        (ModelConfig, {"hidden_size": 65_537}, "hidden-size must be 65,536 or less, not 65,537"),
        (ModelConfig, {"hidden_size": 2.5}, "hidden-size must be a whole number, not 2.5"),
        (ModelConfig, {"hidden_size": None}, "hidden-size must be a whole number, not None"),
        (ModelConfig, {"layers": True}, "layers must be a whole number, not True"),
        (ModelConfig, {"members": 65}, "networks must be 64 or less, not 65"),
        (ModelConfig, {"dropout": 1.0}, "dropout must be below 1, not 1"),
        (ModelConfig, {"dropout": math.nan}, "dropout must be a finite number, not nan"),
        (ModelConfig, {"nonlinearity": "relu"}, "works with model rnn only, not lstm"),
        (ModelConfig, {"dtype": "float16"}, "dtype must be float32 or float64, not 'float16'"),
        (DataConfig, {"batch_size": 2**60}, "batch-size must be 9,007,199,254,740,992 or less"),
        (DataConfig, {"stride": 1, "separator": "\n"}, "pieces have no stride"),
        (DataConfig, {"separator": 1}, "separator must be a text, not 1"),
        (DataConfig, {"normalize": "NFD"}, "normalize must be NFC, NFKC or none, not 'NFD'"),
        (OptimizerConfig, {"name": "lion"}, "optimizer must be adam, rmsprop, adagrad or sgd"),
        (OptimizerConfig, {"learning_rate": 0.0}, "learning-rate must be above 0, not 0"),
        (OptimizerConfig, {"name": "sgd", "weight_decay": 0.1}, "with adam only, not sgd"),
        (RunConfig, {"seconds": None}, "a run needs a limit: seconds, epochs or steps"),
        (RunConfig, {"seconds": 10**400}, "time must be a finite number"),
        (SamplingConfig, {"temperature": math.inf}, "temperature must be a finite number"),
        (SamplingConfig, {"top_p": 1.1}, "top-p must be 1 or less, not 1.1"),
        (ControlConfig, {"stop": ("",)}, "a stop text must have at least one character"),
        (ControlConfig, {"stop": "abc"}, "tuple"),
        (ControlConfig, {"stop": ("a",), "match": "a"}, "match and stop contradict each other"),
    ],
)
def test_a_wrong_setting_is_refused(
    settings: Settings, wrong: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**wrong)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("given", "part", "follows"),
    [
        ({}, "run", {"seconds": 300.0}),
        ({"steps": 3}, "run", {"seconds": None}),
        ({"steps": 3, "time": "1h30m"}, "run", {"seconds": 5400.0}),
        ({"time": "1min"}, "run", {"seconds": 60.0}),
        ({"time": "90sec"}, "run", {"seconds": 90.0}),
        ({"time": "1h30"}, "run", {"seconds": 5400.0}),
        ({"time": "1m30"}, "run", {"seconds": 90.0}),
        ({"time": "2 h"}, "run", {"seconds": 7200.0}),
        ({"time": "1 hour 30 minutes"}, "run", {"seconds": 5400.0}),
        ({"stride": 9, "seq_length": 9}, "data", {"stride": None}),
        ({"clip_norm": 0}, "optimizer", {"clip_norm": None}),
        ({"clip_value": 5.0}, "optimizer", {"clip_norm": None}),
        ({"clip_value": 5.0, "clip_norm": 2.0}, "optimizer", {"clip_norm": 2.0}),
    ],
)
def test_what_is_given_decides_what_else_holds(
    given: dict[str, Any], part: str, follows: dict[str, Any]
) -> None:
    settings, rest = sort_settings(given)
    assert not rest
    found = asdict(new_config(settings))[part]
    assert {name: found[name] for name in follows} == follows


def test_a_new_limit_of_a_resumed_run_replaces_the_old_one() -> None:
    resumed = resumed_config({"epochs": 2}, new_config({"steps": 3}))
    assert (resumed.run.steps, resumed.run.epochs, resumed.run.seconds) == (None, 2, None)


def test_a_config_survives_the_way_through_plain_dicts() -> None:
    config = Config(model=ModelConfig(cell="gru", layers=2), data=DataConfig(stride=3))
    assert Config.from_dict(asdict(config)) == config
