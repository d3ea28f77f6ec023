"""How findings are put into words."""

import re
from collections.abc import Callable, Iterator, Sequence

from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding, Level

LISTED, SHOWN = 4, 40


def lot(count: int, one: str, more: str | None = None) -> str:
    """Return a number of things: "1 line", "1,200 lines"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def listed(things: Sequence[str]) -> str:
    """Return the first few of some things."""
    rest = len(things) - LISTED
    return ", ".join(things[:LISTED]) + (f" and {rest:,} more" if rest > 0 else "")


def shown(text: str) -> str:
    """Return the beginning of a text as an example."""
    line = text.strip().split("\n")[0]
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def around(text: Examined, what: str) -> str:
    """Return what stands around the first of these texts."""
    for passage in text.passages:
        at = passage.text.find(what)
        if at >= 0:
            begin = max(passage.text.rfind("\n", 0, at) + 1, at - SHOWN // 2)
            return shown(passage.text[begin:])
    return ""


def in_file(
    text: Examined,
    name: str,
    pattern: re.Pattern[str],
    words: Callable[[int, re.Match[str]], tuple[str, str]],
    *,
    level: Level = "fault",
    repair: str | None = None,
) -> Iterator[Finding]:
    """Yield a finding for a pattern that occurs in a text.

    words   message and next step, for a count and the first match
    """
    count, first, place = 0, None, None
    for passage in text.passages:
        for match in pattern.finditer(passage.text):
            count += 1
            if first is None:
                first, place = match, passage.place(match.start())
    if first is not None:
        message, following = words(count, first)
        yield Finding(name, level, message, following, count, place, shown(first[0]), repair)
