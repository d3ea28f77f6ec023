"""Settings check themselves."""

import math
from dataclasses import asdict
from typing import Any

import pytest

from charrnn import (
    Config,
    ConfigError,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SamplingConfig,
)

Settings = type[ModelConfig | DataConfig | OptimizerConfig | RunConfig | SamplingConfig]


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (ModelConfig, {"cell": "transformer"}),
        (ModelConfig, {"hidden_size": 0}),
        (ModelConfig, {"hidden_size": 2**20}),
        (ModelConfig, {"hidden_size": 2.5}),
        (ModelConfig, {"layers": 0}),
        (ModelConfig, {"dropout": 1.0}),
        (ModelConfig, {"dropout": math.nan}),
        (ModelConfig, {"nonlinearity": "relu"}),
        (ModelConfig, {"dtype": "float16"}),
        (DataConfig, {"seq_length": 0}),
        (DataConfig, {"stride": 0}),
        (DataConfig, {"val_fraction": 1.0}),
        (DataConfig, {"normalize": "NFD"}),
        (OptimizerConfig, {"learning_rate": 0.0}),
        (OptimizerConfig, {"learning_rate": math.inf}),
        (OptimizerConfig, {"clip_norm": -1.0}),
        (OptimizerConfig, {"name": "sgd", "weight_decay": 0.1}),
        (RunConfig, {"seconds": None}),
        (RunConfig, {"seconds": math.nan}),
        (RunConfig, {"steps": 0}),
        (RunConfig, {"patience": 0}),
        (RunConfig, {"random_seed": -1}),
        (SamplingConfig, {"temperature": -0.1}),
        (SamplingConfig, {"temperature": math.nan}),
        (SamplingConfig, {"temperature": math.inf}),
        (SamplingConfig, {"top_k": 0}),
        (SamplingConfig, {"top_p": 0.0}),
        (SamplingConfig, {"top_p": 1.1}),
    ],
)
def test_a_wrong_setting_is_refused(settings: Settings, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        settings(**wrong)


def test_an_upper_limit_is_named_as_one() -> None:
    with pytest.raises(ConfigError, match="layers must be 64 or less, not 100,000"):
        ModelConfig(layers=100_000)
    with pytest.raises(ConfigError, match="layers must be 1 or more, not 0"):
        ModelConfig(layers=0)


def test_a_config_survives_the_way_through_plain_dicts() -> None:
    config = Config(model=ModelConfig(cell="gru", layers=2), data=DataConfig(stride=3))
    assert Config.from_dict(asdict(config)) == config


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: stored.pop("run"),
        lambda stored: stored.update(extra={}),
        lambda stored: stored["model"].pop("cell"),
        lambda stored: stored["model"].update(extra=1),
        lambda stored: stored.update(model=[]),
        lambda stored: stored["model"].update(hidden_size="256"),
        lambda stored: stored["model"].update(dropout="a"),
        lambda stored: stored["optimizer"].update(clip_norm=[]),
        lambda stored: stored["optimizer"].update(name=["adam"]),
    ],
)
def test_a_damaged_stored_config_is_refused(damage: Any) -> None:
    stored = asdict(Config())
    damage(stored)
    with pytest.raises(ConfigError):
        Config.from_dict(stored)
