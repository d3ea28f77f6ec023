"""``--show-config``: the value of each option of a command, and where it is set."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charrnn.cli import terminal
from charrnn.cli.defaults import dashed, keys_of
from charrnn.cli.precedence import Settled

_DEFAULT = re.compile(r"\[default: (.*)\]$", re.DOTALL)


def show(command: Any, context: Any, typed: Mapping[str, Any], settled: Settled) -> None:  # noqa: ANN401
    """Print all options of a command: a table, or one object if the command is to print JSON.

    typed     what is on the command line
    settled   the defaults that hold beside it
    """
    params = {key.param.name: key.param for key in keys_of(command).values()}
    values = {
        name: param.process_value(context, typed[name])
        for name, param in params.items()
        if name in typed
    }
    records = {
        dashed(name)[2:]: {
            **_current(param, values, settled),
            "default": _described(param),
            "set_aside": _set_aside(name, settled),
        }
        for name, param in params.items()
    }
    held = {name: default.value for name, default in settled.defaults.items()} | values
    if held.get("as_json") or held.get("jsonl"):
        described = {"command": context.info_name, "options": records}
        terminal.write(json.dumps(described, ensure_ascii=False, indent=1) + "\n")
    else:
        rows = [_row(name, record) for name, record in records.items()]
        terminal.print_table(("option", "value", "set by"), rows)


def _row(name: str, record: Mapping[str, Any]) -> tuple[str, str, str]:
    if record["source"] == "default":
        note = f"; {record['set_aside']}" if record["set_aside"] else ""
        return name, _cell(record["default"]), f"default{note}"
    return name, _cell(record["value"]), record["origin"]


def _current(param: Any, values: Mapping[str, Any], settled: Settled) -> dict[str, Any]:  # noqa: ANN401
    """Return the value of an option and where it is from; None: the command chooses it."""
    if param.name in values:
        return {"value": _plain(values[param.name]), "source": "flag", "origin": "command line"}
    if (default := settled.defaults.get(param.name)) is not None:
        value = _plain(default.value)
        return {"value": value, "source": default.source, "origin": default.origin}
    return {"value": _plain(param.default), "source": "default", "origin": None}


def _set_aside(name: str, settled: Settled) -> str | None:
    """Return what is set but does not hold here, and why."""
    if name not in settled.aside:
        return None
    default, rival = settled.aside[name]
    reason = f"gives way to {dashed(rival)}" if rival else "is of no use here"
    return f"{_cell(_plain(default.value))} of {default.origin} {reason}"


def _described(param: Any) -> Any:  # noqa: ANN401
    """Return the default, in the words of the help where the command chooses it."""
    if (described := _DEFAULT.search(param.help or "")) is not None:
        return described.group(1)
    return bool(param.default) if param.is_flag else _plain(param.default)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _cell(value: object) -> str:
    from charrnn.text.vocabulary import escape

    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    return escape(str(value))
