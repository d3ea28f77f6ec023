"""Which of the given values hold: the command line wins, also over what contradicts it.

A default that a stronger value contradicts is set aside, and so is one that belongs to something
that is not asked for. What stands on the command line is never set aside: if it contradicts itself,
the command says so.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from charrnn.cli.defaults import Default, Found
from charrnn.config import Config
from charrnn.settings import OPTION_NAMES

TYPED = 4  # the rank of the command line

# Of each of these sets, the strongest holds; equally strong ones are the command's to judge.
_ALTERNATIVES = (
    {"time", "epochs", "steps"},
    {"resume", "overwrite"},
    {"resume", "from_"},
    {"quiet", "verbose"},
    {"as_json", "tsv"},
    {"seed", "seed_file", "seeds"},
    {"greedy", "temperature"},
    {"lines", "window"},
    {"windows", "one_hot"},
    {"windows", "sort"},
    *(
        {"endless", other}
        for other in ("length", "count", "jsonl", "seeds", "until_sentence", "match")
    ),
    # the shape of a network is that of the weights it starts from
    *({"from_", shape} for shape in ("model", "hidden_size", "layers", "members", "nonlinearity")),
)


# What each of these is of use for, by command.
_OF_USE: Mapping[str, Mapping[str, Callable[[Mapping[str, Any]], bool]]] = {
    "train": {
        "nonlinearity": lambda given: given.get("model") == "rnn",
        "weight_decay": lambda given: given.get("optimizer") in (None, "adam"),
    },
    "score": {
        **dict.fromkeys(
            ("threshold", "at_most", "sort", "top", "tsv"), lambda given: bool(given.get("lines"))
        ),
        "unknown": lambda given: bool(given.get("lines")) or given["unknown"] != "charge",
    },
    "inspect-vocab": dict.fromkeys(
        ("seq_length", "stride"), lambda given: given.get("windows") is not None
    ),
}


@dataclass(frozen=True)
class Settled:
    """The defaults that hold, and those that do not.

    defaults   by the name of the option
    aside      defaults that give way, and what to
    """

    defaults: Mapping[str, Default]
    aside: Mapping[str, tuple[Default, str]]


def stored() -> set[str]:
    """Return the options whose values a checkpoint has, for the run to go on with."""
    names = {name for part in asdict(Config()).values() for name in part}
    return {OPTION_NAMES.get(name, name) for name in names}


def settle(command: str, typed: Mapping[str, Any], *found: Found) -> Settled:
    """Return which defaults hold beside what was typed.

    typed   the options on the command line and their values
    found   the defaults from each kind of place
    """
    values, ranks = dict(typed), dict.fromkeys(typed, TYPED)
    held: dict[str, Default] = {}
    aside: dict[str, tuple[Default, str]] = {}
    strongest = sorted(_strongest(typed, found).items(), key=lambda item: -item[1].rank)
    for name, default in strongest:
        if rival := _rival(name, default, values, ranks):
            aside[name] = default, rival
        else:
            held[name], values[name], ranks[name] = default, default.value, default.rank
    resumed = stored() if values.get("resume") else set()
    of_use = _OF_USE.get(command, {})
    for name in list(held):
        if name in resumed:
            aside[name] = held.pop(name), "resume"
        elif name in of_use and not of_use[name](values):
            aside[name] = held.pop(name), ""
    return Settled(held, aside)


def _strongest(typed: Mapping[str, Any], found: Iterable[Found]) -> dict[str, Default]:
    """Return the default of the highest rank for each option that was not typed."""
    several: dict[str, list[Default]] = {}
    for name, defaults in chain.from_iterable(place.items() for place in found):
        several.setdefault(name, []).extend(defaults)
    return {
        name: max(defaults, key=lambda default: default.rank)
        for name, defaults in several.items()
        if name not in typed
    }


def _rival(
    name: str, default: Default, values: Mapping[str, Any], ranks: Mapping[str, int]
) -> str | None:
    """Return the stronger option that contradicts a default."""
    for several in _ALTERNATIVES:
        if name not in several or not _says_something(name, default.value):
            continue
        for other in several - {name}:
            if ranks.get(other, -1) > default.rank and _says_something(other, values[other]):
                return other
    return None


def _says_something(name: str, value: object) -> bool:
    """Return False for a flag that is off, and for a start from nothing."""
    return value is not False and (name, value) != ("from_", "none")
