"""From the settings that a user gave to a config, for a new run or a resumed one, and back."""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from difflib import get_close_matches
from typing import Any

from charrnn.config import Config, option_of
from charrnn.errors import ConfigError
from charrnn.text.vocabulary import escape

# The settings given, by name.
Given = Mapping[str, Any]

PARTS = {part.name: fields(part.type) for part in fields(Config)}  # type: ignore[arg-type]
OPTIONS = {item.name: option_of(item) for part in PARTS.values() for item in part}
SETTINGS = {option: name for name, option in OPTIONS.items()} | {name: name for name in OPTIONS}

# What ``plain`` means: one network as in a textbook, from random weights.
PLAIN = {"dropout": 0.0, "weight_drop": 0.0, "members": 1, "ngram": 0}

LIMITS = ("seconds", "epochs", "steps")

# Settings that are chosen from the text unless they are given.
CHOSEN = {"cell", "hidden_size", "members", "dropout", "weight_drop"}


def require_known(names: Collection[str], known: Collection[str]) -> None:
    """Raise ConfigError, with the nearest names, for a setting that is not known."""
    for name in sorted(set(names).difference(known)):
        near = " or ".join(get_close_matches(name, known))
        hint = f"did you mean {near}?" if near else f"the settings are {', '.join(sorted(known))}"
        raise ConfigError(f"there is no setting {name}", hint=hint)


def sort_settings(options: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the settings among options, by name, and the names of the rest.

    options   by the name of the option or of the setting; None stands for one that was not given.
              ``lines`` means that lines are the pieces, ``plain`` that nothing is added to what is
              asked for: no dropout, n-grams, further networks or base model

    Raises ConfigError for lines with another separator, and for a time that cannot be read.
    """
    given = {SETTINGS[name]: value for name, value in options.items() if name in SETTINGS}
    given = {name: value for name, value in given.items() if value is not None}
    if options.get("plain"):
        given = PLAIN | given
    if isinstance(separator := given.get("separator"), str):
        given["separator"] = separator.replace("\r\n", "\n").replace("\r", "\n")
    if options.get("lines") and given.setdefault("separator", "\n") != "\n":
        raise ConfigError("lines and separator contradict each other", hint="give one of them")
    if isinstance(given.get("seconds"), str):
        given["seconds"] = parse_time(given["seconds"])
    return given, options.keys() - SETTINGS.keys() - {"lines", "plain"}


def new_config(given: Given) -> Config:
    """Return the config of a new run: the settings given, defaults for the rest."""
    given = {"random_seed": secrets.randbits(32), **given}
    if given.keys() & {"epochs", "steps"}:
        given.setdefault("seconds", None)
    return _change(Config(), given)


def resumed_config(given: Given, stored: Config) -> Config:
    """Return the config of a run that goes on. A new limit takes the place of the old ones."""
    limits = dict.fromkeys(LIMITS) if given.keys() & set(LIMITS) else {}
    return _change(stored, {**limits, **given})


def _change(base: Config, given: Given) -> Config:
    changes = dict(given)
    if changes.get("stride") == changes.get("seq_length", base.data.seq_length):
        changes["stride"] = None  # contiguous windows are streams
    if "clip_value" in changes:
        changes.setdefault("clip_norm", None)
    for name in ("clip_norm", "clip_value"):
        changes[name] = changes.get(name, getattr(base.optimizer, name)) or None  # 0: no limit
    parts = {
        part: {item.name: changes[item.name] for item in items if item.name in changes}
        for part, items in PARTS.items()
    }
    return replace(base, **{part: replace(getattr(base, part), **parts[part]) for part in parts})


def flatten(config: Config) -> dict[str, Any]:
    """Return all settings by name."""
    return {name: value for part in asdict(config).values() for name, value in part.items()}


def option_name(setting: str) -> str:
    """Return the name of the command-line option that gives a setting."""
    return f"--{OPTIONS[setting].replace('_', '-')}"


def command_options(config: Config) -> list[str]:
    """Return the options of a run with these settings: those that are not the default.

    What is chosen from the text is always among them, so that a run with these options has these
    settings.
    """
    defaults, words = flatten(Config()), list[str]()
    for name, value in flatten(config).items():
        is_default = value == defaults[name] and name not in CHOSEN
        if is_default or value is None or name == "dtype":  # which has no option
            continue
        if name == "separator" and value == "\n":
            words.append("--lines")
            continue
        shown = escape(value) if name == "separator" else str(value).removesuffix(".0")
        words += [option_name(name), f"{shown}s" if name == "seconds" else shown]
    if config.optimizer.clip_norm is None and config.optimizer.clip_value is None:
        words += ["--clip-norm", "0"]
    return words


def parse_time(text: str) -> float:
    """Return the seconds that 90s, 10m, 1h30m, 2 hours or a bare number of seconds stand for.

    After hours, a bare number is minutes: 1h30. Raises ConfigError for anything else.
    """
    number = r"(\d+(?:\.\d+)?)\s*"
    hour, minute, second = "h(?:(?:ou)?rs?)?", "m(?:in(?:ute)?s?)?", "(?:s(?:ec(?:ond)?s?)?)?"
    pattern = rf"(?:{number}{hour})?\s*(?:{number}{minute})?\s*(?:{number}{second})?"
    named = re.sub(r"(h[a-z]*\s*[\d.]+)$", r"\1m", text.strip())
    match = re.fullmatch(pattern, named)
    if match is None or not any(match.groups()):
        raise ConfigError(f"{text!r} is not a time", hint="write 90s, 10m, 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
