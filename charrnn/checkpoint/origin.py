"""Where a model comes from: what a checkpoint notes of its run besides settings and losses.

It stands in the header under "charrnn", where the first checkpoints have only a version, and
earlier versions do not look. So both read the files of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Self

from charrnn._version import __version__

# File names noted at most, and characters of each.
MOST_SOURCES, LONGEST_NAME = 100, 255


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    sources          names of the files that it learned from, without their folders
    held_out         characters held out
    steps_per_pass   training steps in one pass over what it learned from
    start            the checkpoint or base model whose weights it started from; "none": random
                     weights; None: not noted
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
        names = tuple("stdin" if path == "-" else _name(path) for path in sources[:MOST_SOURCES])
        return cls(names, held_out, steps_per_pass, start and _name(start))


def _name(path: str) -> str:
    name = PurePath(path).name or path
    return name.encode(errors="backslashreplace").decode()[:LONGEST_NAME]


def origin_entry(origin: Origin | None) -> str | dict[str, Any]:
    """Return the header entry: the version of charrnn, with the origin if it is known."""
    if origin is None:
        return __version__
    return {
        "version": __version__,
        "sources": list(origin.sources),
        "held_out": origin.held_out,
        "steps_per_pass": origin.steps_per_pass,
        "start": origin.start,
    }


def checked_origin(entry: object) -> Origin | None:
    """Return the origin in a header entry; None if there is none, or none that can be understood.

    It says nothing about the weights, so a file is not refused because of it, and what a later
    version adds is passed over.
    """
    if not isinstance(entry, dict):
        return None
    sources, start = entry.get("sources"), entry.get("start")
    counts = entry.get("held_out"), entry.get("steps_per_pass")
    if not (isinstance(sources, list) and all(map(_is_name, sources))):
        return None
    if not all(type(count) is int and 0 <= count < 2**53 for count in counts):
        return None
    if start is not None and not _is_name(start):
        return None
    return Origin(tuple(sources), *counts, start)  # type: ignore[arg-type]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)
