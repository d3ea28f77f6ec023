"""Beginnings to try: what the model writes most often, for a checkpoint has none of its text."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import TrainingError
from charrnn.generate.sample import sample_steps
from charrnn.models import Model
from charrnn.text.vocabulary import Ids, Vocabulary

COUNT = 4
# How many texts are drawn, how long, and at a temperature at which words are mostly right.
DRAWN, LENGTH, TEMPERATURE = 256, 40, 0.5
# How often a beginning must have been drawn.
MIN_DRAWN = 3
WORDS = r"""["'“«‘—¿¡]?([^\W\d_])[\w'’-]*(?: [\w'’-]+){%d}(?=[\s,;:.!?(])"""


def draw_texts(model: Model, start: Ids) -> list[str]:
    """Return texts that begin after these characters, always the same."""
    config = SamplingConfig(temperature=TEMPERATURE)
    steps = sample_steps(model.distribution(), start, config, random_seed=0, count=DRAWN)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            ids = np.array([step.ids for step in islice(steps, LENGTH)]).T
    except TrainingError:  # exploded weights, which the page says itself
        return []
    return [model.vocabulary.decode(row) for row in ids]


def openings(texts: Sequence[str], vocabulary: Vocabulary, *, lines: bool) -> list[str]:
    """Return up to COUNT beginnings, no two with the same first word, the commonest first.

    texts   from ``draw_texts``
    lines   beginnings of two letters, of entries of a list, instead of two or three words
    """
    cased = any(char.isupper() for char in vocabulary.characters) and not lines
    drawn = Counter[str]()
    for text in texts:
        for pattern in [r"([^\W\d_])[^\W\d_]"] if lines else [WORDS % 1, WORDS % 2]:
            found = re.match(pattern, text)
            if found and not (cased and found[1].islower()):
                drawn[found[0]] += 1
    common = [text for text, count in drawn.most_common() if count >= MIN_DRAWN]
    chosen: dict[str, str] = {}
    for text in common:
        first = text[0] if lines else text.split()[0]
        # Three words rather than two, where they are common too.
        if first not in chosen or text.startswith(chosen[first] + " "):
            chosen[first] = text
    return [*chosen.values()][:COUNT]
