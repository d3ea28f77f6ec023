"""The header of a checkpoint: what it holds besides arrays, as JSON, and what of it is allowed.

    format       FORMAT; a change in the meaning of a file increments it
    charrnn      version that wrote the file
    config       all settings of the run
    characters   of the vocabulary, sorted, and counts, how often each occurs
    progress     how far the run is
    history      losses in the course of the run
    sha256       hash of the text
    origin       names of its files, start of the run, and more; see ``Origin``

Files are not trusted: the types of ``Header`` and its parts are the schema of the file, and
``read_as`` has the bounds.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass, replace
from pathlib import PurePath
from types import UnionType
from typing import Any, Self, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.npz import DamagedError
from charrnn.config import Config
from charrnn.errors import CheckpointError
from charrnn.training.state import History, Progress

FORMAT = 4
MAX_BYTES = 1 << 25
# Nested lists are the only JSON that needs far more memory than it has bytes.
MAX_BRACKETS = 20_000
MAX_NUMBER = 1e300
MAX_SOURCES, MAX_NAME = 100, 255
HISTORY_KEYS = {"step", "seconds", "progress", "train_loss", "val_loss"}


class NewerFormatError(Exception):
    """The file was written by a later version of charrnn."""


def require(condition: object, reason: str) -> None:
    """Raise DamagedError, for this reason, unless the condition holds."""
    if not condition:
        raise DamagedError(reason)


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    sources          names of the files that it learned from, without their folders
    held_out         characters held out
    steps_per_pass   training steps in one pass over what it learned from
    start            the checkpoint or base model whose weights it started from; "none": random
                     weights; None: not recorded
    longest          characters of the longest piece; 0: the text is a stream, or not recorded
    """

    sources: tuple[str, ...]
    held_out: int
    steps_per_pass: int
    start: str | None = None
    longest: int = 0

    @classmethod
    def of(
        cls,
        sources: Sequence[str],
        held_out: int,
        steps_per_pass: int,
        start: str | None,
        longest: int = 0,
    ) -> Self:
        """Return the origin of a run, with names that can be stored.

        sources   paths of the files; "-" is standard input
        start     path of a checkpoint, or name of a base model
        """
        names = tuple("stdin" if path == "-" else _file_name(path) for path in sources)
        name = start and _file_name(start)
        return cls(names[:MAX_SOURCES], held_out, steps_per_pass, name, longest)


def _file_name(path: str) -> str:
    name = PurePath(path).name or path
    return name.encode(errors="backslashreplace").decode()[:MAX_NAME]


@dataclass(frozen=True)
class Header:
    """What a checkpoint holds besides arrays; see above."""

    config: Config
    characters: str
    counts: list[int]
    progress: Progress
    history: History
    sha256: str
    origin: Origin | None
    charrnn: str

    def encode(self) -> NDArray[np.uint8]:
        """Return the header as bytes. Raises CheckpointError if it exceeds the reader's limits."""
        entries = {"format": FORMAT, **asdict(self)}
        if math.isinf(self.progress.best_val_loss):
            entries["progress"]["best_val_loss"] = None
        text = json.dumps(entries, ensure_ascii=False, allow_nan=False).encode()
        if len(text) > MAX_BYTES or _count_brackets(text) > MAX_BRACKETS:
            raise CheckpointError("names and history are too much for a checkpoint")
        return np.frombuffer(text, np.uint8)

    @classmethod
    def decode(cls, array: NDArray[Any]) -> "Header":
        """Return a header from its bytes, checked.

        Raises DamagedError for what ``encode`` could not have returned, NewerFormatError for a
        later format, and ConfigError for settings out of range.
        """
        entries = _parse(array)
        version = entries.pop("format", None)
        require(type(version) is int, "the header names no format")
        if version > FORMAT:
            raise NewerFormatError(f"format {version}, this charrnn reads up to {FORMAT}")
        require(version == FORMAT, f"this charrnn does not read its format {version}")
        progress: Any = entries.get("progress")
        untested = isinstance(progress, dict) and progress.get("best_val_loss", 0) is None
        if untested:
            progress["best_val_loss"] = 0.0
        header: Header = read_as("header", entries, cls)
        if untested:
            header = replace(header, progress=replace(header.progress, best_val_loss=math.inf))
        for entry in header.history:
            require(entry.keys() == HISTORY_KEYS, "the history is not a list of losses")
        require(0 < header.progress.rate_scale <= 1, "rate_scale must be above 0 and at most 1")
        require(0 <= header.progress.decay_since <= 1, "decay_since must be from 0 to 1")
        return header


def read_as(name: str, value: Any, kind: Any) -> Any:
    """Return a value of JSON as an object of this type.

    Whole numbers are 0 or more. An entry may be missing if its field has a default: the checkpoint
    may be older than the field. Raises DamagedError for another type or a number out of bounds.
    """
    if hasattr(kind, "from_dict"):
        return kind.from_dict(value)
    if is_dataclass(kind) and isinstance(kind, type):
        types: dict[str, Any] = {part.name: part.type for part in fields(kind)}
        needed = {part.name for part in fields(kind) if part.default is MISSING}
        complete = isinstance(value, dict) and needed <= value.keys() <= types.keys()
        require(complete, f"the {name} has missing or unexpected entries")
        return kind(**{part: read_as(part, value[part], types[part]) for part in value})
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else read_as(name, value, inner[0])
    if origin in {list, tuple}:
        require(isinstance(value, list), f"{name} must be a list")
        return origin(read_as(name, part, inner[0]) for part in value)
    if origin is dict:
        require(isinstance(value, dict), f"{name} must be named values")
        return {key: read_as(name, value[key], inner[1]) for key in value}
    require(IS_ALLOWED[kind](value), f"{name} must be of type {kind.__name__} and within bounds")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: object) -> bool:
    # Python compares integers of any size with floats exactly; isfinite would overflow.
    return isinstance(value, (int, float)) and -MAX_NUMBER < value < MAX_NUMBER


IS_ALLOWED = {str: _is_text, int: _is_count, float: _is_number}


def _parse(array: NDArray[Any]) -> dict[str, Any]:
    require(array.dtype == np.uint8 and array.ndim == 1, "the header is not a text")
    require(array.size <= MAX_BYTES, "the header is too long")
    text = array.tobytes()
    require(_count_brackets(text) <= MAX_BRACKETS, "the header is too deep")
    entries = json.loads(text.decode("utf-8"))
    require(isinstance(entries, dict), "the header is not an object")
    return entries  # type: ignore[no-any-return]


def _count_brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")
