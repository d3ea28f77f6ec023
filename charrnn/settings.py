"""From the settings that a user gave to a whole config, for a new run or a resumed one."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from charrnn.config import AnyConfig
from charrnn.errors import ConfigError

# The settings given, by part of the config and name.
Given = Mapping[str, Mapping[str, Any]]

LIMITS = ("seconds", "epochs", "steps")


def new_config(given: Given, base: AnyConfig) -> AnyConfig:
    """Return the config of a new run: the settings given, the rest from base."""
    run = {"random_seed": secrets.randbits(32), **given["run"]}
    if run.keys() & {"epochs", "steps"}:
        run.setdefault("seconds", None)
    return _changed(base, {**given, "run": run})


def resumed_config(given: Given, stored: AnyConfig) -> AnyConfig:
    """Return the config of a run that goes on; see ``models.runs.require_same_run``."""
    run = given["run"]
    if run.keys() & set(LIMITS):
        # A new limit takes the place of the old ones.
        run = {**dict.fromkeys(LIMITS), **run}
    return _changed(stored, {**given, "run": run})


def parse_time(text: str) -> float:
    """Return the seconds that 90s, 10m, 1h30m or a bare number of seconds stand for.

    Raises ConfigError for anything else.
    """
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text.strip())
    if match is None or not any(match.groups()):
        raise ConfigError(f"{text!r} is not a time", hint="write 90s, 10m, 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


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
