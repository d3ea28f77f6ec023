"""Beginnings to try, in the words of the model itself: a checkpoint has none of its text."""

from itertools import islice

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import TrainingError
from charrnn.inference.sampling import generate, start_ids
from charrnn.models import Model

COUNT = 4
# Characters of an opening in a text; it ends at the last space before.
LONGEST = 22
# Characters of a beginning in a list, of which longer ones are cut.
PREFIX = 2
# Drawn, of which some are alike, and at a temperature at which words are mostly right.
DRAWN, TEMPERATURE = 48, 0.5


def openings(model: Model) -> list[str]:
    """Return up to COUNT different ways in which the model begins, always the same."""
    lines = model.config.data.lines
    length = PREFIX if lines else LONGEST + 1
    config = SamplingConfig(temperature=0.8 if lines else TEMPERATURE)
    start = start_ids(model.vocabulary)
    steps = generate(model.distribution(), start, config, random_seed=0, count=DRAWN)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            ids = np.array([step.ids for step in islice(steps, length)]).T
    except TrainingError:  # exploded weights, which the page says itself
        return []
    texts = [model.vocabulary.decode(row) for row in ids]
    found = [opening for text in texts if (opening := _cut(text, lines=lines))]
    # A sentence rather than a line in the middle of one; the order is kept otherwise.
    found.sort(key=lambda opening: opening[0].islower())
    firsts: dict[str, str] = {}
    for opening in found:
        firsts.setdefault(opening.split()[0][: 1 if lines else None], opening)
    return [*firsts.values()][:COUNT]


def _cut(text: str, *, lines: bool) -> str:
    """Return a beginning without half a word at its end; "" if it is none."""
    if lines:
        return text if text.isalnum() else ""
    text = text.strip().partition("\n")[0]
    words, space, _ = text.rpartition(" ")
    # A script without spaces has no half words.
    cut = words.rstrip(" ,;:-") if space and len(text) > LONGEST // 2 else text[: LONGEST // 2]
    return cut if sum(map(str.isalnum, cut)) > 1 else ""
