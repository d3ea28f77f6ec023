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
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import PurePath
from types import UnionType
from typing import Any, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.npz import require
from charrnn.config import Config, check_value
from charrnn.errors import CheckpointError
from charrnn.training.state import History, Progress

FORMAT = 4
MAX_BYTES = 1 << 25
MAX_SOURCES, MAX_NAME = 100, 255
HISTORY_KEYS = {"step", "seconds", "progress", "train_loss", "val_loss"}


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    sources          names of the files that it learned from, as ``name_file`` returns them
    held_out         characters held out
    steps_per_pass   training steps in one pass over what it learned from
    start            name of the checkpoint or base model whose weights it started from; "none":
                     random weights; None: not recorded
    longest          characters of the longest piece; 0: the text is a stream, or not recorded
    start_loss       of ``start`` on the text before training, in nats per character; None: there
                     was none, or not recorded
    """

    sources: tuple[str, ...]
    held_out: int
    steps_per_pass: int
    start: str | None = None
    longest: int = 0
    start_loss: float | None = None


def name_file(path: str) -> str:
    """Return the name of a file as it is stored: without its folder; "-" is standard input."""
    name = "stdin" if path == "-" else PurePath(path).name or path
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
        """Return the header as bytes."""
        entries = {"format": FORMAT, **asdict(self)}
        if math.isinf(self.progress.best_val_loss):
            entries["progress"]["best_val_loss"] = None
        text = json.dumps(entries, ensure_ascii=False, allow_nan=False)
        return np.frombuffer(text.encode(), np.uint8)

    @classmethod
    def decode(cls, array: NDArray[Any]) -> "Header":
        """Return a header from its bytes, checked.

        Raises CheckpointError for a later format. Any other exception means that ``encode`` could
        not have returned the bytes.
        """
        require(array.dtype == np.uint8 and array.ndim == 1, "the header is not a text")
        require(array.size <= MAX_BYTES, "the header is too long")
        entries = json.loads(array.tobytes().decode("utf-8"))
        version = entries.pop("format")
        require(type(version) is int and version >= FORMAT, f"its format is {version!r}")
        if version > FORMAT:
            message = f"format {version}, this charrnn reads up to {FORMAT}"
            raise CheckpointError(message, hint="upgrade charrnn")
        if entries["progress"].get("best_val_loss", 0) is None:  # its default is infinite
            del entries["progress"]["best_val_loss"]
        header: Header = read_as("header", entries, cls)
        for entry in header.history:
            require(entry.keys() == HISTORY_KEYS, "the history is not a list of losses")
        require(0 < header.progress.rate_scale <= 1, "rate_scale must be above 0 and at most 1")
        require(0 <= header.progress.decay_since <= 1, "decay_since must be from 0 to 1")
        return header


def read_as(name: str, value: Any, kind: Any) -> Any:
    """Return a value of JSON as an object of this type.

    Numbers are 0 or more. An entry may be missing if its field has a default: the checkpoint may be
    older than the field. Raises CheckpointError or ConfigError for what is of another type or out
    of bounds.
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
    check_value(name, kind, value, {} if kind is str else {"low": 0})
    return value
