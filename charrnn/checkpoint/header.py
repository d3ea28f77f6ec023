"""The header of a checkpoint: what it holds besides arrays, as JSON, and what of it is allowed.

    format       FORMAT; a change in the meaning of a file increments it
    charrnn      version that wrote the file
    config       all settings of the run
    characters   of the vocabulary, sorted, and counts, how often each occurs
    progress     how far the run is
    history      losses in the course of the run
    sha256       hash of the text
    origin       names of its files, start of the run, and more; see ``Origin``

Files are not trusted: every entry has its type and bounds.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charrnn._version import __version__
from charrnn.checkpoint.npz import DamagedError
from charrnn.config import Config
from charrnn.errors import CheckpointError
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.state import History, Progress

FORMAT = 3
MAX_BYTES = 1 << 25
# Nested lists are the only JSON that needs far more memory than it has bytes.
MAX_BRACKETS = 20_000
MAX_NUMBER = 1e300
MAX_SOURCES, MAX_NAME = 100, 255


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
    """

    sources: tuple[str, ...]
    held_out: int
    steps_per_pass: int
    start: str | None = None

    @classmethod
    def of(
        cls, sources: Sequence[str], held_out: int, steps_per_pass: int, start: str | None
    ) -> Self:
        """Return the origin of a run, with names that can be stored.

        sources   paths of the files; "-" is standard input
        start     path of a checkpoint, or name of a base model
        """
        names = tuple("stdin" if path == "-" else _file_name(path) for path in sources)
        return cls(names[:MAX_SOURCES], held_out, steps_per_pass, start and _file_name(start))


def _file_name(path: str) -> str:
    name = PurePath(path).name or path
    return name.encode(errors="backslashreplace").decode()[:MAX_NAME]


@dataclass(frozen=True)
class Header:
    """What a checkpoint holds besides arrays."""

    config: Config
    vocabulary: Vocabulary
    progress: Progress
    history: History
    sha256: str
    origin: Origin | None

    def encode(self) -> NDArray[np.uint8]:
        """Return the header as bytes. Raises CheckpointError if it exceeds the reader's limits."""
        progress: dict[str, Any] = asdict(self.progress)
        if math.isinf(self.progress.best_val_loss):
            progress["best_val_loss"] = None
        entries = {
            "format": FORMAT,
            "charrnn": __version__,
            "config": asdict(self.config),
            "characters": self.vocabulary.characters,
            "counts": self.vocabulary.counts.tolist(),
            "progress": progress,
            "history": self.history,
            "sha256": self.sha256,
            "origin": self.origin and asdict(self.origin),
        }
        text = json.dumps(entries, ensure_ascii=False, allow_nan=False).encode()
        if len(text) > MAX_BYTES or _count_brackets(text) > MAX_BRACKETS:
            raise CheckpointError("names and history are too much for a checkpoint")
        return np.frombuffer(text, np.uint8)

    @classmethod
    def decode(cls, array: NDArray[Any]) -> "Header":
        """Return a header from its bytes, checked.

        Raises DamagedError for what ``encode`` could not have returned, NewerFormatError for a
        later format, and what the types of its parts raise for values out of range.
        """
        entries = _parse(array)
        version = entries.pop("format", None)
        require(type(version) is int, "the header names no format")
        if version > FORMAT:
            raise NewerFormatError(f"format {version}, this charrnn reads up to {FORMAT}")
        require(version == FORMAT, f"its format {version} is no longer read")
        names = {"charrnn", "characters", "counts", "sha256", *cls.__annotations__} - {"vocabulary"}
        require(entries.keys() == names, "the header has missing or unexpected entries")
        characters, counts = entries["characters"], entries["counts"]
        require(_is_text(characters) and _is_text(entries["sha256"]), "a text is not a text")
        require(
            isinstance(counts, list) and all(map(_is_count, counts)), "counts must be whole numbers"
        )
        return cls(
            Config.from_dict(entries["config"]),
            Vocabulary(characters, np.array(counts, np.int64)),
            _check_progress(entries["progress"]),
            _check_history(entries["history"]),
            entries["sha256"],
            _check_origin(entries["origin"]),
        )


def _parse(array: NDArray[Any]) -> dict[str, Any]:
    require(array.dtype == np.uint8 and array.ndim == 1, "the header is not a text")
    require(array.size <= MAX_BYTES, "the header is too long")
    text = array.tobytes()
    require(_count_brackets(text) <= MAX_BRACKETS, "the header is too deep")
    entries = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    require(isinstance(entries, dict), "the header is not an object")
    return entries  # type: ignore[no-any-return]


def _count_brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _refuse_constant(name: str) -> float:
    raise DamagedError(f"the header holds {name}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: object) -> bool:
    # Python compares integers of any size with floats exactly; isfinite would overflow.
    return isinstance(value, (int, float)) and -MAX_NUMBER < value < MAX_NUMBER


def _check_progress(entry: Mapping[str, Any]) -> Progress:
    keys = Progress.__annotations__
    require(isinstance(entry, dict) and entry.keys() == keys.keys(), "the progress is incomplete")
    for key, kind in keys.items():
        value, whole = entry[key], kind in {int, "int"}
        if key == "best_val_loss" and value is None:
            value = 0.0
        require(_is_count(value) if whole else _is_number(value), f"{key} must be a number")
    require(0 < entry["rate_scale"] <= 1, "rate_scale must be above 0 and at most 1")
    best = entry["best_val_loss"]
    return Progress(**{**entry, "best_val_loss": math.inf if best is None else best})


def _check_history(history: object) -> History:
    keys = {"step", "seconds", "progress", "train_loss", "val_loss"}
    valid = isinstance(history, list) and all(
        isinstance(entry, dict)
        and entry.keys() == keys
        and all(value is None or _is_number(value) for value in entry.values())
        for entry in history
    )
    require(valid, "the history is not a list of losses")
    return history  # type: ignore[return-value]


def _check_origin(entry: object) -> Origin | None:
    if entry is None:
        return None
    require(
        isinstance(entry, dict)
        and entry.keys() == Origin.__annotations__.keys()
        and isinstance(entry["sources"], list)
        and all(map(_is_text, entry["sources"]))
        and all(_is_count(entry[name]) for name in ("held_out", "steps_per_pass"))
        and (entry["start"] is None or _is_text(entry["start"])),
        "the origin is not one",
    )
    assert isinstance(entry, dict)  # required above
    return Origin(**{**entry, "sources": tuple(entry["sources"])})
