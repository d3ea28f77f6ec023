"""From the options that a user gave to the config of a run."""

import secrets
from dataclasses import asdict, replace
from typing import Any, TypeVar

from charrnn.config import ClassifierConfig, Config

AnyConfig = TypeVar("AnyConfig", Config, ClassifierConfig)

# The options given, by part of the config and name of the setting.
Given = dict[str, dict[str, Any]]

# What a resumed run may change without becoming another run.
CHANGEABLE = {
    ("optimizer", "learning_rate"),
    ("run", "seconds"),
    ("run", "epochs"),
    ("run", "steps"),
    ("run", "patience"),
    ("run", "workers"),
}
LIMITS = ("seconds", "epochs", "steps")


def option(setting: str) -> str:
    """Return the name of the option that sets this."""
    names = {"cell": "model", "seconds": "time", "name": "optimizer"}
    return f"--{names.get(setting, setting).replace('_', '-')}"


def new_config(given: Given, base: AnyConfig) -> AnyConfig:
    """Return the config of a new run: the options given, the rest from base."""
    run = {"random_seed": secrets.randbits(32), **given["run"]}
    if run.keys() & {"epochs", "steps"}:
        run.setdefault("seconds", None)
    return _changed(base, {**given, "run": run})


def resumed_config(given: Given, stored: AnyConfig) -> AnyConfig:
    """Return the config of a run that goes on; ``refused`` says whether it may."""
    run = given["run"]
    if run.keys() & set(LIMITS):
        # A new limit takes the place of the old ones.
        run = dict.fromkeys(LIMITS) | run
    return _changed(stored, {**given, "run": run})


def refused(config: AnyConfig, stored: AnyConfig) -> list[str]:
    """Return the options that would make another run of the stored one."""
    return [
        option(setting)
        for part, settings in asdict(config).items()
        for setting, value in settings.items()
        if (part, setting) not in CHANGEABLE and value != getattr(getattr(stored, part), setting)
    ]


def _changed(base: AnyConfig, given: Given) -> AnyConfig:
    data, optimizer = dict(given["data"]), dict(given["optimizer"])
    length = data.get("seq_length", getattr(base.data, "seq_length", None))
    if "stride" in data and data["stride"] == length:
        data["stride"] = None  # contiguous windows are streams
    if optimizer.get("name", base.optimizer.name) != base.optimizer.name:
        optimizer.setdefault("learning_rate", None)  # that of the other one
    if "clip_value" in optimizer:
        optimizer.setdefault("clip_norm", None)
    for name in ("clip_norm", "clip_value"):
        if optimizer.get(name) == 0:
            optimizer[name] = None  # no limit
    return replace(
        base,
        model=replace(base.model, **given["model"]),
        data=replace(base.data, **data),
        optimizer=replace(base.optimizer, **optimizer),
        run=replace(base.run, **given["run"]),
    )
