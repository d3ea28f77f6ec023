"""From the settings that a user gave to a whole config, for a new run or a resumed one."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from charrnn.config import Config
from charrnn.errors import ConfigError

# The settings given, by part of the config and name.
Given = Mapping[str, Mapping[str, Any]]

LIMITS = ("seconds", "epochs", "steps")

# Settings whose option on the command line has another name.
OPTION_NAMES = {"cell": "model", "name": "optimizer", "seconds": "time"}
_SETTING_NAMES = {option: setting for setting, option in OPTION_NAMES.items()}

# Settings without an option.
_NEVER_SAID = {"dtype"}

# Settings that are chosen from the text, and the options without a value, off and on.
_CHOSEN = {"cell", "hidden_size", "members", "dropout", "weight_drop"}
_FLAGS = {"lines": ("", "--lines")}


def sort_settings(
    options: Mapping[str, Any], base: Config
) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Return the settings among options, by part of the config, and the names of the rest.

    options   by the name of the option or of the setting; None stands for one that was not given
    """
    given: dict[str, dict[str, Any]] = {part: {} for part in asdict(base)}
    home_of = {name: part for part, settings in asdict(base).items() for name in settings}
    rest = set()
    for option, value in options.items():
        name = _SETTING_NAMES.get(option, option)
        if name not in home_of:
            rest.add(option)
        elif value is not None:
            parse = _PARSERS.get(name) if isinstance(value, str) else None
            given[home_of[name]][name] = parse(value) if parse else value
    return given, rest


def new_config(given: Given, base: Config) -> Config:
    """Return the config of a new run: the settings given, the rest from base."""
    run = {"random_seed": secrets.randbits(32), **given["run"]}
    if run.keys() & {"epochs", "steps"}:
        run.setdefault("seconds", None)
    return _changed(base, {**given, "run": run})


def resumed_config(given: Given, stored: Config) -> Config:
    """Return the config of a run that goes on; see ``models.run.require_same_run``."""
    run = given["run"]
    if run.keys() & set(LIMITS):
        # A new limit takes the place of the old ones.
        run = {**dict.fromkeys(LIMITS), **run}
    return _changed(stored, {**given, "run": run})


def command_options(config: Config) -> list[str]:
    """Return the options of a run with these settings: those that are not the default.

    What is chosen from the text unless it is given is always among them, so that a run with these
    options has these settings.
    """
    defaults, words = asdict(Config()), []
    for part, settings in asdict(config).items():
        for name, value in settings.items():
            if value != defaults[part][name] or name in _CHOSEN:
                words += _option_words(name, value, config)
    return words


def _option_words(name: str, value: object, config: Config) -> list[str]:
    if name in _FLAGS:
        return [flag for flag in [_FLAGS[name][bool(value)]] if flag]
    if name in _NEVER_SAID:
        return []
    if value is None:
        # a clip value takes the limit on the norm away
        return (
            ["--clip-norm", "0"] if name == "clip_norm" and not config.optimizer.clip_value else []
        )
    shown = str(value)
    if isinstance(value, float) and float(f"{value:g}") == value:
        shown = f"{value:g}"
    unit = "s" if name == "seconds" else ""
    return [option_name(name), shown + unit]


def option_name(setting: str) -> str:
    """Return the name of the command-line option that gives a setting."""
    return f"--{OPTION_NAMES.get(setting, setting).replace('_', '-')}"


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


# Settings that may be given as text, and what reads them.
_PARSERS = {"seconds": parse_time}


def _changed(base: Config, given: Given) -> Config:
    data, optimizer = dict(given["data"]), dict(given["optimizer"])
    length = data.get("seq_length", base.data.seq_length)
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
