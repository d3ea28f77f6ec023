"""What sort of text it is: a list, code, verse or prose."""

import re
from typing import Literal

from charrnn.text.lines import looks_like_list

Kind = Literal["list", "code", "verse", "prose"]

# Characters that tell, as ``charrnn train`` looks at them.
LOOKED_AT = 100_000

# The share of all characters that these are in code, and never in prose.
_OF_CODE, CODE = re.compile(r"[{}()\[\]=;_<>\\]"), 0.025

# Verse: nearly all lines are short, and begin with a capital wherever they begin.
SHORT_FOR_PROSE, MOSTLY, CAPITALS = 75, 0.95, 0.75
FEWEST_LINES = 8


def kind_of(text: str) -> Kind:
    """Return what sort of text it is."""
    beginning = text[:LOOKED_AT]
    if looks_like_list(beginning):
        return "list"
    if beginning and len(_OF_CODE.findall(beginning)) > CODE * len(beginning):
        return "code"
    lines = [line.strip() for line in beginning.split("\n")]
    lines = [line for line in lines if line]
    if len(lines) >= FEWEST_LINES:
        longest = sorted(map(len, lines))[int(MOSTLY * len(lines))]
        capitals = sum(line.lstrip("'\"“‘«(—- ")[:1].isupper() for line in lines)
        if longest <= SHORT_FOR_PROSE and capitals >= CAPITALS * len(lines):
            return "verse"
    return "prose"
