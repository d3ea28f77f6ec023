"""What a check finds in a text, and where."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["fault", "note"]


@dataclass(frozen=True)
class Place:
    """A line of a file, counted from 1."""

    source: str
    line: int


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    name      of the check
    level     "fault": training suffers from it; "note": worth knowing
    message   what was found, in one line
    next      what to do about it; empty if there is nothing to do
    count     how often it was found, if it can be counted
    place     where it stands first, if it stands somewhere
    example   what stands there
    repair    name of the repair that mends it; see ``repairs``
    """

    name: str
    level: Level
    message: str
    next: str = ""
    count: int | None = None
    place: Place | None = None
    example: str = ""
    repair: str | None = None
